// Gradients of index nodes; grad_index.h says what they are.
//
// The node is y[out] = combine over red of f(reads). For each wanted operand its read is solved (grad_solve.h), and one
// node is written over the element u and over what is left free:
//
//   MAP, SUM   dx[u] = sum of dy[out] * f'
//   MAX, MIN   the same where the reduced point is the first extreme one; a companion, ARGMAX of the body, says which
//   PROD       the same times the product of all other factors; a companion, PROD, has a result for every point
//
// Every old index is replaced by its value. Conditions become a select around the term: a dimension whose equation
// holds for some u only; a solved index that leaves its range, unless the term is 0 there anyway because a read (that
// of dy, mostly) is then outside too.
#include "grad_index.h"

#include "grad_body.h"
#include "grad_write.h"

typedef struct IndexGrad {
  Builder *b;
  Node node;  // a copy: building moves nodes
  NodeId dy;
  NodeId companion;  // NODE_NONE until it is needed
  const char *why;   // what the gradient would need, once it is too much
} IndexGrad;

static bool is_extreme(Combine combine) { return combine == COMBINE_MAX || combine == COMBINE_MIN; }

static Read identity_read(int rank) {
  Read read = {.rank = rank};
  for (int d = 0; d < rank; d++) read.at[d] = index_of(d);
  return read;
}

// Builds the node whose term is `value` where the condition holds and 0 elsewhere.
static NodeId build_written(Writer *w, IndexGrad *g, int value, int condition) {
  if (condition != NO_VALUE) value = emit_select(&w->body.emit, condition, value, emit_f32(&w->body.emit, 0));
  if (!w->why && !space_fits(&w->def)) w->why = TOO_LARGE;
  if (w->why) g->why = w->why;
  return g->why ? NODE_NONE : body_build(&w->body, g->b, &w->def, value);
}

// ---- companions -----------------------------------------------------------------------------------------------------

// The position of the first extreme element among the reduced points.
static NodeId build_position(IndexGrad *g) {
  IndexDef def = *g->node.index;
  def.combine = def.combine == COMBINE_MAX ? COMBINE_ARGMAX : COMBINE_ARGMIN;
  int64_t points = 1;
  for (int k = def.n_out; k < def.n_out + def.n_red; k++)
    if (__builtin_mul_overflow(points, def.extent[k].scale, &points) || points > INT32_MAX) {
      g->why = "too many reduced points";
      return NODE_NONE;
    }
  return build_index(g->b, &def, g->node.in, g->node.n_in);
}

// For every point the product of all other points' factors: PROD over r' of (r' == r ? 1 : f(out, r')).
static NodeId build_others(IndexGrad *g) {
  const IndexDef *def = g->node.index;
  int n_out = def->n_out, n_red = def->n_red, meet = NO_VALUE;
  if (n_out + n_red > IR_MAX_RANK || n_out + 2 * n_red > IR_MAX_INDICES) {
    g->why = "too many indices";
    return NODE_NONE;
  }
  ReadSolution same = solution_empty(def);  // r' keeps the variables of the reduced indices; r takes those of elements
  Writer w = writer_new(g->b, def, &same);
  Emitter *e = &w.body.emit;
  int *copy = arena_array(g->b->graph->arena, (size_t)def->n_body, sizeof *copy);
  w.def.combine = COMBINE_PROD;
  for (int k = 0; k < n_out + n_red; k++)
    write_index(&w, k < n_out ? SOLVE_INDEX + k : k - n_out, def->extent[k], def->name[k], false);
  for (int k = n_out; k < n_out + n_red; k++) {
    write_index(&w, SOLVE_INDEX + k, def->extent[k], def->name[k], true);
    int r = body_index(&w.body, k);
    meet = emit_both(e, meet, emit_2(e, OP_eq, r, body_index(&w.body, n_red + k)));
  }
  write_body(&w, &g->node, copy);
  int value = emit_select(e, meet, emit_f32(e, 1), copy[def->n_body - 1]);
  return build_written(&w, g, value, NO_VALUE);
}

static NodeId companion(IndexGrad *g) {
  if (g->companion == NODE_NONE)
    g->companion = g->node.index->combine == COMBINE_PROD ? build_others(g) : build_position(g);
  return g->companion;
}

// ---- the indices of a gradient --------------------------------------------------------------------------------------

static bool is_solved_dim(const ReadSolution *s, int d) { return s->role[d] == DIM_SOLVED || s->role[d] == DIM_WHOLE; }

// A dimension read by an index alone has its name; others are u, v, w.
static const char *dim_name(const IndexDef *def, const Read *read, int d) {
  static const char *const letters[] = {"u", "v", "w"};
  int nth = 0;
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (index_is(&read->at[d], k)) return def->name[k];
  for (int before = 0; before < d; before++) nth += read->at[before].n_terms != 1 || read->at[before].offset != 0;
  return letters[nth % 3];
}

static void write_dims(Writer *w, const Read *read, const Shape *shape, bool guards) {
  for (int d = 0; d < shape->rank; d++)
    if (guards || is_solved_dim(w->s, d)) write_index(w, d, shape->dim[d], dim_name(w->from, read, d), false);
}

static void write_free_index(Writer *w, int k, bool symbolic) {
  Dim extent = w->from->extent[k];
  if (!w->s->solved[SOLVE_INDEX + k] && !dim_is_const(extent) == symbolic)
    write_index(w, SOLVE_INDEX + k, extent, w->from->name[k], true);
}

// The free indices, to be summed over: the batch first, then those that were reduced before, remainders, and those of
// the result. So sums over the batch can be cut into chunks, and a channel index comes last, where it is contiguous.
static void write_free_indices(Writer *w, const Read *read) {
  int n_out = w->from->n_out, n = n_out + w->from->n_red;
  for (int k = n_out; k < n; k++) write_free_index(w, k, true);
  for (int k = 0; k < n_out; k++) write_free_index(w, k, true);
  for (int k = n_out; k < n; k++) write_free_index(w, k, false);
  for (int d = 0; d < read->rank; d++) {
    int v = SOLVE_REMAINDER + d;
    if (w->s->present[v] && !w->s->solved[v]) write_index(w, v, dim_const(read->at[d].divisor), "m", true);
  }
  for (int k = 0; k < n_out; k++) write_free_index(w, k, false);
}

// ---- conditions -----------------------------------------------------------------------------------------------------

// Does the value vanish wherever the index leaves its range, because reads by it are outside then?
static bool vanishes_outside(Writer *w, const Form *form, DivKind kind, Dim extent, int value) {
  IndexExpr e = writer_expr(w, form, kind);
  bool *zero = arena_array(w->b->graph->arena, w->body.n_in, sizeof *zero);
  for (size_t k = 0; k < w->body.n_in; k++) {
    const Shape *shape = &graph_node(w->b->graph, w->body.in[k])->shape;
    for (int d = 0; d < shape->rank; d++)
      zero[k] |= dim_equal(shape->dim[d], extent) && index_equal(&w->body.reads[k].at[d], &e);
  }
  return body_vanishes(&w->body, value, zero);
}

static int both(Writer *w, int a, int b) { return emit_both(&w->body.emit, a, b); }

// Every solved index and remainder is in its range. Inside a block, it is.
static int write_ranges(Writer *w, const Read *read, int value, int condition) {
  for (int v = SOLVE_INDEX; v < SOLVE_COUNT; v++) {
    if (!w->s->solved[v] || w->s->modulus[v]) continue;
    const Form *form = &w->s->value[v];
    DivKind kind = w->s->rounded[v] ? DIV_FLOOR : DIV_EXACT;
    bool index = v < SOLVE_REMAINDER;
    Dim extent = index ? w->from->extent[v - SOLVE_INDEX] : dim_const(read->at[v - SOLVE_REMAINDER].divisor);
    if (writer_always_inside(w, form, kind, extent) || vanishes_outside(w, form, kind, extent, value)) continue;
    condition = both(w, condition, write_inside(w, form, kind, extent));
  }
  return condition;
}

// u = the expression, or D u = what stands before an exact division by D.
static int write_guard(Writer *w, const IndexExpr *e, int d) {
  Form left = form_number(0), u = form_variable(d), right;
  int64_t factor = 1;
  bool fits = form_of_expr(e, &w->s->value[SOLVE_INDEX], &right);
  if (e->kind == DIV_FLOOR) {
    fits = fits && form_divide(&right, e->divisor);
  } else {
    fits = fits && !__builtin_mul_overflow(right.divisor, e->divisor, &factor);
    right.divisor = 1;
  }
  if (!fits || !form_add(&left, factor, &u)) w->why = TOO_LARGE;
  int value = write_form(w, &left);
  return emit_2(&w->body.emit, OP_eq, value, write_form(w, &right));
}

// The dimensions whose equations hold for some u only.
static int write_guards(Writer *w, const Read *read, int condition) {
  for (int d = 0; d < read->rank; d++)
    if (w->s->role[d] == DIM_GUARD) condition = both(w, condition, write_guard(w, &read->at[d], d));
  return condition;
}

// The row-major position of the point among the reduced ones.
static int write_position(Writer *w) {
  Emitter *e = &w->body.emit;
  int first = w->from->n_out, position = write_value(w, first);
  for (int k = first + 1; k < first + w->from->n_red; k++) {
    position = emit_2(e, OP_mul, position, write_extent(w, w->from->extent[k]));
    position = emit_2(e, OP_add, position, write_value(w, k));
  }
  return position;
}

// The point is the first extreme one, and no other read had it left out.
static int write_extreme(Writer *w, IndexGrad *g, int operand, int condition) {
  Read out = identity_read(w->from->n_out);
  NodeId position = companion(g);
  if (g->why) return condition;
  int here = emit_2(&w->body.emit, OP_eq, write_read(w, position, &out), write_position(w));
  condition = both(w, condition, here);
  for (int k = 0; k < g->node.n_in; k++) {
    const Read *read = &w->from->reads[k];
    const Shape shape = graph_node(g->b->graph, g->node.in[k])->shape;
    for (int d = 0; d < read->rank && k != operand; d++)
      if (!read_in_bounds(w->from, read, &shape, d))
        condition = both(w, condition, write_expr_inside(w, &read->at[d], shape.dim[d]));
  }
  return condition;
}

// ---- one operand's gradient -----------------------------------------------------------------------------------------

// dy times the derivative of one point's term, or NO_VALUE.
static int write_derivative(Writer *w, IndexGrad *g, int operand) {
  const IndexDef *def = g->node.index;
  int *copy = arena_array(g->b->graph->arena, (size_t)def->n_body, sizeof *copy);
  Read out = identity_read(def->n_out);
  int seed = write_read(w, g->dy, &out);
  if (def->combine == COMBINE_PROD) {
    NodeId others = companion(g);
    if (g->why) return NO_VALUE;
    Read all = identity_read(def->n_out + def->n_red);
    seed = emit_2(&w->body.emit, OP_mul, seed, write_read(w, others, &all));
  }
  write_body(w, &g->node, copy);
  return grad_body(&w->body, def, copy, operand, seed);
}

// The inner node has the solved dimensions only; this one puts its elements where the guards hold, and 0 elsewhere.
static NodeId build_spread(IndexGrad *g, const ReadSolution *s, const Read *read, const Shape *shape, NodeId inner) {
  Writer w = writer_new(g->b, g->node.index, s);
  Read from = {0};
  w.def.combine = COMBINE_MAP;
  write_dims(&w, read, shape, true);
  for (int d = 0; d < shape->rank; d++)
    if (is_solved_dim(s, d)) from.at[from.rank++] = index_of(d);
  int value = body_read(&w.body, inner, &from);
  return build_written(&w, g, value, write_guards(&w, read, NO_VALUE));
}

static bool has_guards(const ReadSolution *s, int rank) {
  for (int d = 0; d < rank; d++)
    if (s->role[d] == DIM_GUARD) return true;
  return false;
}

static bool has_free(const ReadSolution *s) {
  for (int v = SOLVE_INDEX; v < SOLVE_COUNT; v++)
    if (s->present[v] && !s->solved[v]) return true;
  return false;
}

// The gradient by the target of operand k: see SolveTarget.
static NodeId grad_target(IndexGrad *g, int k, const SolveTarget *target) {
  const IndexDef *def = g->node.index;
  const Read *read = &target->read;
  ReadSolution s;
  if (!solve_read(&g->node, k, target, &s)) {
    g->why = TOO_LARGE;
    return NODE_NONE;
  }
  bool spread = has_guards(&s, read->rank) && has_free(&s);
  Writer w = writer_new(g->b, def, &s);
  w.def.combine = COMBINE_SUM;  // a map where nothing is free
  write_dims(&w, read, &target->shape, !spread);
  write_free_indices(&w, read);
  int value = w.why ? NO_VALUE : write_derivative(&w, g, k);
  if (w.why) g->why = w.why;
  if (value == NO_VALUE) return NODE_NONE;
  int condition = is_extreme(def->combine) ? write_extreme(&w, g, k, NO_VALUE) : NO_VALUE;
  condition = write_ranges(&w, read, value, condition);
  if (!spread) condition = write_guards(&w, read, condition);
  NodeId built = build_written(&w, g, value, condition);
  return spread && built != NODE_NONE ? build_spread(g, &s, read, &target->shape, built) : built;
}

static NodeId grad_operand(IndexGrad *g, int k) {
  const Shape shape = graph_node(g->b->graph, g->node.in[k])->shape;
  SolveTarget target = solve_target(&g->node, k, &shape);
  NodeId built = grad_target(g, k, &target);
  bool whole = built == NODE_NONE || target.shape.rank == shape.rank;
  return whole ? built : build_reshape(g->b, built, &shape);
}

bool grad_index(Builder *b, NodeId id, NodeId dy, const bool *want, NodeId *d, const char **why) {
  IndexGrad g = {.b = b, .node = *graph_node(b->graph, id), .dy = dy, .companion = NODE_NONE};
  for (int k = 0; k < g.node.n_in; k++) d[k] = want[k] && !g.why ? grad_operand(&g, k) : NODE_NONE;
  *why = g.why;
  return !g.why;
}

bool grad_index_passes(Arena *arena, const Node *node, int operand, const char **blocker) {
  Op op;
  Combine combine = node->index->combine;
  bool position = combine == COMBINE_ARGMAX || combine == COMBINE_ARGMIN;
  if (position) *blocker = combine_name(combine);
  if (position || grad_body_passes(arena, node->index, operand, &op)) return !position;
  *blocker = op_info(op)->name;
  return false;
}
