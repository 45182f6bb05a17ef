// Pass `simplify`: the same bits with less work.
//
// On exit: no identity of algebra.c fits anywhere, in the graph or in a body; elementwise ops and index nodes use a
// scalar where their operand only repeats one; no reduced index has extent 1. f32 sums keep their reads and indices
// (edit.h).
#include "algebra.h"
#include "edit.h"

// ---- scalars behind broadcasts --------------------------------------------------------------------------------------

// What all elements of a value are: a rank-0 value, or a number; or nothing of the kind is known.
typedef struct Repeated {
  NodeId node;  // NODE_NONE: see is_number
  bool is_number;
  DType type;
  double number;
} Repeated;

static Repeated scalar_behind(const Graph *g, NodeId id) {
  const Node *node = graph_node(g, id);
  Repeated none = {.node = NODE_NONE}, scalar = {.node = id};
  if (node->shape.rank == 0) return scalar;
  if (node->op == OP_reshape && graph_node(g, node->in[0])->shape.rank == 0) return (Repeated){.node = node->in[0]};
  if (node->op != OP_index || node->index->combine != COMBINE_MAP || node->index->n_body != 1) return none;
  const Scalar *s = &node->index->body[0];
  if (s->kind == SCALAR_READ && node->index->reads[0].rank == 0) return (Repeated){.node = node->in[0]};
  if (s->kind == SCALAR_CONST) return (Repeated){NODE_NONE, true, s->type, s->number};
  return none;
}

static bool is_scalar(const Repeated *s) { return s->is_number || s->node != NODE_NONE; }

static NodeId scalar_node(Rewrite *w, const Repeated *s) {
  return s->is_number ? build_const(rewrite_builder(w), s->type, s->number) : s->node;
}

// Elementwise over operands some of which only repeat a scalar. True where that was so, with the new operands.
static bool unwrap_operands(Rewrite *w, int *args) {
  const Node *node = rewrite_node(w);
  bool any = false;
  for (int k = 0; k < node->n_in; k++) {
    args[k] = rewrite_operand(w, k);
    Repeated scalar = scalar_behind(rewrite_graph(w), args[k]);
    if (!is_scalar(&scalar) || scalar.node == args[k]) continue;
    args[k] = scalar_node(w, &scalar);
    any = true;
  }
  return any;
}

static void simplify_elements(Rewrite *w) {
  const Node *node = rewrite_node(w);
  GraphEmitter e = rewrite_emitter(w);
  int args[3];
  bool unwrapped = unwrap_operands(w, args);
  int value = algebra_simplify(&e.emit, node->op, args);
  if (value == NO_VALUE && unwrapped) value = e.emit.op(&e.emit, node->op, args);
  if (value == NO_VALUE) {
    rewrite_keep(w);
    return;
  }
  bool same = shape_equal(&graph_node(rewrite_graph(w), value)->shape, &node->shape);
  rewrite_replace(w, same ? value : build_broadcast_to(rewrite_builder(w), value, &node->shape));
}

static void simplify_reshape(Rewrite *w) {
  const Node *node = rewrite_node(w);
  Repeated scalar = scalar_behind(rewrite_graph(w), rewrite_operand(w, 0));
  if (!is_scalar(&scalar)) {
    rewrite_keep(w);
    return;
  }
  NodeId value = scalar_node(w, &scalar);
  rewrite_replace(w, build_broadcast_to(rewrite_builder(w), value, &node->shape));
}

// ---- bodies ---------------------------------------------------------------------------------------------------------

static bool read_inside(const IndexDef *def, const Read *read, const Shape *shape) {
  for (int d = 0; d < read->rank; d++)
    if (!read_in_bounds(def, read, shape, d)) return false;
  return true;
}

static void simplify_read(IndexEdit *edit, int k) {
  const Graph *g = rewrite_graph(edit->w);
  Read read, nowhere = {0};
  NodeId operand = edit_read(edit, k, &read);
  Repeated scalar = scalar_behind(g, operand);
  bool unwrap = read.rank > 0 && !edit->ordered && is_scalar(&scalar) &&
                read_inside(&edit->def, &read, &graph_node(g, operand)->shape);
  edit->changed |= unwrap;
  if (!unwrap)
    edit_copy(edit, k);
  else if (scalar.is_number)
    edit_set(edit, k, edit->body.emit.number(&edit->body.emit, scalar.type, scalar.number));
  else
    edit_set(edit, k, body_read(&edit->body, scalar.node, &nowhere));
}

static void simplify_call(IndexEdit *edit, int k) {
  int args[3];
  edit_args(edit, k, args);
  int value = algebra_simplify(&edit->body.emit, edit_scalar(edit, k)->op, args);
  edit->changed |= value != NO_VALUE;
  if (value == NO_VALUE)
    edit_copy(edit, k);
  else
    edit_set(edit, k, value);
}

// ---- reduced indices of one value -----------------------------------------------------------------------------------

static bool takes_one_value(const IndexDef *def, int k) { return dim_equal(def->extent[k], dim_const(1)); }

// Index k is always 0: takes it out of the expression and moves those behind it up.
static void drop_from_expr(IndexExpr *e, int k) {
  index_add_term(e, k, -index_coef(e, k));
  for (int t = 0; t < e->n_terms; t++) e->term[t].index -= e->term[t].index > k;
}

static void drop_index(IndexEdit *edit, int k) {
  Body *body = &edit->body;
  IndexDef *def = &edit->def;
  for (size_t r = 0; r < body->n_in; r++)
    for (int d = 0; d < body->reads[r].rank; d++) drop_from_expr(&body->reads[r].at[d], k);
  for (size_t s = 0; s < body->n_code; s++) {
    Scalar *scalar = &body->code[s];
    if (scalar->kind != SCALAR_INDEX) continue;
    if (scalar->arg[0] == k)
      *scalar = (Scalar){.kind = SCALAR_CONST, .type = DT_I32};
    else
      scalar->arg[0] -= scalar->arg[0] > k;
  }
  def->n_red--;
  for (; k < def->n_out + def->n_red; k++) {
    def->extent[k] = def->extent[k + 1];
    def->name[k] = def->name[k + 1];
  }
  edit->changed = true;
}

// May the last reduced index go, so that a map remains? A product of one is that one, an i32 sum too (an f32 sum starts
// from 0, which makes 0 of -0). An extreme is where nothing is left out; a position never.
static bool may_become_map(const IndexEdit *edit) {
  const IndexDef *def = &edit->def;
  if (def->combine == COMBINE_PROD || def->combine == COMBINE_SUM) return true;
  if (def->combine != COMBINE_MAX && def->combine != COMBINE_MIN) return false;
  for (size_t r = 0; r < edit->body.n_in; r++)
    if (!read_inside(def, &edit->body.reads[r], &graph_node(edit->body.graph, edit->body.in[r])->shape)) return false;
  return true;
}

static void drop_single_indices(IndexEdit *edit) {
  IndexDef *def = &edit->def;
  if (edit->ordered) return;
  for (int k = def->n_out + def->n_red - 1; k >= def->n_out; k--) {
    if (!takes_one_value(def, k)) continue;
    bool last = def->n_red == 1;
    if (last && !may_become_map(edit)) continue;
    drop_index(edit, k);
    if (last) def->combine = COMBINE_MAP;
  }
}

static void simplify_index(Rewrite *w) {
  IndexEdit edit = edit_begin(w);
  for (int k = 0; k < edit.node->index->n_body; k++) {
    ScalarKind kind = edit_scalar(&edit, k)->kind;
    if (kind == SCALAR_READ)
      simplify_read(&edit, k);
    else if (kind == SCALAR_OP)
      simplify_call(&edit, k);
    else
      edit_copy(&edit, k);
  }
  drop_single_indices(&edit);
  edit_end(&edit);
}

Graph *pass_simplify(PassContext *ctx, const Graph *g) {
  Rewrite w = rewrite_begin(ctx, g);
  for (; rewrite_more(&w); w.at++) {
    const Node *node = rewrite_node(&w);
    if (op_info(node->op)->class == OPC_POINTWISE)
      simplify_elements(&w);
    else if (node->op == OP_reshape)
      simplify_reshape(&w);
    else if (node->op == OP_index)
      simplify_index(&w);
    else
      rewrite_keep(&w);
  }
  return rewrite_end(&w);
}
