// The graph: shapes, index algebra against brute force, the canonical form, the builder, the verifier, costs.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir.h"
#include "random.h"

typedef struct Fixture {
  Guard guard;
  Arena *arena;
  Builder b;  // of a graph with the symbol N
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  if (setjmp(f->guard.jump)) return -1;
  f->arena = arena_new(allocator_system(), &f->guard);
  f->b.graph = graph_new(f->arena, "g");
  graph_symbol(f->b.graph, "N");
  *state = f;
  return 0;
}

static int teardown(void **state) {
  arena_free(((Fixture *)*state)->arena);
  free(*state);
  return 0;
}

static Shape shape2(Dim a, Dim b) { return (Shape){2, {a, b}}; }
static Dim times_n(int64_t scale) { return (Dim){scale, 1}; }

static const char *node_text(Fixture *f, NodeId id) {
  Text text = text_new(f->arena);
  node_print(f->b.graph, id, &text);
  return text.bytes;
}

static NodeId input(Fixture *f, const char *name, DType type, Dim a, Dim b) {
  Shape shape = shape2(a, b);
  return build_input(&f->b, name, type, &shape);
}

// ---- shapes -------------------------------------------------------------------------------------------------------

static void shapes_count_and_print(void **state) {
  Fixture *f = *state;
  Shape shape = {3, {times_n(16), dim_const(3), dim_const(5)}};
  Dim elements;
  assert_true(shape_elements(&shape, &elements));
  assert_true(dim_equal(elements, times_n(240)));
  assert_int_equal(shape_count(&shape, (const int64_t[]){7}), 1680);
  Text text = text_new(f->arena);
  shape_print(&shape, f->b.graph->symbols, &text);
  assert_string_equal(text.bytes, "[16*N,3,5]");

  Shape large = {2, {dim_const((int64_t)1 << 40), dim_const((int64_t)1 << 40)}}, square = {2, {times_n(1), times_n(1)}};
  assert_false(shape_elements(&large, &elements));
  assert_false(shape_elements(&square, &elements));
}

static void shapes_broadcast_as_in_numpy(void **state) {
  (void)state;
  Shape a = {3, {times_n(1), dim_const(1), dim_const(5)}}, b = {2, {dim_const(7), dim_const(1)}}, both;
  assert_true(shape_broadcast(&a, &b, &both));
  assert_true(shape_equal(&both, &(Shape){3, {times_n(1), dim_const(7), dim_const(5)}}));
  assert_true(shape_broadcast(&b, &a, &both));
  assert_true(shape_equal(&both, &(Shape){3, {times_n(1), dim_const(7), dim_const(5)}}));
  b.dim[1] = dim_const(4);
  assert_false(shape_broadcast(&a, &b, &both));
  b = (Shape){1, {times_n(1)}};
  assert_false(shape_broadcast(&a, &b, &both));  // 5 and N
}

// ---- index algebra ------------------------------------------------------------------------------------------------

static void terms_are_merged_sorted_and_dropped(void **state) {
  (void)state;
  IndexExpr e = index_const(4);
  index_add_term(&e, 5, 2);
  index_add_term(&e, 1, -1);
  index_add_term(&e, 3, 7);
  index_add_term(&e, 5, 3);
  assert_int_equal(e.n_terms, 3);
  assert_int_equal(e.term[0].index, 1);
  assert_int_equal(e.term[2].index, 5);
  assert_int_equal(index_coef(&e, 5), 5);
  assert_int_equal(index_coef(&e, 2), 0);
  index_add_term(&e, 3, -7);
  assert_int_equal(e.n_terms, 2);
  e = index_of(2);
  assert_true(index_is(&e, 2));
  assert_false(index_is(&e, 1));
  index_add_term(&e, 2, 1);
  assert_false(index_is(&e, 2));
}

// A stream of small numbers.
typedef struct Dice {
  uint64_t seed, at;
} Dice;
static int64_t roll(Dice *d, int64_t low, int64_t high) {
  return low + (int64_t)random_below(d->seed, 1, d->at++, (uint64_t)(high - low + 1));
}

// Three indices of extents 0..4, the third sometimes a multiple of N.
static IndexDef random_space(Dice *dice) {
  IndexDef def = {.n_out = 2, .n_red = 1};
  for (int k = 0; k < 3; k++) def.extent[k] = dim_const(roll(dice, roll(dice, 0, 9) == 0 ? 0 : 1, 4));
  if (roll(dice, 0, 2) == 0) def.extent[2] = times_n(roll(dice, 1, 2));
  return def;
}

static IndexExpr random_expr(Dice *dice) {
  IndexExpr e = index_const(roll(dice, -3, 3));
  for (int k = 0; k < 3; k++) index_add_term(&e, k, roll(dice, 0, 1) * roll(dice, -3, 3));
  e.kind = (DivKind)roll(dice, 0, 2);
  e.divisor = e.kind == DIV_NONE ? 1 : roll(dice, 2, 3);
  return e;
}

typedef struct Extremes {
  int64_t points, low, high;  // over points where the value exists
  bool outside;               // some point has none
} Extremes;

static Extremes extremes_at(const IndexDef *def, const IndexExpr *e, int64_t n) {
  Extremes x = {0, INT64_MAX, INT64_MIN, false};
  int64_t i[3], extent[3];
  for (int k = 0; k < 3; k++) extent[k] = dim_value(def->extent[k], &n);
  for (i[0] = 0; i[0] < extent[0]; i[0]++)
    for (i[1] = 0; i[1] < extent[1]; i[1]++)
      for (i[2] = 0; i[2] < extent[2]; i[2]++) {
        bool out = false;
        int64_t value = index_value(e, i, &out);
        x.points++;
        x.outside |= out;
        if (out) continue;
        if (value < x.low) x.low = value;
        if (value > x.high) x.high = value;
      }
  return x;
}

static void ranges_enclose_every_value(void **state) {
  (void)state;
  Dice dice = {11, 0};
  for (int round = 0; round < 3000; round++) {
    IndexDef def = random_space(&dice);
    IndexExpr e = random_expr(&dice);
    int64_t n = roll(&dice, 1, 3), low, high;
    assert_true(index_range(&e, def.extent, &n, &low, &high));
    Extremes x = extremes_at(&def, &e, n);
    if (x.low > x.high) continue;
    assert_true(low <= x.low && x.high <= high);
    if (e.kind != DIV_EXACT) assert_true(low == x.low && x.high == high);
  }
}

// Exact: a read is in bounds if and only if no point is outside, for every N. Bounds are linear in N: what holds for
// small and for large ones holds between.
static void bounds_are_exact(void **state) {
  (void)state;
  Dice dice = {12, 0};
  int inside = 0, symbolic = 0;
  for (int round = 0; round < 20000; round++) {
    IndexDef def = random_space(&dice);
    Read read = {.rank = 1, .at = {random_expr(&dice)}};
    Shape operand = {1, {roll(&dice, 0, 1) ? times_n(roll(&dice, 1, 3)) : dim_const(roll(&dice, 0, 9))}};
    bool expected = true;
    static const int64_t batches[] = {1, 2, 3, 150};
    for (int b = 0; b < 4; b++) {
      Extremes x = extremes_at(&def, &read.at[0], batches[b]);
      bool fits = x.low > x.high || (x.low >= 0 && x.high < dim_value(operand.dim[0], &batches[b]));
      if (x.points && (x.outside || !fits)) expected = false;
    }
    assert_int_equal(read_in_bounds(&def, &read, &operand, 0), expected);
    inside += expected;
    symbolic += expected && operand.dim[0].symbol;
  }
  assert_true(inside > 500 && symbolic > 100);
}

static void ranges_do_not_overflow(void **state) {
  (void)state;
  IndexExpr e = index_const(0);
  index_add_term(&e, 0, INT64_MAX / 2);
  Dim extent[] = {dim_const(4)};
  int64_t low, high;
  assert_false(index_range(&e, extent, NULL, &low, &high));
  extent[0] = times_n(1);
  e = index_of(0);
  assert_false(index_range(&e, extent, NULL, &low, &high));
  assert_true(index_range(&e, extent, (const int64_t[]){9}, &low, &high));
  assert_int_equal(high, 8);
}

// ---- canonical form -----------------------------------------------------------------------------------------------

static Scalar read_of(int operand) { return (Scalar){.kind = SCALAR_READ, .arg = {operand}}; }
static Scalar call(Op op, int a, int b) { return (Scalar){.kind = SCALAR_OP, .op = op, .arg = {a, b}}; }

static Read read2(int a, int b) { return (Read){.rank = 2, .at = {index_of(a), index_of(b)}}; }

static void operands_are_numbered_by_first_read(void **state) {
  Fixture *f = *state;
  NodeId a = input(f, "a", DT_F32, dim_const(3), dim_const(4)), c = input(f, "c", DT_F32, dim_const(3), dim_const(4));
  Read reads[] = {read2(0, 1), read2(0, 1), read2(0, 1)};
  Scalar body[] = {read_of(2), read_of(0), call(OP_exp, 1, 0), read_of(2),
                   call(OP_mul, 0, 3)};  // 1 and 2 are not needed
  IndexDef def = {COMBINE_SUM, 1, 1, {dim_const(3), dim_const(4)}, {"i", "i"}, reads, 5, body, {0, 0, 0}};
  const NodeId in[] = {a, a, c};
  NodeId id = build_index(&f->b, &def, in, 3);
  assert_string_equal(node_text(f, id), "%2 = index sum [i:3 | i2:4] { mul(%1[i, i2], %1[i, i2]) } : f32[3]");
  assert_int_equal(graph_node(f->b.graph, id)->n_in, 1);
  assert_int_equal(def.n_body, 5);  // the caller's definition is as it was
}

static void copies_become_canonical_under_the_map(void **state) {
  Fixture *f = *state;
  NodeId a = input(f, "a", DT_F32, dim_const(3), dim_const(4)), c = input(f, "c", DT_F32, dim_const(3), dim_const(4));
  Read reads[] = {read2(0, 1), read2(0, 1)};
  Scalar body[] = {read_of(0), read_of(1), call(OP_mul, 0, 1)};
  IndexDef def = {COMBINE_SUM, 1, 1, {dim_const(3), dim_const(4)}, {"i", "k"}, reads, 3, body, {0, 0, 0}};
  const NodeId in[] = {a, c};
  NodeId product = build_index(&f->b, &def, in, 2);
  assert_true(index_is_plain_product(graph_node(f->b.graph, product)->index));
  Builder to = {.graph = graph_like(f->b.graph)};
  NodeId map[3];
  map[0] = map[1] = build_copy(&to, f->b.graph, 0, map);
  const Node *squares = graph_node(to.graph, build_copy(&to, f->b.graph, product, map));
  assert_int_equal(squares->n_in, 1);
  assert_false(index_is_plain_product(squares->index));
}

static void unusable_names_and_divisors_are_replaced(void **state) {
  Fixture *f = *state;
  NodeId a = input(f, "a", DT_F32, dim_const(3), dim_const(4));
  Read read = read2(0, 1);
  read.at[0].divisor = 1;
  read.at[0].kind = DIV_FLOOR;
  Scalar body[] = {read_of(0)};
  IndexDef def = {COMBINE_SUM, 2, 0, {dim_const(3), dim_const(4)}, {"t7", "not a name"}, &read, 1, body, {9, 16, 0}};
  NodeId id = build_index(&f->b, &def, &a, 1);
  assert_string_equal(node_text(f, id), "%1 = index map [t7_:3, j:4] { %0[t7_, j] } : f32[3,4]");
}

static void constants_are_floats(void **state) {
  Fixture *f = *state;
  assert_true(graph_node(f->b.graph, build_const(&f->b, DT_F32, 0.1))->number == (double)0.1f);
  Scalar body[] = {{.kind = SCALAR_CONST, .type = DT_F32, .number = 1.0 / 3}};
  IndexDef def = {.combine = COMBINE_MAP, .n_body = 1, .body = body};
  NodeId id = build_index(&f->b, &def, NULL, 0);
  assert_true(graph_node(f->b.graph, id)->index->body[0].number == (double)(1.0f / 3));
}

// ---- builder ------------------------------------------------------------------------------------------------------

static void movements_read_as_they_say(void **state) {
  Fixture *f = *state;
  NodeId a = input(f, "a", DT_F32, times_n(1), dim_const(4));
  Shape wide = {3, {dim_const(2), times_n(1), dim_const(4)}}, row = {2, {dim_const(1), dim_const(4)}};
  NodeId r = build_input(&f->b, "r", DT_F32, &row);
  Shape same = graph_node(f->b.graph, a)->shape;
  assert_string_equal(node_text(f, build_transpose(&f->b, a, (const int[]){1, 0})),
                      "%2 = index map [i:4, j:N] { %0[j, i] } : f32[4,N]");
  assert_string_equal(node_text(f, build_slice(&f->b, a, 1, 3, 2, -2)),
                      "%3 = index map [i:N, j:2] { %0[i, -2*j + 3] } : f32[N,2]");
  assert_string_equal(node_text(f, build_pad(&f->b, a, (const int64_t[]){0, 1}, (const int64_t[]){0, 2})),
                      "%4 = index map [i:N, j:7] { %0[i, j - 1] } : f32[N,7]");
  assert_string_equal(node_text(f, build_broadcast_to(&f->b, a, &wide)),
                      "%5 = index map [i:2, j:N, k:4] { %0[j, k] } : f32[2,N,4]");
  assert_string_equal(node_text(f, build_broadcast_to(&f->b, r, &same)),
                      "%6 = index map [i:N, j:4] { %1[0, j] } : f32[N,4]");
  assert_string_equal(node_text(f, build_broadcast(&f->b, a, &wide, (const int[]){1, 2})),
                      "%7 = index map [i:2, j:N, k:4] { %0[j, k] } : f32[2,N,4]");
}

static void movements_that_change_nothing_are_the_operand(void **state) {
  Fixture *f = *state;
  NodeId a = input(f, "a", DT_F32, times_n(1), dim_const(4));
  Shape same = graph_node(f->b.graph, a)->shape;
  const bool none[] = {false, false};
  assert_int_equal(build_transpose(&f->b, a, (const int[]){0, 1}), a);
  assert_int_equal(build_slice(&f->b, a, 1, 0, 4, 1), a);
  assert_int_equal(build_pad(&f->b, a, (const int64_t[]){0, 0}, (const int64_t[]){0, 0}), a);
  assert_int_equal(build_broadcast_to(&f->b, a, &same), a);
  assert_int_equal(build_reduce(&f->b, COMBINE_SUM, a, none, false), a);
}

static void reductions_keep_or_drop(void **state) {
  Fixture *f = *state;
  NodeId a = input(f, "a", DT_F32, times_n(1), dim_const(4));
  const bool first[] = {true, false}, both[] = {true, true};
  assert_string_equal(node_text(f, build_reduce(&f->b, COMBINE_MAX, a, first, false)),
                      "%1 = index max [j:4 | i:N] { %0[i, j] } : f32[4]");
  assert_string_equal(node_text(f, build_reduce(&f->b, COMBINE_SUM, a, first, true)),
                      "%2 = index sum [i_:1, j:4 | i:N] { %0[i, j] } : f32[1,4]");
  assert_string_equal(node_text(f, build_reduce(&f->b, COMBINE_ARGMIN, a, both, false)),
                      "%3 = index argmin [| i:N, j:4] { %0[i, j] } : i32[]");
}

static void results_have_the_ops_types_and_shapes(void **state) {
  Fixture *f = *state;
  NodeId a = input(f, "a", DT_F32, times_n(1), dim_const(4)), two = build_const(&f->b, DT_F32, 2);
  NodeId index = input(f, "index", DT_I32, dim_const(3), dim_const(2));
  const NodeId pair[] = {a, a};
  assert_string_equal(node_text(f, build_binary(&f->b, OP_lt, two, a)), "%3 = lt %1, %0 : bool[N,4]");
  assert_string_equal(node_text(f, build_select(&f->b, 3, two, a)), "%4 = select %3, %1, %0 : f32[N,4]");
  assert_string_equal(node_text(f, build_concat(&f->b, 0, pair, 2)), "%5 = concat %0, %0 axis 0 : f32[2*N,4]");
  assert_string_equal(node_text(f, build_gather(&f->b, a, index)), "%6 = gather %0, %2 : f32[3,2,4]");
  assert_string_equal(node_text(f, build_scatter_add(&f->b, index, 6, dim_const(9))),
                      "%7 = scatter_add %2, %6 rows 9 : f32[9,4]");
  assert_string_equal(node_text(f, build_unary(&f->b, OP_to_i32, a)), "%8 = to_i32 %0 : i32[N,4]");
  assert_string_equal(node_text(f, build_reshape(&f->b, a, &(Shape){3, {dim_const(2), times_n(1), dim_const(2)}})),
                      "%9 = reshape %0 : f32[2,N,2]");
}

static void sources_and_outputs_are_found(void **state) {
  Fixture *f = *state;
  NodeId a = input(f, "a", DT_F32, dim_const(2), dim_const(4));
  NodeId w = build_param(&f->b, "a", &(Shape){1, {dim_const(3)}});
  graph_output(f->b.graph, OUT_METRIC, "m", a);
  assert_int_equal(graph_find_source(f->b.graph, OP_param, "a"), w);
  assert_int_equal(graph_find_source(f->b.graph, OP_state, "a"), NODE_NONE);
  assert_int_equal(graph_find_output(f->b.graph, OUT_METRIC, NULL)->value, a);
  assert_null(graph_find_output(f->b.graph, OUT_METRIC, "n"));
  assert_int_equal(graph_symbol(f->b.graph, "M"), 2);
  assert_int_equal(graph_symbol(f->b.graph, "N"), 1);
}

// ---- verifier -----------------------------------------------------------------------------------------------------

// A graph with a bit of everything, ready to be broken.
static Graph *sound_graph(Fixture *f) {
  Builder *b = &f->b;
  NodeId x = input(f, "x", DT_F32, times_n(1), dim_const(4)),
         w = build_param(b, "w", &(Shape){2, {dim_const(4), dim_const(3)}});
  Read reads[] = {read2(0, 2), read2(2, 1)};
  Scalar body[] = {read_of(0), read_of(1), call(OP_mul, 0, 1)};
  IndexDef def = {COMBINE_SUM, 2,    1,        {times_n(1), dim_const(3), dim_const(4)}, {"n", "j", "k"}, reads,
                  3,           body, {0, 0, 0}};
  const NodeId in[] = {x, w};
  NodeId y = build_index(b, &def, in, 2);
  NodeId zero = build_const(b, DT_F32, 0), r = build_binary(b, OP_max, zero, y);
  const bool both[] = {true, true};
  NodeId loss = build_reduce(b, COMBINE_SUM, r, both, false);
  graph_output(b->graph, OUT_RESULT, "y", r);
  graph_output(b->graph, OUT_LOSS, NULL, loss);
  graph_output(b->graph, OUT_GRAD, "w", w);
  return b->graph;
}

enum { X, W, Y, ZERO, RELU, LOSS };

static void break_op(Graph *g) { g->nodes[RELU].op = (Op)9999; }
static void break_type(Graph *g) { g->nodes[RELU].type = DT_I32; }
static void break_no_type(Graph *g) { g->nodes[RELU].type = (DType)77; }
static void break_shape(Graph *g) { g->nodes[RELU].shape.dim[1].scale = 5; }
static void break_rank(Graph *g) { g->nodes[X].shape.rank = 99; }
static void break_negative_rank(Graph *g) { g->nodes[X].shape.rank = -1; }
static void break_dim(Graph *g) { g->nodes[X].shape.dim[1].scale = -4; }
static void break_symbol(Graph *g) { g->nodes[X].shape.dim[0].symbol = 3; }
static void break_size(Graph *g) { g->nodes[X].shape.dim[0] = g->nodes[X].shape.dim[1] = dim_const((int64_t)1 << 40); }
static void break_operand(Graph *g) { g->nodes[RELU].in[1] = 17; }
static void break_order_of_nodes(Graph *g) { g->nodes[RELU].in[1] = RELU; }
static void break_negative_operand(Graph *g) { g->nodes[RELU].in[0] = -1; }
static void break_arity(Graph *g) { g->nodes[RELU].n_in = 1; }
static void break_null_operands(Graph *g) { g->nodes[RELU].in = NULL; }
static void break_operand_type(Graph *g) { g->nodes[ZERO].type = DT_I32; }
static void break_source_name(Graph *g) { g->nodes[X].name = NULL; }
static void break_float(Graph *g) { g->nodes[ZERO].number = 0.1; }
static void break_no_index(Graph *g) { g->nodes[Y].index = NULL; }
static void break_combine(Graph *g) { g->nodes[Y].index->combine = (Combine)50; }
static void break_n_out(Graph *g) { g->nodes[Y].index->n_out = 9; }
static void break_n_red(Graph *g) { g->nodes[Y].index->n_red = INT32_MAX; }
static void break_map(Graph *g) { g->nodes[Y].index->combine = COMBINE_MAP; }
static void break_extent(Graph *g) { g->nodes[Y].index->extent[2].scale = -1; }
static void break_space(Graph *g) { g->nodes[Y].index->extent[2].scale = INT64_MAX; }
static void break_index_name(Graph *g) { g->nodes[Y].index->name[1] = NULL; }
static void break_index_names(Graph *g) { g->nodes[Y].index->name[1] = "n"; }
static void break_reserved_name(Graph *g) { g->nodes[Y].index->name[1] = "t0"; }
static void break_read_rank(Graph *g) { g->nodes[Y].index->reads[0].rank = 1; }
static void break_terms(Graph *g) { g->nodes[Y].index->reads[0].at[0].n_terms = 7; }
static void break_term_index(Graph *g) { g->nodes[Y].index->reads[0].at[0].term[0].index = 3; }
static void break_coefficient(Graph *g) { g->nodes[Y].index->reads[0].at[0].term[0].coef = 0; }
static void break_reach(Graph *g) { g->nodes[Y].index->reads[0].at[0].term[0].coef = INT64_MIN; }
static void break_offset(Graph *g) { g->nodes[Y].index->reads[0].at[0].offset = INT64_MAX; }
static void break_zero_divisor(Graph *g) { g->nodes[Y].index->reads[0].at[0].divisor = 0; }
static void break_divisor(Graph *g) { g->nodes[Y].index->reads[0].at[0].divisor = 2; }
static void break_division(Graph *g) { g->nodes[Y].index->reads[0].at[0].kind = (DivKind)8; }
static void break_order(Graph *g) { g->nodes[Y].index->order.lanes = 3; }
static void break_chunk(Graph *g) { g->nodes[Y].index->order.chunk = -1; }
static void break_body(Graph *g) { g->nodes[Y].index->n_body = 0; }
static void break_null_body(Graph *g) { g->nodes[Y].index->body = NULL; }
static void break_scalar(Graph *g) { g->nodes[Y].index->body[0].kind = (ScalarKind)9; }
static void break_read_operand(Graph *g) { g->nodes[Y].index->body[1].arg[0] = 2; }
static void break_numbering(Graph *g) { g->nodes[Y].index->body[0].arg[0] = 1; }
static void break_unread(Graph *g) { g->nodes[Y].index->body[1].arg[0] = 0; }
static void break_argument(Graph *g) { g->nodes[Y].index->body[2].arg[1] = 2; }
static void break_dead(Graph *g) { g->nodes[Y].index->body[2].arg[1] = 0; }
static void break_scalar_op(Graph *g) { g->nodes[Y].index->body[2].op = OP_reshape; }
static void break_scalar_type(Graph *g) { g->nodes[Y].index->body[2].type = DT_I32; }
static void break_result(Graph *g) { g->nodes[Y].index->body[2].op = OP_lt; }
static void break_same_reads(Graph *g) {
  g->nodes[Y].in[1] = X, g->nodes[Y].index->reads[1] = g->nodes[Y].index->reads[0];
}
static void break_output(Graph *g) { g->outputs[0].value = 6; }
static void break_output_kind(Graph *g) { g->outputs[0].kind = (OutputKind)7; }
static void break_output_name(Graph *g) { g->outputs[0].name = NULL; }
static void break_loss(Graph *g) { g->outputs[1].value = RELU; }
static void break_gradient(Graph *g) { g->outputs[2].value = RELU; }
static void break_two_outputs(Graph *g) { g->outputs[0].kind = OUT_LOSS, g->outputs[0].value = LOSS; }
static void break_two_sources(Graph *g) { g->nodes[W].op = OP_input, g->nodes[W].name = "x"; }
static void break_graph_name(Graph *g) { g->name = NULL; }
static void break_symbols(Graph *g) { g->n_symbols = 5; }
static void break_symbol_name(Graph *g) { g->symbols[0] = "not one"; }

static void the_verifier_finds_every_breach(void **state) {
  static const struct {
    void (*apply)(Graph *g);
    const char *why;
  } breaches[] = {{break_op, "%4: no such op"},
                  {break_type, "%4: the result is f32[N,3], not i32[N,3]"},
                  {break_no_type, "%4: no such type"},
                  {break_shape, "%4: the result is f32[N,3], not f32[N,5]"},
                  {break_rank, "%0: rank 99 is not in 0..8"},
                  {break_negative_rank, "%0: rank -1"},
                  {break_dim, "%0: dimension 1 is negative"},
                  {break_symbol, "%0: dimension 0 is negative or of an unknown symbol"},
                  {break_size, "%0: the number of elements does not fit"},
                  {break_operand, "%4: operand 1 is %17, which is not before it"},
                  {break_order_of_nodes, "%4: operand 1 is %4"},
                  {break_negative_operand, "%4: operand 0 is %-1"},
                  {break_arity, "%4: max takes 2 operands, not 1"},
                  {break_null_operands, "%4: no operands"},
                  {break_operand_type, "%4: max takes operands that are all f32 or all i32, not i32, f32"},
                  {break_source_name, "%0: input without a name"},
                  {break_float, "%3: constant 0.1"},
                  {break_no_index, "%2: no definition"},
                  {break_combine, "%2: no such combine"},
                  {break_n_out, "%2: 9 result and 1 reduced indices"},
                  {break_n_red, "%2: 2 result and 2147483647 reduced"},
                  {break_map, "%2: a map has no reduced indices"},
                  {break_extent, "%2: the extent of index 2"},
                  {break_space, "%2: the index space does not fit"},
                  {break_index_name, "%2: index 1 has no usable name"},
                  {break_index_names, "%2: two indices are named n"},
                  {break_reserved_name, "%2: index 1 has no usable name"},
                  {break_read_rank, "%2: operand 0 has rank 2 and is read with 1 indices"},
                  {break_terms, "%2: a read has 7 terms"},
                  {break_term_index, "%2: a read uses index 3"},
                  {break_coefficient, "%2: a read has a term with coefficient 0"},
                  {break_reach, "%2: a read reaches too far"},
                  {break_offset, "%2: a read reaches too far"},
                  {break_zero_divisor, "%2: a read has divisor 0"},
                  {break_divisor, "%2: a read has divisor 2"},
                  {break_division, "%2: a read has divisor 1"},
                  {break_order, "%2: order(chunk 0, lanes 3)"},
                  {break_chunk, "%2: order(chunk -1, lanes 1)"},
                  {break_body, "%2: the body is empty"},
                  {break_null_body, "%2: the body is empty"},
                  {break_scalar, "%2: instruction 0 is of no kind"},
                  {break_read_operand, "%2: instruction 1 reads operand 2 of 2"},
                  {break_numbering, "%2: operands are not numbered"},
                  {break_unread, "%2: operand 1 is never read"},
                  {break_argument, "%2: instruction 2 uses one that is not before it"},
                  {break_dead, "%2: instruction 1 is never used"},
                  {break_scalar_op, "%2: instruction 2 is no pointwise op"},
                  {break_scalar_type, "%2: instruction 2 has the wrong type"},
                  {break_result, "%2: instruction 2 has the wrong type"},
                  {break_same_reads, "%2: operands 0 and 1 are the same read"},
                  {break_output, "output 0 is %6, which is not there"},
                  {break_output_kind, "output 0 is of no kind"},
                  {break_output_name, "a result without a name"},
                  {break_loss, "the loss is not f32[]"},
                  {break_gradient, "grad 'w' has another shape than its param"},
                  {break_two_outputs, "two loss outputs"},
                  {break_two_sources, "two input nodes are named 'x'"},
                  {break_graph_name, "the graph has no name"},
                  {break_symbols, "5 symbols"},
                  {break_symbol_name, "symbol 1 has no usable name"}};
  (void)state;
  for (size_t k = 0; k < sizeof breaches / sizeof *breaches; k++) {
    void *fixture;
    assert_int_equal(setup(&fixture), 0);
    Fixture *f = fixture;
    Graph *g = sound_graph(f);
    Text why = text_new(f->arena);
    assert_true(graph_verify(g, &why));
    breaches[k].apply(g);
    assert_false(graph_verify(g, &why));
    if (strncmp(why.bytes, breaches[k].why, strlen(breaches[k].why)))
      fail_msg("'%s', not '%s'", why.bytes, breaches[k].why);
    teardown(&fixture);
  }
}

// ---- equality and cost --------------------------------------------------------------------------------------------

static void equality_sees_every_field_but_spans(void **state) {
  (void)state;
  void *one, *two;
  assert_int_equal(setup(&one) + setup(&two), 0);
  Graph *a = sound_graph(one), *b = sound_graph(two);
  assert_true(graph_equal(a, b));
  b->nodes[Y].span = (Span){1, 2, 3};
  assert_true(graph_equal(a, b));
  b->nodes[Y].tag = "conv2d";
  assert_false(graph_equal(a, b));
  a->nodes[Y].tag = "conv2d";
  b->nodes[ZERO].number = -0.0;
  assert_false(graph_equal(a, b));
  a->nodes[ZERO].number = b->nodes[ZERO].number = NAN;
  assert_true(graph_equal(a, b));
  b->nodes[Y].index->order.chunk = 8;
  assert_false(graph_equal(a, b));
  teardown(&one);
  teardown(&two);
}

static void add_node(Graph *g) { build_const(&(Builder){.graph = g}, DT_F32, 1); }
static void add_output(Graph *g) { graph_output(g, OUT_METRIC, "m", LOSS); }
static void change_path(Graph *g) { g->nodes[Y].path = "m.y"; }
static void change_lanes(Graph *g) { g->nodes[Y].index->order.lanes = 16; }
static void change_winograd(Graph *g) { g->nodes[Y].index->order.winograd = 4; }
static void change_out(Graph *g) { g->nodes[Y].index->n_out = 1; }
static void change_red(Graph *g) { g->nodes[Y].index->n_red = 2; }
static void change_index(Graph *g) { g->nodes[Y].index->body[0] = (Scalar){.kind = SCALAR_INDEX, .type = DT_F32}; }
static void change_read_type(Graph *g) { g->nodes[Y].index->body[0].type = DT_I32; }
static void change_symbol(Graph *g) { g->symbols[0] = "M"; }

// Whatever differs, in one graph or the other.
static void equality_sees_every_change(void **state) {
  (void)state;
  static void (*const changes[])(Graph *) = {
      break_op,        break_type,        break_shape,       break_operand,     break_arity,        break_source_name,
      break_float,     break_combine,     break_extent,      break_index_name,  break_index_names,  break_read_rank,
      break_terms,     break_term_index,  break_coefficient, break_offset,      break_divisor,      break_division,
      break_order,     break_chunk,       break_body,        break_scalar,      break_read_operand, break_argument,
      break_scalar_op, break_scalar_type, break_output,      break_output_kind, break_output_name,  break_graph_name,
      break_symbols,   break_dim,         break_symbol,      add_node,          add_output,         change_path,
      change_lanes,    change_winograd,   change_out,        change_red,        change_index,       change_read_type,
      change_symbol};
  for (size_t k = 0; k < sizeof changes / sizeof *changes; k++) {
    void *one, *two;
    assert_int_equal(setup(&one) + setup(&two), 0);
    Graph *a = sound_graph(one), *b = sound_graph(two);
    assert_true(graph_equal(a, b));
    changes[k](b);
    if (graph_equal(a, b) || graph_equal(b, a)) fail_msg("change %zu is not seen", k);
    teardown(&one);
    teardown(&two);
  }
  assert_string_equal(output_kind_name((OutputKind)77), "?");
}

static void costs_count_multiply_adds_twice(void **state) {
  Fixture *f = *state;
  Graph *g = sound_graph(f);
  const int64_t n[] = {10};
  assert_int_equal(node_flops(g, Y, n), 2 * 10 * 3 * 4);
  assert_int_equal(node_flops(g, RELU, n), 30);
  assert_int_equal(node_flops(g, LOSS, n), 30);
  assert_int_equal(node_flops(g, X, n), 0);
  assert_int_equal(node_flops(g, build_transpose(&f->b, RELU, (const int[]){1, 0}), n), 0);
  assert_int_equal(node_flops(g, build_unary(&f->b, OP_to_i32, RELU), n), 0);

  Read read = read2(0, 1);
  read.at[0].kind = DIV_EXACT;
  read.at[0].divisor = 2;
  Scalar body[] = {read_of(0)};
  IndexDef def = {COMBINE_SUM, 1, 1, {dim_const(12), dim_const(3)}, {"i", "k"}, &read, 1, body, {0, 0, 0}};
  const NodeId in = RELU;
  assert_int_equal(node_flops(g, build_index(&f->b, &def, &in, 1), n), 12 * 3 / 2);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(shapes_count_and_print),
      TEST(shapes_broadcast_as_in_numpy),
      TEST(terms_are_merged_sorted_and_dropped),
      TEST(ranges_enclose_every_value),
      TEST(bounds_are_exact),
      TEST(ranges_do_not_overflow),
      TEST(operands_are_numbered_by_first_read),
      TEST(copies_become_canonical_under_the_map),
      TEST(unusable_names_and_divisors_are_replaced),
      TEST(constants_are_floats),
      TEST(movements_read_as_they_say),
      TEST(movements_that_change_nothing_are_the_operand),
      TEST(reductions_keep_or_drop),
      TEST(results_have_the_ops_types_and_shapes),
      TEST(sources_and_outputs_are_found),
      TEST(the_verifier_finds_every_breach),
      TEST(equality_sees_every_field_but_spans),
      TEST(equality_sees_every_change),
      TEST(costs_count_multiply_adds_twice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
