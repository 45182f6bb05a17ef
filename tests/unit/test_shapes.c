// Shapes and index expressions at the edge of 64 bits, and operands that do not suit an op.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../ir/inside.h"

static Guard guard;
static Arena *arena;
static Graph *graph;  // of the symbols N and M

static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  graph = graph_new(arena, "g");
  graph_symbol(graph, "N");
  graph_symbol(graph, "M");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_free(arena);
  return 0;
}

enum { N = 1, M = 2 };
static Dim dim(int64_t scale, int symbol) { return (Dim){scale, symbol}; }
static Shape shape2(Dim a, Dim b) { return (Shape){2, {a, b}}; }
static const Dim most = {INT64_MAX, 0}, wide = {(int64_t)1 << 40, 0};

// ---- shapes ---------------------------------------------------------------------------------------------------------

static void dimensions_are_valid_or_not(void **state) {
  (void)state;
  assert_true(dim_valid(graph, dim(0, 0)) && dim_valid(graph, dim(1, N)) && dim_valid(graph, dim(7, M)));
  assert_false(dim_valid(graph, dim(-1, 0)) || dim_valid(graph, dim(0, N)) || dim_valid(graph, dim(1, 3)));
  assert_false(dim_valid(graph, dim(1, -1)));
}

static void elements_are_counted_within_63_bits(void **state) {
  (void)state;
  Dim elements;
  Shape none = shape2(dim(0, 0), dim(4, N)), two = shape2(dim(1, N), dim(1, M)), large = shape2(wide, wide);
  assert_true(shape_elements(&none, &elements) && dim_equal(elements, dim(0, 0)));
  assert_false(shape_elements(&two, &elements) || shape_elements(&large, &elements));
}

static void equal_sizes_are_seen_whatever_the_symbols(void **state) {
  (void)state;
  Shape nm = shape2(dim(2, N), dim(3, M)), mn = shape2(dim(6, M), dim(1, N)), nn = shape2(dim(2, N), dim(3, N));
  Shape large = shape2(wide, wide), none = shape2(dim(0, 0), dim(1, N)), flat = {1, {dim(0, 0)}},
        six = {1, {dim(6, 0)}};
  assert_true(shape_same_elements(&nm, &mn) && shape_same_elements(&none, &flat));
  assert_false(shape_same_elements(&nm, &nn) || shape_same_elements(&nm, &six) || shape_same_elements(&nm, &none));
  assert_false(shape_same_elements(&large, &nm) || shape_same_elements(&nm, &large));
}

static const char *printed(Dim d, const char *const *symbols, int n_symbols) {
  Text text = text_new(arena);
  dim_print(d, symbols, n_symbols, &text);
  return text.bytes;
}

static void malformed_shapes_are_printed(void **state) {
  (void)state;
  static const char *const symbols[] = {"N", NULL};
  assert_string_equal(printed(dim(2, 1), symbols, 2), "2*N");
  assert_string_equal(printed(dim(1, 2), symbols, 2), "?");
  assert_string_equal(printed(dim(1, 3), symbols, 2), "?");
  assert_string_equal(printed(dim(1, -1), symbols, 2), "?");
  assert_string_equal(printed(dim(1, 1), NULL, 2), "?");
  assert_string_equal(dtype_name((DType)77), "?");
  Shape shape = {99, {dim(1, 0)}};
  Text text = text_new(arena);
  shape_print(&shape, symbols, &text);
  assert_string_equal(text.bytes, "[1,0,0,0,0,0,0,0]");
}

// ---- results of ops -------------------------------------------------------------------------------------------------

static NodeId input(DType type, Shape shape) {
  Builder b = {.graph = graph};
  return build_input(&b, arena_printf(arena, "x%zu", graph->n_nodes), type, &shape);
}

// The shape of op(a, b), or what is said of it.
static const char *infer(Node node, NodeId a, NodeId b) {
  NodeId in[] = {a, b};
  node.in = in;
  if (!node.n_in) node.n_in = 2;
  DType type;
  Shape shape;
  Text text = text_new(arena);
  if (node_infer(graph, &node, &type, &shape, &text)) type_print(graph, type, &shape, &text);
  return text.bytes;
}

static void concatenation_adds_what_can_be_added(void **state) {
  (void)state;
  Node at0 = {.op = OP_concat, .axis = 0}, at2 = {.op = OP_concat, .axis = 2}, below = {.op = OP_concat, .axis = -1};
  NodeId three = input(DT_F32, shape2(dim(3, 0), dim(4, 0))), five = input(DT_F32, shape2(dim(5, 0), dim(4, 0)));
  NodeId n = input(DT_F32, shape2(dim(1, N), dim(4, 0))), n2 = input(DT_F32, shape2(dim(2, N), dim(4, 0)));
  NodeId m = input(DT_F32, shape2(dim(1, M), dim(4, 0))), none = input(DT_F32, shape2(dim(0, 0), dim(4, 0)));
  NodeId other = input(DT_F32, shape2(dim(3, 0), dim(5, 0))), whole = input(DT_I32, shape2(dim(3, 0), dim(4, 0)));
  NodeId flat = input(DT_F32, (Shape){1, {dim(3, 0)}}), huge = input(DT_F32, shape2(most, dim(0, 0)));
  NodeId thin = input(DT_F32, shape2(dim(3, 0), dim(0, 0)));
  assert_string_equal(infer(at0, three, five), "f32[8,4]");
  assert_string_equal(infer(at0, n, n2), "f32[3*N,4]");
  assert_string_equal(infer(at0, none, n), "f32[N,4]");
  assert_string_equal(infer(at0, n, none), "f32[N,4]");
  assert_string_equal(infer(at0, none, none), "f32[0,4]");
  assert_string_equal(infer(at0, n, m), "concat: operand 1 does not fit the ones before it");
  assert_string_equal(infer(at0, n, three), "concat: operand 1 does not fit the ones before it");
  assert_string_equal(infer(at0, three, whole), "concat: operand 1 does not fit the ones before it");
  assert_string_equal(infer(at0, three, flat), "concat: operand 1 does not fit the ones before it");
  assert_string_equal(infer(at0, huge, thin), "concat: operand 1 does not fit the ones before it");
  assert_string_equal(infer(at0, three, other), "concat: operand 1 differs in another axis than 0");
  assert_string_equal(infer(at2, three, five), "concat: no axis 2 in rank 2");
  assert_string_equal(infer(below, three, five), "concat: no axis -1 in rank 2");
}

static void gathers_and_scatters_keep_to_rank_8(void **state) {
  (void)state;
  Node gather = {.op = OP_gather}, scatter = {.op = OP_scatter_add, .rows = dim(9, 0)};
  Node negative = {.op = OP_scatter_add, .rows = dim(-9, 0)};
  Shape deep = {8, {{0}}}, five = {5, {{0}}}, scalar = {0};
  for (int d = 0; d < 8; d++) deep.dim[d] = dim(1, 0);
  for (int d = 0; d < 5; d++) five.dim[d] = dim(1, 0);
  NodeId deep_rows = input(DT_F32, deep), rows = input(DT_F32, five), index = input(DT_I32, five);
  NodeId single = input(DT_F32, scalar), one = input(DT_I32, scalar), truth = input(DT_BOOL, five);
  NodeId bytes = input(DT_U8, five), whole = input(DT_I32, five), floats = input(DT_F32, (Shape){1, {dim(7, 0)}});
  assert_string_equal(infer(gather, rows, one), "f32[1,1,1,1]");
  const char *gathered = "gather takes rows of rank 1 or more and an i32 index, together of rank 8 at most";
  assert_string_equal(infer(gather, rows, index), gathered);
  assert_string_equal(infer(gather, single, one), gathered);
  assert_string_equal(infer(gather, rows, rows), gathered);
  const char *scattered =
      "scatter_add takes an i32 index, f32 or i32 rows whose shape starts with the index's, and rows >= 0";
  assert_string_equal(infer(scatter, index, rows), "f32[9]");
  assert_string_equal(infer(scatter, index, whole), "i32[9]");
  assert_string_equal(infer(scatter, one, rows), "f32[9,1,1,1,1,1]");
  assert_string_equal(infer(scatter, one, deep_rows), scattered);
  assert_string_equal(infer(scatter, rows, rows), scattered);
  assert_string_equal(infer(scatter, index, truth), scattered);
  assert_string_equal(infer(scatter, index, bytes), scattered);
  assert_string_equal(infer(scatter, index, floats), scattered);
  assert_string_equal(infer(negative, index, rows), scattered);
}

static void index_nodes_have_a_rank_and_a_body(void **state) {
  (void)state;
  Scalar body = {.kind = SCALAR_CONST, .type = DT_F32};
  IndexDef good = {.combine = COMBINE_MAP, .n_out = 1, .extent = {dim(4, 0)}, .n_body = 1, .body = &body};
  IndexDef below = good, above = good, empty = good, position = good;
  below.n_out = -1;
  above.n_out = 9;
  empty.n_body = 0;
  position.combine = COMBINE_ARGMIN;
  assert_string_equal(infer((Node){.op = OP_index, .index = &good}, 0, 0), "f32[4]");
  assert_string_equal(infer((Node){.op = OP_index, .index = &position}, 0, 0), "i32[4]");
  position.combine = COMBINE_ARGMAX;
  assert_string_equal(infer((Node){.op = OP_index, .index = &position}, 0, 0), "i32[4]");
  assert_string_equal(infer((Node){.op = OP_index, .index = &below}, 0, 0), "index: bad result rank or empty body");
  assert_string_equal(infer((Node){.op = OP_index, .index = &above}, 0, 0), "index: bad result rank or empty body");
  assert_string_equal(infer((Node){.op = OP_index, .index = &empty}, 0, 0), "index: bad result rank or empty body");
}

static void pointwise_operands_agree(void **state) {
  (void)state;
  NodeId a = input(DT_F32, shape2(dim(2, 0), dim(3, 0))), b = input(DT_F32, shape2(dim(3, 0), dim(2, 0)));
  NodeId whole = input(DT_I32, shape2(dim(2, 0), dim(3, 0)));
  assert_string_equal(infer((Node){.op = OP_add}, a, a), "f32[2,3]");
  assert_string_equal(infer((Node){.op = OP_add}, a, b), "add: operands of shapes [2,3] and [3,2]");
  assert_non_null(strstr(infer((Node){.op = OP_add}, a, whole), "not f32, i32"));
  Node reshape = {.op = OP_reshape, .n_in = 1, .shape = {1, {dim(7, 0)}}};
  assert_string_equal(infer(reshape, a, a), "reshape: [2,3] and [7] have different numbers of elements");
}

// ---- index expressions ----------------------------------------------------------------------------------------------

static IndexExpr expr(int64_t offset, int64_t coef, int64_t divisor, DivKind kind) {
  IndexExpr e = {.offset = offset, .divisor = divisor, .kind = kind};
  if (coef) index_add_term(&e, 0, coef);
  return e;
}

static void expressions_differ_in_any_part(void **state) {
  (void)state;
  IndexExpr e = expr(1, 2, 2, DIV_FLOOR);
  IndexExpr others[] = {expr(0, 2, 2, DIV_FLOOR), expr(1, 0, 2, DIV_FLOOR),
                        expr(1, 2, 3, DIV_FLOOR), expr(1, 2, 2, DIV_EXACT),
                        expr(1, 3, 2, DIV_FLOOR), {.offset = 1, .divisor = 2, .kind = DIV_FLOOR}};
  index_add_term(&others[5], 1, 2);
  assert_true(index_equal(&e, &e));
  for (int k = 0; k < 6; k++) assert_false(index_equal(&e, &others[k]));
  Read one = {.rank = 1, .at = {e}}, two = {.rank = 2, .at = {e, e}}, other = {.rank = 1, .at = {others[0]}};
  assert_true(read_equal(&one, &one));
  assert_false(read_equal(&one, &two) || read_equal(&one, &other));
}

static void ranges_that_overflow_are_none(void **state) {
  (void)state;
  static const int64_t values[] = {INT64_MAX, 1, 1, 1};
  int64_t low, high;
  Dim n[] = {dim(2, N)}, three[] = {dim(3, 0)};
  IndexExpr plain = expr(0, 1, 1, DIV_NONE), steep = expr(0, INT64_MAX, 1, DIV_NONE);
  IndexExpr far = expr(INT64_MAX, 1, 1, DIV_NONE), deep = expr(INT64_MIN, -1, 1, DIV_NONE);
  assert_false(index_range(&plain, n, NULL, &low, &high) || index_range(&plain, n, values, &low, &high));
  assert_false(index_range(&steep, three, NULL, &low, &high) || index_range(&far, three, NULL, &low, &high));
  assert_false(index_range(&deep, three, NULL, &low, &high));
  assert_true(index_range(&plain, three, NULL, &low, &high) && low == 0 && high == 2);
}

// x[e] over i in 0..extent, of `size` elements.
static bool inside(IndexExpr e, Dim extent, Dim size) {
  IndexDef def = {.combine = COMBINE_MAP, .n_out = 1, .extent = {extent}};
  Read read = {.rank = 1, .at = {e}};
  Shape operand = {1, {size}};
  return read_in_bounds(&def, &read, &operand, 0);
}

static void bounds_that_overflow_are_outside(void **state) {
  (void)state;
  assert_true(inside(expr(0, 1, 1, DIV_NONE), dim(4, 0), dim(4, 0)));
  assert_true(inside(expr(0, 1, 1, DIV_NONE), dim(4, N), dim(4, N)));
  assert_false(inside(expr(0, 1, 2, DIV_FLOOR), dim(4, 0), most));                   // 2 * dim
  assert_false(inside(expr(INT64_MIN, 1, 1, DIV_NONE), dim(4, 0), dim(4, 0)));       // minus the offset
  assert_false(inside(expr(0, INT64_MAX, 1, DIV_NONE), dim(4, 0), dim(4, 0)));       // coef * extent
  assert_false(inside(expr(INT64_MIN + 2, -1, 1, DIV_NONE), dim(4, 0), dim(4, 0)));  // and what it is added to
  assert_false(inside(expr(INT64_MIN + 5, -1, 1, DIV_NONE), dim(4, 0), dim(4, 0)));
  assert_false(inside(expr(INT64_MAX, -1, 1, DIV_NONE), dim(1, N), dim(4, 0)));
  assert_false(inside(expr(-2, 1, 1, DIV_NONE), dim(4, 0), most));
  assert_false(inside(expr(0, 1, 1, DIV_NONE), dim(4, N), dim(3, N)));
  assert_false(inside(expr(0, -1, 1, DIV_NONE), dim(4, N), dim(4, N)));
  assert_false(inside(expr(-5, 1, 1, DIV_NONE), dim(4, 0), dim(INT64_MAX, N)));  // the room for N = 1
  assert_true(inside(expr(0, 1, 1, DIV_NONE), dim(INT64_MAX, 0), dim(INT64_MAX, N)));
}

static void plain_products_have_one_form(void **state) {
  (void)state;
  Scalar good[] = {{.kind = SCALAR_READ, .type = DT_F32},
                   {.kind = SCALAR_READ, .type = DT_F32, .arg = {1}},
                   {.kind = SCALAR_OP, .op = OP_mul, .type = DT_F32, .arg = {0, 1}}};
  IndexDef def = {.combine = COMBINE_SUM, .n_body = 3};
  for (int k = 0; k <= 8; k++) {
    Scalar body[3];
    memcpy(body, good, sizeof good);
    if (k == 1) body[0].kind = SCALAR_INDEX;
    if (k == 2) body[1].kind = SCALAR_INDEX;
    if (k == 3) body[0].arg[0] = 1;
    if (k == 4) body[1].arg[0] = 0;
    if (k == 5) body[2].kind = SCALAR_CONST;
    if (k == 6) body[2].op = OP_add;
    if (k == 7) body[2].type = DT_I32;
    if (k == 8) body[2].arg[0] = 1;
    def.body = body;
    assert_int_equal(index_is_plain_product(&def), k == 0);
    body[2].arg[1] = 0;
    assert_false(index_is_plain_product(&def));
  }
  def.n_body = 2;
  assert_false(index_is_plain_product(&def));
  def.combine = COMBINE_MAX;
  assert_false(index_is_plain_product(&def));
  Read read = {.rank = 1, .at = {index_of(0)}};
  assert_false(read_is_identity(&(IndexDef){.n_out = 2}, &read));
  assert_true(read_is_identity(&(IndexDef){.n_out = 1}, &read));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dimensions_are_valid_or_not),
      cmocka_unit_test(elements_are_counted_within_63_bits),
      cmocka_unit_test(equal_sizes_are_seen_whatever_the_symbols),
      cmocka_unit_test(malformed_shapes_are_printed),
      cmocka_unit_test(concatenation_adds_what_can_be_added),
      cmocka_unit_test(gathers_and_scatters_keep_to_rank_8),
      cmocka_unit_test(index_nodes_have_a_rank_and_a_body),
      cmocka_unit_test(pointwise_operands_agree),
      cmocka_unit_test(expressions_differ_in_any_part),
      cmocka_unit_test(ranges_that_overflow_are_none),
      cmocka_unit_test(bounds_that_overflow_are_outside),
      cmocka_unit_test(plain_products_have_one_form),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
