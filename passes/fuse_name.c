// Names of kernels, for people: the layer's place in the model, then the layers whose work follows in the same kernel.
//   conv2d_1.relu.halo   block_2.conv2d_1   d.conv2d_1 (an input gradient)   d.conv2d_1.w (a weight gradient)   sum#2
#include "fuse.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TAGS = 3 };

// A dotted path without its first part, the model.
static const char *path_inside(const char *path) {
  const char *dot = strchr(path, '.');
  return dot ? dot + 1 : path;
}

static bool is_gradient(const Node *node) { return node->tag && !strncmp(node->tag, "d.", 2); }

static const char *plain_tag(const Node *node) { return is_gradient(node) ? node->tag + 2 : node->tag; }

static const char *op_label(const Node *node) {
  return node->op == OP_index ? combine_name(node->index->combine) : op_info(node->op)->name;
}

static void add_lead(const Node *lead, const char *gradient, Text *name) {
  if (gradient) {
    text_printf(name, "d.%s", path_inside(gradient));
    return;
  }
  if (is_gradient(lead)) text_add(name, "d.");
  const char *tag = lead->tag ? plain_tag(lead) : op_label(lead);
  text_add(name, lead->path ? path_inside(lead->path) : tag);
  bool copy = lead->op == OP_index && index_is_movement(lead->index);
  if (lead->path && copy) text_printf(name, ".%s", tag);
}

static bool has_tag(const char *const *tags, int n, const char *tag) {
  for (int k = 0; k < n; k++)
    if (!strcmp(tags[k], tag)) return true;
  return false;
}

// The tags of what follows the lead, each once.
static void add_tags(const Graph *g, const Kernel *kernel, const Node *lead, Text *name) {
  const char *tags[MAX_TAGS + 1];
  int n = 0;
  if (lead->tag) tags[n++] = plain_tag(lead);
  for (int k = 0; k < kernel->n_nodes && n <= MAX_TAGS; k++) {
    const Node *node = graph_node(g, kernel->nodes[k]);
    bool follows = kernel->nodes[k] > kernel->space && node->tag && node->op != OP_const;
    if (!follows || has_tag(tags, n, plain_tag(node))) continue;
    tags[n++] = plain_tag(node);
    text_printf(name, ".%s", tags[n - 1]);
  }
}

static const char *name_of(Arena *arena, const Graph *g, const Kernel *kernel, const char *gradient) {
  Text name = text_new(arena);
  const Node *lead = graph_node(g, kernel->space);
  add_lead(lead, gradient, &name);
  add_tags(g, kernel, lead, &name);
  return name.bytes;
}

typedef struct Named {
  const char *name;
  int kernel;
} Named;

static int compare_names(const void *a, const void *b) {
  const Named *x = a, *y = b;
  int order = strcmp(x->name, y->name);
  return order ? order : x->kernel - y->kernel;
}

// Second and later kernels of a name are numbered.
static void number_equals(Arena *arena, Plan *plan) {
  Named *named = arena_array(arena, (size_t)plan->n_kernels, sizeof *named);
  for (int k = 0; k < plan->n_kernels; k++) named[k] = (Named){plan->kernels[k].name, k};
  if (plan->n_kernels) qsort(named, (size_t)plan->n_kernels, sizeof *named, compare_names);
  for (int k = 1, equal = 1; k < plan->n_kernels; k++) {
    equal = strcmp(named[k - 1].name, named[k].name) ? 1 : equal + 1;
    if (equal > 1) plan->kernels[named[k].kernel].name = arena_printf(arena, "%s#%d", named[k].name, equal);
  }
}

// Names of gradients by the node that computes them.
static const char **gradient_names(Arena *arena, const Graph *g) {
  const char **names = arena_array(arena, g->n_nodes, sizeof *names);
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_GRAD) names[g->outputs[k].value] = g->outputs[k].name;
  return names;
}

// The parameter whose gradient the kernel's reduction ends in, or NULL.
static const char *gradient_of(const Kernel *kernel, const char *const *names) {
  if (kernel->root == NODE_NONE) return NULL;
  for (int k = 0; k < kernel->n_outputs; k++)
    if (names[kernel->outputs[k]]) return names[kernel->outputs[k]];
  return NULL;
}

void fuse_name(Arena *arena, Plan *plan) {
  const char **gradients = gradient_names(arena, plan->graph);
  for (int k = 0; k < plan->n_kernels; k++) {
    Kernel *kernel = &plan->kernels[k];
    kernel->name = name_of(arena, plan->graph, kernel, gradient_of(kernel, gradients));
  }
  number_equals(arena, plan);
}
