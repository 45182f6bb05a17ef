// Params that no gradient reaches: which op is in the way, in the user's words.
#include "autodiff.h"

#include <string.h>

// An op through which no gradient passes, and the params that it cuts off.
typedef struct Blocker {
  NodeId node;
  const char *op;     // its name; NULL: the loss does not depend on the params at all
  const char *first;  // the first of the params
  int count;
} Blocker;

typedef struct Report {
  const Autodiff *a;
  bool *needed;    // [n_nodes]: the loss depends on it
  bool *reached;   // [n_nodes]: a gradient by it would lead to the param in question
  Blocker *items;  // in order of their nodes, the one for no dependence first
  size_t n_items, capacity;
} Report;

static void mark_needed(Report *r) {
  const Graph *g = r->a->from;
  r->needed[r->a->loss] = true;
  for (NodeId id = r->a->loss; id >= 0; id--)
    for (int k = 0; r->needed[id] && k < graph_node(g, id)->n_in; k++) r->needed[graph_node(g, id)->in[k]] = true;
}

static void add_blocker(Report *r, NodeId node, const char *op, const char *param) {
  size_t at = 0;
  while (at < r->n_items && r->items[at].node < node) at++;
  if (at == r->n_items || r->items[at].node != node) {
    r->items = arena_grow(r->a->from->arena, r->items, r->n_items, &r->capacity, sizeof *r->items);
    memmove(&r->items[at + 1], &r->items[at], (r->n_items++ - at) * sizeof *r->items);
    r->items[at] = (Blocker){node, op, param, 0};
  }
  r->items[at].count++;
}

// Notes each op that stops the gradient on its way to this param.
static void trace_param(Report *r, NodeId param) {
  const Graph *g = r->a->from;
  const char *name = graph_node(g, param)->name;
  if (!r->needed[param]) return add_blocker(r, NODE_NONE, NULL, name);
  memset(r->reached, 0, g->n_nodes * sizeof *r->reached);
  r->reached[param] = true;
  for (NodeId id = param + 1; id <= r->a->loss; id++) {
    const Node *node = graph_node(g, id);
    const char *op, *stopped_by = NULL;
    for (int k = 0; r->needed[id] && k < node->n_in; k++) {
      if (!r->reached[node->in[k]]) continue;
      if (autodiff_passes(g, node, k, &op))
        r->reached[id] = true;
      else if (op)
        stopped_by = op;
    }
    if (stopped_by) add_blocker(r, id, stopped_by, name);
  }
}

// " (line 7)", or " (blocks.dl, line 7)" where that is another file than the loss's; "" where it is not known.
static const char *place_of(const Report *r, Span span) {
  const Autodiff *a = r->a;
  const Source *source = diag_source(a->ctx->sink, span.file);
  uint32_t line, column;
  if (!source) return "";
  diag_position(source, span.begin, &line, &column);
  if (span.file == graph_node(a->from, a->loss)->span.file) return arena_printf(a->from->arena, " (line %u)", line);
  return arena_printf(a->from->arena, " (%s, line %u)", source->path, line);
}

// "'head.w' and 3 more parameters": paths without the model's own name.
static const char *params_text(const Report *r, const Blocker *b) {
  const Graph *g = r->a->from;
  size_t length = strlen(g->name);
  bool own = !strncmp(b->first, g->name, length) && b->first[length] == '.';
  const char *name = own ? b->first + length + 1 : b->first;
  if (b->count == 1) return arena_printf(g->arena, "'%s'", name);
  return arena_printf(g->arena, "'%s' and %d more parameter%s", name, b->count - 1, b->count > 2 ? "s" : "");
}

static const char *blocker_text(const Report *r, const Blocker *b) {
  const Graph *g = r->a->from;
  return arena_printf(g->arena, "no gradient reaches %s: %s%s is not differentiable", params_text(r, b), b->op,
                      place_of(r, graph_node(g, b->node)->span));
}

// One error for each op; errors at one place are one, so further ops stand below the first.
static void report_all(const Report *r) {
  DiagSink *sink = r->a->ctx->sink;
  Span span = graph_node(r->a->from, r->a->loss)->span;
  Diag *diag = NULL;
  for (size_t k = 0; k < r->n_items; k++) {
    const Blocker *b = &r->items[k];
    if (!b->op)
      diag_error(sink, DIAG_E0330, span, "the loss does not depend on %s", params_text(r, b));
    else if (!diag)
      diag = diag_error(sink, DIAG_E0305, span, "%s", blocker_text(r, b));
    else
      diag_line(sink, diag, DIAG_NOTE, "%s", blocker_text(r, b));
  }
}

bool autodiff_check_params(const Autodiff *a) {
  const Graph *g = a->from;
  Report r = {.a = a};
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    if (graph_node(g, id)->op != OP_param || a->adjoint[id] != NODE_NONE) continue;
    if (!r.needed) {
      r.needed = arena_array(g->arena, g->n_nodes, sizeof *r.needed);
      r.reached = arena_array(g->arena, g->n_nodes, sizeof *r.reached);
      mark_needed(&r);
    }
    trace_param(&r, id);
  }
  report_all(&r);
  return r.n_items == 0;
}
