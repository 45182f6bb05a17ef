// Graphs as data: making, appending, comparing.
#include "inside.h"

#include <string.h>

Graph *graph_new(Arena *arena, const char *name) {
  Graph *g = arena_alloc(arena, sizeof *g);
  g->arena = arena;
  g->name = name;
  return g;
}

Graph *graph_like(const Graph *g) {
  Graph *like = graph_new(g->arena, g->name);
  like->n_symbols = g->n_symbols;
  memcpy(like->symbols, g->symbols, sizeof g->symbols);
  return like;
}

int graph_symbol(Graph *g, const char *name) {
  for (int k = 0; k < g->n_symbols; k++)
    if (!strcmp(g->symbols[k], name)) return k + 1;
  dlc_assert(g->n_symbols < IR_MAX_SYMBOLS);
  g->symbols[g->n_symbols] = name;
  return ++g->n_symbols;
}

void graph_output(Graph *g, OutputKind kind, const char *name, NodeId value) {
  dlc_assert(value >= 0 && (size_t)value < g->n_nodes);
  g->outputs = arena_grow(g->arena, g->outputs, g->n_outputs, &g->outputs_capacity, sizeof *g->outputs);
  g->outputs[g->n_outputs++] = (Output){kind, name, value};
}

const char *output_kind_name(OutputKind kind) {
  static const char *const names[OUT_KIND_COUNT] = {[OUT_RESULT] = "result",
                                                    [OUT_LOSS] = "loss",
                                                    [OUT_METRIC] = "metric",
                                                    [OUT_STATE] = "state",
                                                    [OUT_GRAD] = "grad"};
  return (unsigned)kind < OUT_KIND_COUNT ? names[kind] : "?";
}

NodeId graph_append(Graph *g, const Node *node) {
  dlc_assert(g->n_nodes < INT32_MAX);
  g->nodes = arena_grow(g->arena, g->nodes, g->n_nodes, &g->nodes_capacity, sizeof *g->nodes);
  g->nodes[g->n_nodes] = *node;
  return (NodeId)g->n_nodes++;
}

NodeId graph_find_source(const Graph *g, Op op, const char *name) {
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k].op == op && !strcmp(g->nodes[k].name, name)) return (NodeId)k;
  return NODE_NONE;
}

const Output *graph_find_output(const Graph *g, OutputKind kind, const char *name) {
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == kind && (!name || (g->outputs[k].name && !strcmp(g->outputs[k].name, name))))
      return &g->outputs[k];
  return NULL;
}

// ---- equality -----------------------------------------------------------------------------------------------------

static bool text_equal(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

bool number_equal(double a, double b) { return !memcmp(&a, &b, sizeof a) || (a != a && b != b); }

static bool scalar_equal(const Scalar *a, const Scalar *b) {
  if (a->kind != b->kind || a->type != b->type) return false;
  switch (a->kind) {
    case SCALAR_READ:
    case SCALAR_INDEX:
      return a->arg[0] == b->arg[0];
    case SCALAR_CONST:
      return number_equal(a->number, b->number);
    case SCALAR_OP:
      break;
  }
  return a->op == b->op && !memcmp(a->arg, b->arg, (size_t)op_info(a->op)->arity * sizeof *a->arg);
}

static bool indices_equal(const IndexDef *a, const IndexDef *b) {
  if (a->n_out != b->n_out || a->n_red != b->n_red) return false;
  for (int k = 0; k < a->n_out + a->n_red; k++)
    if (!dim_equal(a->extent[k], b->extent[k]) || !text_equal(a->name[k], b->name[k])) return false;
  return true;
}

static bool def_equal(const IndexDef *a, const IndexDef *b, int n_in) {
  if (a->combine != b->combine || a->n_body != b->n_body || !indices_equal(a, b)) return false;
  if (a->order.chunk != b->order.chunk || a->order.lanes != b->order.lanes || a->order.winograd != b->order.winograd)
    return false;
  for (int k = 0; k < n_in; k++)
    if (!read_equal(&a->reads[k], &b->reads[k])) return false;
  for (int k = 0; k < a->n_body; k++)
    if (!scalar_equal(&a->body[k], &b->body[k])) return false;
  return true;
}

static bool attributes_equal(const Node *a, const Node *b) {
  switch (a->op) {
    case OP_input:
    case OP_param:
    case OP_state:
      return text_equal(a->name, b->name);
    case OP_const:
      return number_equal(a->number, b->number);
    case OP_index:
      return def_equal(a->index, b->index, a->n_in);
    case OP_concat:
      return a->axis == b->axis;
    case OP_scatter_add:
      return dim_equal(a->rows, b->rows);
    case OP_random:
      return a->stream == b->stream;
    default:
      return true;
  }
}

bool node_equal(const Node *a, const Node *b) {
  if (a->op != b->op || a->type != b->type || !shape_equal(&a->shape, &b->shape) || a->n_in != b->n_in) return false;
  for (int k = 0; k < a->n_in; k++)
    if (a->in[k] != b->in[k]) return false;
  return attributes_equal(a, b);
}

static bool symbols_equal(const Graph *a, const Graph *b) {
  if (a->n_symbols != b->n_symbols) return false;
  for (int k = 0; k < a->n_symbols; k++)
    if (!text_equal(a->symbols[k], b->symbols[k])) return false;
  return true;
}

bool graph_equal(const Graph *a, const Graph *b) {
  if (!text_equal(a->name, b->name) || !symbols_equal(a, b)) return false;
  if (a->n_nodes != b->n_nodes || a->n_outputs != b->n_outputs) return false;
  for (size_t k = 0; k < a->n_nodes; k++) {
    const Node *p = &a->nodes[k], *q = &b->nodes[k];
    if (!node_equal(p, q) || !text_equal(p->tag, q->tag) || !text_equal(p->path, q->path)) return false;
  }
  for (size_t k = 0; k < a->n_outputs; k++) {
    const Output *p = &a->outputs[k], *q = &b->outputs[k];
    if (p->kind != q->kind || p->value != q->value || !text_equal(p->name, q->name)) return false;
  }
  return true;
}
