// Values of a loop nest find their own place: outside of every loop that does not change them, once, and no load leaves
// the condition that makes it safe.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest.h"

typedef struct Fixture {
  Guard guard;
  Arena *arena;
  Nest *nest;
  int i, j;
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->arena = arena_new(allocator_system(), &f->guard);
  Builder b = {.graph = graph_new(f->arena, "g")};
  const Shape shape = {.rank = 1, .dim = {dim_const(1024)}};
  NestArg *args = arena_array(f->arena, 2, sizeof *args);
  for (int k = 0; k < 2; k++) args[k] = (NestArg){DT_F32, build_input(&b, k ? "b" : "a", DT_F32, &shape)};
  f->nest = nest_new(f->arena, b.graph, args, 2);
  f->i = nest_var(f->nest, "i", size_const(8));
  f->j = nest_var(f->nest, "j", size_const(32));
  *state = f;
  return 0;
}

static int teardown(void **state) {
  arena_free(((Fixture *)*state)->arena);
  free(*state);
  return 0;
}

static const Expr *var(Fixture *f, int v) { return expr_var(&f->nest->pool, v); }

static void open_loop(Fixture *f, int v, int64_t to, int lanes) {
  ExprPool *pool = &f->nest->pool;
  nest_open_loop(f->nest, &(Loop){.var = v,
                                  .from = expr_const(pool, 0),
                                  .to = expr_const(pool, to),
                                  .step = lanes,
                                  .lanes = lanes,
                                  .live = lanes});
}

static const char *text(Fixture *f) {
  Text out = text_new(f->arena);
  nest_print(f->nest, 0, &out);
  return out.bytes;
}

static ValueId apply(Fixture *f, Op op, DType type, ValueId a, ValueId b) {
  return nest_op(f->nest, op, type, (ValueId[]){a, b}, 2);
}

static void test_hoisting(void **state) {
  Fixture *f = *state;
  open_loop(f, f->i, 8, 1);
  open_loop(f, f->j, 32, 16);
  ValueId row = nest_load(f->nest, 0, var(f, f->i), VALUE_NONE);
  ValueId twice = apply(f, OP_add, DT_F32, row, row);
  ValueId one = nest_load(f->nest, 0, var(f, f->j), VALUE_NONE);
  nest_store(f->nest, 1, var(f, f->j), apply(f, OP_mul, DT_F32, twice, one), VALUE_NONE, false);
  nest_close(f->nest);
  nest_close(f->nest);
  assert_false(nest_value(f->nest, twice)->vector);
  assert_true(nest_value(f->nest, one)->vector);
  assert_string_equal(text(f),
                      "for i in 0 .. 8\n"
                      "  v0 = a0[i]\n"
                      "  v1 = add(v0, v0)\n"
                      "  vector j in 0 .. 32 by 16\n"
                      "    a1[j] = mul(v1, a0[j])\n");
}

static void test_one_value(void **state) {
  Fixture *f = *state;
  open_loop(f, f->i, 8, 1);
  ValueId first = nest_load(f->nest, 0, var(f, f->i), VALUE_NONE);
  open_loop(f, f->j, 32, 1);
  assert_int_equal(nest_load(f->nest, 0, var(f, f->i), VALUE_NONE), first);
  ValueId inner = nest_load(f->nest, 0, var(f, f->j), VALUE_NONE);
  nest_close(f->nest);
  int again = nest_var(f->nest, "j", size_const(32));
  open_loop(f, again, 32, 1);
  assert_int_not_equal(nest_load(f->nest, 0, var(f, again), VALUE_NONE), inner);  // another loop's
  assert_int_equal(nest_load(f->nest, 0, var(f, f->i), VALUE_NONE), first);
  nest_close(f->nest);
  nest_close(f->nest);
}

static void test_conditions(void **state) {
  Fixture *f = *state;
  Nest *nest = f->nest;
  open_loop(f, f->i, 8, 1);
  const Expr *left = expr_offset(&nest->pool, var(f, f->i), -1);
  assert_int_equal(nest_inside(nest, var(f, f->i), size_const(8)), VALUE_NONE);  // always
  assert_true(nest_is_false(nest, nest_inside(nest, expr_offset(&nest->pool, left, -7), size_const(8))));
  ValueId inside = nest_inside(nest, left, size_const(8));
  assert_int_not_equal(inside, VALUE_NONE);
  nest_open_if(nest, inside);
  assert_int_equal(nest_inside(nest, left, size_const(8)), VALUE_NONE);  // known here
  ValueId row = nest_load(nest, 0, left, VALUE_NONE),
          fixed = nest_load(nest, 0, expr_const(&nest->pool, 3), VALUE_NONE);
  assert_ptr_equal(nest_value(nest, row)->block, nest->open);     // stays where it is safe
  assert_ptr_equal(nest_value(nest, fixed)->block, nest->entry);  // is safe anywhere
  nest_close(nest);
  assert_int_equal(nest_inside(nest, left, size_const(8)), inside);  // and no longer
  nest_close(nest);
}

static void test_folding(void **state) {
  Fixture *f = *state;
  Nest *nest = f->nest;
  ValueId two = nest_const(nest, DT_I32, 2), three = nest_const(nest, DT_I32, 3);
  assert_int_equal(apply(f, OP_mul, DT_I32, two, three), nest_const(nest, DT_I32, 6));
  ValueId no = nest_const(nest, DT_BOOL, 0), x = nest_load(nest, 0, expr_const(&nest->pool, 0), VALUE_NONE);
  assert_int_equal(nest_or_zero(nest, no, x), nest_const(nest, DT_F32, 0));
  assert_int_equal(nest_and(nest, VALUE_NONE, VALUE_NONE), VALUE_NONE);
}

// What a loop is called is no part of the code.
static Text key_with(Fixture *f, const char *name) {
  Builder b = {.graph = graph_new(f->arena, "g")};
  const Shape shape = {.rank = 1, .dim = {dim_const(1024)}};
  NestArg *args = arena_array(f->arena, 2, sizeof *args);
  for (int k = 0; k < 2; k++) args[k] = (NestArg){DT_F32, build_input(&b, k ? "b" : "a", DT_F32, &shape)};
  f->nest = nest_new(f->arena, b.graph, args, 2);
  int v = nest_var(f->nest, name, size_const(8));
  open_loop(f, v, 8, 1);
  nest_store(f->nest, 1, var(f, v), nest_load(f->nest, 0, var(f, v), VALUE_NONE), VALUE_NONE, false);
  nest_close(f->nest);
  Text key = text_new(f->arena);
  nest_key(f->nest, &key);
  return key;
}

static void test_key(void **state) {
  Fixture *f = *state;
  Text a = key_with(f, "i"), b = key_with(f, "row");
  assert_int_equal(a.length, b.length);
  assert_memory_equal(a.bytes, b.bytes, a.length);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_hoisting, setup, teardown),
      cmocka_unit_test_setup_teardown(test_one_value, setup, teardown),
      cmocka_unit_test_setup_teardown(test_conditions, setup, teardown),
      cmocka_unit_test_setup_teardown(test_folding, setup, teardown),
      cmocka_unit_test_setup_teardown(test_key, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
