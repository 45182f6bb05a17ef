// A node's attributes by name.
#include <string.h>

#include "inside.h"

const Onnx__AttributeProto *attribute(const Node *node, const char *name) {
  for (size_t k = 0; k < node->proto->n_attribute; k++) {
    const Onnx__AttributeProto *a = node->proto->attribute[k];
    if (a->name && !strcmp(a->name, name)) return a;
  }
  return NULL;
}

int64_t attribute_int(const Node *node, const char *name, int64_t otherwise) {
  const Onnx__AttributeProto *a = attribute(node, name);
  return a && a->has_i ? a->i : otherwise;
}

float attribute_float(const Node *node, const char *name, float otherwise) {
  const Onnx__AttributeProto *a = attribute(node, name);
  return a && a->has_f ? a->f : otherwise;
}

const char *attribute_text(Im *m, const Node *node, const char *name, const char *otherwise) {
  const Onnx__AttributeProto *a = attribute(node, name);
  return a && a->has_s ? arena_strndup(m->arena, (const char *)a->s.data, a->s.len) : otherwise;
}

int attribute_ints(const Node *node, const char *name, const int64_t **values) {
  const Onnx__AttributeProto *a = attribute(node, name);
  *values = a ? a->ints : NULL;
  return a && a->n_ints < 1 << 16 ? (int)a->n_ints : 0;
}
