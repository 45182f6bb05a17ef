// Words with a meaning of their own: option values, conversions, {name} in texts.
#include "elab_inside.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static const char *const option_words[] = {"same", "valid", "exact", "ceil", "nearest", "bilinear", "all"};

const char *const *elab_option_words(size_t *count) {
  *count = sizeof option_words / sizeof *option_words;
  return option_words;
}

bool elab_option_word(const char *name) {
  size_t n;
  const char *const *words = elab_option_words(&n);
  for (size_t k = 0; k < n; k++)
    if (!strcmp(words[k], name)) return true;
  return false;
}

// ---- conversions ---------------------------------------------------------------------------------------------------

static Value convert_number(Elab *e, double x, DType type, Span span) {
  if (type == DT_F32) return value_float(x);
  if (fabs(x) < 0x1p63) return value_int((int64_t)x);
  elab_error(e, DIAG_E0113, span, "this number does not fit 64 bits");
  return value_poison();
}

// f32(field) before anything else is known of the field: it is read as f32 then.
static bool convert_open_field(Field *field, DType type) {
  if (field->node != NODE_NONE || (field->typed && field->type != type)) return false;
  field->typed = true;
  field->type = type;
  return true;
}

Value elab_convert(Elab *e, Value v, DType type, Span span) {
  if (v.kind == VALUE_FIELD && convert_open_field(v.field, type)) return v;
  if (v.kind == VALUE_INT) return type == DT_F32 ? value_float((double)v.integer) : v;
  if (v.kind == VALUE_FLOAT) return convert_number(e, v.number, type, span);
  if (v.kind == VALUE_BOOL) return convert_number(e, v.boolean, type, span);
  if (v.kind == VALUE_FIELD && v.field->node != NODE_NONE) v = elab_field_tensor(e, v.field);
  NodeId node = elab_node(e, v, type == DT_I32, span);
  if (node == NODE_NONE) return value_poison();
  if (graph_node(e->builder.graph, node)->type == type) return elab_tensor(e, node, &v);
  return elab_tensor(e, build_unary(&e->builder, type == DT_F32 ? OP_to_f32 : OP_to_i32, node), &v);
}

// ---- texts ---------------------------------------------------------------------------------------------------------

static bool is_name_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

const char *text_placeholder(const char *text, size_t *skip, size_t *length) {
  for (const char *open = strchr(text, '{'); open; open = strchr(open + 1, '{')) {
    size_t n = 1;
    while (is_name_char(open[n])) n++;
    if (n == 1 || open[n] != '}') continue;
    *skip = (size_t)(open - text);
    *length = n - 1;
    return open + 1;
  }
  return NULL;
}

const char *elab_interpolate(Elab *e, Scope *scope, const char *text, Span span) {
  Text out = text_new(e->arena);
  size_t skip, length;
  for (const char *name; (name = text_placeholder(text, &skip, &length)); text = name + length + 1) {
    text_add_n(&out, text, skip);
    Name word = {arena_strndup(e->arena, name, length), span, NULL};
    Value v = elab_name(e, scope, &word);
    if (value_is_poison(v)) return NULL;
    value_print(e, v, &out);
  }
  text_add(&out, text);
  return out.bytes;
}
