// A candidate is a copy that is edited in place, printed and read back: what the edit has broken is not read back, what
// it has left in another than the canonical form is put into it.
#include "reduce.h"

#include <string.h>

typedef struct Reducer {
  const Graph *best;
  ReduceTest holds;
  void *state;
  int cuts;  // inputs made so far
} Reducer;

int reduce_size(const Graph *g) {
  int n = 0;
  for (size_t k = 0; k < g->n_nodes; k++) n += op_info(g->nodes[k].op)->class != OPC_SOURCE;
  return n;
}

// ---- copies ---------------------------------------------------------------------------------------------------------

static void *copy_array(Arena *arena, const void *from, size_t count, size_t size) {
  void *to = arena_array(arena, count, size);
  if (count) memcpy(to, from, count * size);
  return to;
}

static Graph *copy_graph(const Graph *g) {
  Graph *to = graph_like(g);
  to->nodes = copy_array(g->arena, g->nodes, g->n_nodes, sizeof *g->nodes);
  to->n_nodes = to->nodes_capacity = g->n_nodes;
  to->outputs = copy_array(g->arena, g->outputs, g->n_outputs, sizeof *g->outputs);
  to->n_outputs = to->outputs_capacity = g->n_outputs;
  for (size_t k = 0; k < to->n_nodes; k++) {
    Node *node = &to->nodes[k];
    node->in = copy_array(g->arena, node->in, (size_t)node->n_in, sizeof *node->in);
    if (node->op != OP_index) continue;
    node->index = copy_array(g->arena, node->index, 1, sizeof *node->index);
    node->index->reads = copy_array(g->arena, node->index->reads, (size_t)node->n_in, sizeof(Read));
    node->index->body = copy_array(g->arena, node->index->body, (size_t)node->index->n_body, sizeof(Scalar));
  }
  return to;
}

// What no output needs goes.
static void prune(Graph *g) {
  bool *needed = arena_array(g->arena, g->n_nodes, sizeof *needed);
  NodeId *place = arena_array(g->arena, g->n_nodes, sizeof *place), n = 0;
  for (size_t k = 0; k < g->n_outputs; k++) needed[g->outputs[k].value] = true;
  for (size_t k = g->n_nodes; k-- > 0;)
    for (int a = 0; needed[k] && a < g->nodes[k].n_in; a++) needed[g->nodes[k].in[a]] = true;
  for (size_t k = 0; k < g->n_nodes; k++) {
    if (!needed[k]) continue;
    for (int a = 0; a < g->nodes[k].n_in; a++) g->nodes[k].in[a] = place[g->nodes[k].in[a]];
    place[k] = n;
    g->nodes[n++] = g->nodes[k];
  }
  g->n_nodes = (size_t)n;
  for (size_t k = 0; k < g->n_outputs; k++) g->outputs[k].value = place[g->outputs[k].value];
}

// Takes the edited copy if it is a graph of which the test holds.
static bool try_graph(Reducer *r, Graph *edited) {
  prune(edited);
  Text text = text_new(edited->arena);
  graph_print(edited, &text);
  DiagSink *sink = diag_sink_new(edited->arena);
  Graph *read = graph_parse(edited->arena, sink, diag_add_source(sink, "reduced", text.bytes, text.length));
  if (!read || graph_equal(read, r->best) || !r->holds(r->state, read)) return false;
  r->best = read;
  return true;
}

// ---- what can be taken away -----------------------------------------------------------------------------------------

static bool fewer_outputs(Reducer *r) {
  for (size_t k = 0; r->best->n_outputs > 1 && k < r->best->n_outputs; k++) {  // one alone
    Graph *g = copy_graph(r->best);
    g->outputs[0] = g->outputs[k];
    g->n_outputs = 1;
    if (try_graph(r, g)) return true;
  }
  for (size_t k = 0; r->best->n_outputs > 1 && k < r->best->n_outputs; k++) {  // all but one
    Graph *g = copy_graph(r->best);
    memmove(&g->outputs[k], &g->outputs[k + 1], (--g->n_outputs - k) * sizeof *g->outputs);
    if (try_graph(r, g)) return true;
  }
  return false;
}

// A node that is no output yet as the only one: what stands behind it goes.
static bool earlier_output(Reducer *r) {
  for (NodeId id = 0; (size_t)id < r->best->n_nodes; id++) {
    if (op_info(graph_node(r->best, id)->op)->class == OPC_SOURCE) continue;
    if (r->best->n_outputs == 1 && r->best->outputs[0].value == id) continue;
    Graph *g = copy_graph(r->best);
    g->outputs[0] = (Output){OUT_RESULT, "y", id};
    g->n_outputs = 1;
    if (try_graph(r, g)) return true;
  }
  return false;
}

static bool cut_node(Reducer *r, NodeId id) {
  Graph *g = copy_graph(r->best);
  Node *node = graph_node(g, id);
  if (op_info(node->op)->class == OPC_SOURCE) return false;
  *node = (Node){
      .op = OP_input, .type = node->type, .shape = node->shape, .name = arena_printf(g->arena, "cut%d", r->cuts)};
  if (!try_graph(r, g)) return false;
  r->cuts++;
  return true;
}

// Another node of the same type and shape in its place: an operand, or one of rank 0.
static bool skip_node(Reducer *r, NodeId id) {
  const Node *node = graph_node(r->best, id);
  for (int a = 0; a < node->n_in; a++) {
    const Node *in = graph_node(r->best, node->in[a]);
    if (in->type != node->type || !shape_equal(&in->shape, &node->shape)) continue;
    Graph *g = copy_graph(r->best);
    for (size_t k = 0; k < g->n_nodes; k++)
      for (int b = 0; b < g->nodes[k].n_in; b++)
        if (g->nodes[k].in[b] == id) g->nodes[k].in[b] = node->in[a];
    for (size_t k = 0; k < g->n_outputs; k++)
      if (g->outputs[k].value == id) g->outputs[k].value = node->in[a];
    if (try_graph(r, g)) return true;
  }
  return false;
}

// The value of an earlier instruction as the body's.
static bool shorter_body(Reducer *r, NodeId id) {
  const IndexDef *def = graph_node(r->best, id)->index;
  for (int k = 0; k < def->n_body - 1; k++) {
    if (def->body[k].type != def->body[def->n_body - 1].type) continue;
    Graph *g = copy_graph(r->best);
    graph_node(g, id)->index->n_body = k + 1;
    if (try_graph(r, g)) return true;
  }
  for (int k = 0; k < def->n_body; k++) {  // a constant instead
    if (def->body[k].kind == SCALAR_CONST || def->body[k].type == DT_U8) continue;
    Graph *g = copy_graph(r->best);
    graph_node(g, id)->index->body[k] = (Scalar){.kind = SCALAR_CONST, .type = def->body[k].type, .number = 1};
    if (try_graph(r, g)) return true;
  }
  return false;
}

static bool change_expression(Reducer *r, NodeId id, int read, int d, const IndexExpr *e) {
  Graph *g = copy_graph(r->best);
  graph_node(g, id)->index->reads[read].at[d] = *e;
  return try_graph(r, g);
}

static bool simpler_expression(Reducer *r, NodeId id, int read, int d) {
  const IndexExpr e = graph_node(r->best, id)->index->reads[read].at[d];
  IndexExpr less = e;
  less.offset = 0;
  if (e.offset && change_expression(r, id, read, d, &less)) return true;
  less = e;
  less.divisor = 1, less.kind = DIV_NONE;
  if (e.kind != DIV_NONE && change_expression(r, id, read, d, &less)) return true;
  for (int t = 0; t < e.n_terms; t++) {
    less = e;
    index_add_term(&less, e.term[t].index, -e.term[t].coef);
    if (change_expression(r, id, read, d, &less)) return true;
    less = e;
    less.term[t].coef = 1;
    if (e.term[t].coef != 1 && change_expression(r, id, read, d, &less)) return true;
  }
  return false;
}

static bool simpler_reads(Reducer *r, NodeId id) {
  const Node *node = graph_node(r->best, id);
  for (int k = 0; k < node->n_in; k++)
    for (int d = 0; d < node->index->reads[k].rank; d++)
      if (simpler_expression(r, id, k, d)) return true;
  return false;
}

// An index that takes one value only, left out.
static bool fewer_indices(Reducer *r, NodeId id) {
  const IndexDef *def = graph_node(r->best, id)->index;
  for (int k = def->n_out; k < def->n_out + def->n_red && def->n_red > 1; k++) {
    Graph *g = copy_graph(r->best);
    graph_node(g, id)->index->extent[k] = dim_const(1);
    if (!dim_equal(def->extent[k], dim_const(1)) && try_graph(r, g)) return true;
  }
  return false;
}

static bool simpler_node(Reducer *r, NodeId id) {
  if (cut_node(r, id) || skip_node(r, id)) return true;
  if (graph_node(r->best, id)->op != OP_index) return false;
  return shorter_body(r, id) || simpler_reads(r, id) || fewer_indices(r, id);
}

// ---- sizes ----------------------------------------------------------------------------------------------------------

static void replace_dim(Dim *d, Dim from, Dim to) {
  if (dim_equal(*d, from)) *d = to;
}

static bool resize(Reducer *r, Dim from, Dim to) {
  Graph *g = copy_graph(r->best);
  for (size_t k = 0; k < g->n_nodes; k++) {
    Node *node = &g->nodes[k];
    for (int d = 0; d < node->shape.rank; d++) replace_dim(&node->shape.dim[d], from, to);
    if (node->op == OP_scatter_add) replace_dim(&node->rows, from, to);
    for (int i = 0; node->op == OP_index && i < node->index->n_out + node->index->n_red; i++)
      replace_dim(&node->index->extent[i], from, to);
  }
  return try_graph(r, g);
}

static bool smaller_dim(Reducer *r, Dim dim) {
  if (dim.symbol) return resize(r, dim, dim_const(2)) || resize(r, dim, dim_const(dim.scale));
  const int64_t sizes[] = {1, 2, dim.scale / 2, dim.scale - 1};
  for (int k = 0; k < 4; k++)
    if (sizes[k] < dim.scale && sizes[k] > 0 && resize(r, dim, dim_const(sizes[k]))) return true;
  return false;
}

static bool smaller_sizes(Reducer *r) {
  const Graph *g = r->best;
  for (size_t k = 0; k < g->n_nodes; k++) {
    for (int d = 0; d < g->nodes[k].shape.rank; d++)
      if (smaller_dim(r, g->nodes[k].shape.dim[d])) return true;
    const IndexDef *def = g->nodes[k].index;
    for (int i = def ? def->n_out : 0; def && i < def->n_out + def->n_red; i++)
      if (smaller_dim(r, def->extent[i])) return true;
  }
  return false;
}

// ---- the whole ------------------------------------------------------------------------------------------------------

static bool simpler_nodes(Reducer *r) {
  for (NodeId id = (NodeId)r->best->n_nodes - 1; id >= 0; id--)
    if (simpler_node(r, id)) return true;
  return false;
}

const Graph *reduce_graph(const Graph *g, ReduceTest holds, void *state) {
  Reducer r = {g, holds, state, 0};
  while (earlier_output(&r) || fewer_outputs(&r) || simpler_nodes(&r) || smaller_sizes(&r)) continue;
  return r.best;
}
