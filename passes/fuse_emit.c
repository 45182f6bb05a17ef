// Fusion, last step: kernels from groups, in the order of their keys, with what each computes, reads and stores.
#include "fuse.h"

#include <stdlib.h>

typedef struct IdList {
  NodeId *items;
  size_t n, capacity;
} IdList;

static void id_push(Arena *arena, IdList *list, NodeId id) {
  list->items = arena_grow(arena, list->items, list->n, &list->capacity, sizeof *list->items);
  list->items[list->n++] = id;
}

static int compare_ids(const void *a, const void *b) {
  NodeId x = *(const NodeId *)a, y = *(const NodeId *)b;
  return (x > y) - (x < y);
}

static void id_sort(IdList *list) {
  if (list->n) qsort(list->items, list->n, sizeof *list->items, compare_ids);
}

// ---- what a group holds ---------------------------------------------------------------------------------------------

typedef struct Contents {
  int group;
  NodeId given;  // a root that another group sums: what it reads is not asked for here
  IdList nodes, inputs;
} Contents;

static void collect(Fuse *f, Contents *c, NodeId id);

static void collect_node(Fuse *f, Contents *c, NodeId id) {
  const Node *node = graph_node(f->g, id);
  id_push(f->arena, &c->nodes, id);
  if (id == c->given) return;
  for (int k = 0; k < node->n_in; k++) collect(f, c, node->in[k]);
}

static void collect(Fuse *f, Contents *c, NodeId id) {
  FuseNode *n = &f->nodes[id];
  if (n->seen[0] == f->mark) return;
  n->seen[0] = f->mark;
  if (n->seat == SEAT_CONST || n->seat == SEAT_INLINE || (n->seat == SEAT_HOME && n->group == c->group)) {
    collect_node(f, c, id);
    return;
  }
  f->nodes[n->base].stored = true;
  id_push(f->arena, &c->inputs, id);
}

static Contents contents_of(Fuse *f, int number) {
  const Group *group = &f->groups[number];
  Contents c = {.group = number, .given = group->carrier >= 0 ? group->root : NODE_NONE};
  f->mark++;
  for (size_t k = 0; k < group->n_homes; k++) collect(f, &c, group->homes[k]);
  for (int s = 0; s < group->n_sums; s++) {
    const Node *sum = graph_node(f->g, f->groups[group->sums[s]].root);
    for (int k = 0; k < sum->n_in; k++) collect(f, &c, sum->in[k]);
  }
  id_sort(&c.nodes);
  id_sort(&c.inputs);
  return c;
}

static Kernel kernel_of(Fuse *f, const Group *group, const Contents *c) {
  Kernel kernel = {.root = group->root, .space = group->space, .why_alone = group->why_alone};
  bool contract = group->root != NODE_NONE && f->nodes[group->root].contract;
  kernel.kind = contract ? KERNEL_CONTRACT : KERNEL_LOOP;
  kernel.nodes = c->nodes.items, kernel.n_nodes = (int)c->nodes.n;
  kernel.inputs = c->inputs.items, kernel.n_inputs = (int)c->inputs.n;
  return kernel;
}

static void set_outputs(Fuse *f, const Group *group, Kernel *kernel) {
  IdList outputs = {0};
  for (size_t k = 0; k < group->n_homes; k++)
    if (f->nodes[group->homes[k]].stored) id_push(f->arena, &outputs, group->homes[k]);
  id_sort(&outputs);
  kernel->outputs = outputs.items, kernel->n_outputs = (int)outputs.n;
}

// ---- order ----------------------------------------------------------------------------------------------------------

typedef struct Ranked {
  double key;
  int group;
} Ranked;

static int compare_ranks(const void *a, const void *b) {
  const Ranked *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return x->group - y->group;
}

static Ranked *rank_groups(Fuse *f) {
  Ranked *ranked = arena_array(f->arena, f->n_groups, sizeof *ranked);
  for (size_t k = 0; k < f->n_groups; k++) ranked[k] = (Ranked){f->groups[k].key, (int)k};
  if (f->n_groups) qsort(ranked, f->n_groups, sizeof *ranked, compare_ranks);
  return ranked;
}

// Groups' numbers become kernels'.
static void set_sums(Fuse *f, const Ranked *ranked, Plan *plan) {
  int *number = arena_array(f->arena, f->n_groups, sizeof *number);
  for (size_t k = 0; k < f->n_groups; k++) number[ranked[k].group] = (int)k;
  for (size_t k = 0; k < f->n_groups; k++) {
    const Group *group = &f->groups[ranked[k].group];
    Kernel *kernel = &plan->kernels[k];
    kernel->carrier = group->carrier >= 0 ? number[group->carrier] : -1;
    kernel->n_sums = group->n_sums;
    kernel->sums = arena_array(f->arena, KERNEL_SUMS_MOST, sizeof *kernel->sums);
    for (int s = 0; s < group->n_sums; s++) kernel->sums[s] = number[group->sums[s]];
  }
}

void fuse_emit(Fuse *f, Plan *plan) {
  const Ranked *ranked = rank_groups(f);
  plan->n_kernels = (int)f->n_groups;
  plan->kernels = arena_array(f->arena, f->n_groups, sizeof *plan->kernels);
  for (size_t k = 0; k < f->n_groups; k++) {
    Contents c = contents_of(f, ranked[k].group);
    plan->kernels[k] = kernel_of(f, &f->groups[ranked[k].group], &c);
  }
  set_sums(f, ranked, plan);
  for (size_t k = 0; k < f->g->n_outputs; k++) f->nodes[f->nodes[f->g->outputs[k].value].base].stored = true;
  for (size_t k = 0; k < f->n_groups; k++) set_outputs(f, &f->groups[ranked[k].group], &plan->kernels[k]);
}
