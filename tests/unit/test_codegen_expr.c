// Index arithmetic of loop nests: canonical sums, divisions that ranges decide, proofs of bounds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expr.h"

static const char *const symbols[IR_MAX_SYMBOLS] = {"N", "M", "?", "?"};

typedef struct Fixture {
  Guard guard;
  Arena *arena;
  ExprPool pool;
  const Expr *n, *i, *j;  // 0..N, 0..28, 0..6
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->arena = arena_new(allocator_system(), &f->guard);
  f->pool.arena = f->arena;
  f->n = expr_var(&f->pool, expr_new_var(&f->pool, "n", size_of((Dim){1, 1})));
  f->i = expr_var(&f->pool, expr_new_var(&f->pool, "i", size_const(28)));
  f->j = expr_var(&f->pool, expr_new_var(&f->pool, "j", size_const(6)));
  *state = f;
  return 0;
}

static int teardown(void **state) {
  arena_free(((Fixture *)*state)->arena);
  free(*state);
  return 0;
}

static const Expr *add(Fixture *f, const Expr *a, const Expr *b) { return expr_add(&f->pool, a, b); }
static const Expr *times(Fixture *f, const Expr *a, int64_t n) { return expr_scale(&f->pool, a, size_const(n)); }
static const Expr *quotient(Fixture *f, const Expr *a, int64_t n) { return expr_div(&f->pool, a, size_const(n)); }
static const Expr *rest(Fixture *f, const Expr *a, int64_t n) { return expr_mod(&f->pool, a, size_const(n)); }

static const char *text(Fixture *f, const Expr *e) {
  Text out = text_new(f->arena);
  expr_print(&f->pool, e, symbols, &out);
  return out.bytes;
}

static void test_sums(void **state) {
  Fixture *f = *state;
  const Expr *a = add(f, times(f, f->i, 6), f->j), *b = add(f, f->j, times(f, f->i, 6));
  assert_ptr_equal(a, b);  // equal expressions are one
  assert_string_equal(text(f, a), "6*i + j");
  assert_string_equal(text(f, expr_offset(&f->pool, add(f, a, times(f, f->j, -3)), -2)), "6*i - 2*j - 2");
  assert_string_equal(text(f, add(f, a, times(f, a, -1))), "0");
  assert_string_equal(text(f, expr_scale(&f->pool, f->i, size_of((Dim){3, 1}))), "3*N*i");
}

// What a range decides is not there: (6i + j) / 6 is i, (6i + j) % 6 is j.
static void test_division(void **state) {
  Fixture *f = *state;
  const Expr *a = add(f, times(f, f->i, 6), f->j);
  assert_ptr_equal(quotient(f, a, 6), f->i);
  assert_ptr_equal(rest(f, a, 6), f->j);
  assert_string_equal(text(f, quotient(f, a, 4)), "((6*i + j) / 4)");
  assert_string_equal(text(f, quotient(f, expr_const(&f->pool, -7), 2)), "-4");
  assert_string_equal(text(f, rest(f, expr_const(&f->pool, -7), 2)), "1");
  assert_ptr_equal(quotient(f, quotient(f, f->i, 2), 3), quotient(f, f->i, 6));
  assert_string_equal(text(f, quotient(f, expr_offset(&f->pool, f->i, -1), 2)), "((i - 1) / 2)");
}

// A flat number taken apart and put together again is the flat number: merged loops cost no division.
static void test_joining(void **state) {
  Fixture *f = *state;
  Size all = size_times(size_of((Dim){1, 1}), size_const(168));
  const Expr *p = expr_var(&f->pool, expr_new_var(&f->pool, "p", all));
  const Expr *n = quotient(f, p, 168), *i = rest(f, quotient(f, p, 6), 28), *j = rest(f, p, 6);
  assert_ptr_equal(add(f, add(f, times(f, n, 168), times(f, i, 6)), j), p);
  assert_ptr_equal(add(f, times(f, i, 6), add(f, j, times(f, n, 168))), p);
  assert_ptr_not_equal(add(f, add(f, times(f, n, 200), times(f, i, 6)), j), p);  // another stride
  assert_string_equal(text(f, add(f, times(f, i, 6), j)), "(p % 6) + 6*((p / 6) % 28)");
}

static void test_proofs(void **state) {
  Fixture *f = *state;
  ExprPool *pool = &f->pool;
  const Expr *a = add(f, times(f, f->i, 6), f->j);
  assert_true(expr_never_negative(pool, a));
  assert_true(expr_below(pool, a, size_const(168)));
  assert_false(expr_below(pool, a, size_const(167)));
  assert_false(expr_never_negative(pool, expr_offset(pool, a, -1)));
  assert_true(expr_never_negative(pool, add(f, expr_const(pool, 27), times(f, f->i, -1))));
  // symbols: n < N, 28n + i < 28N, and n / 1 of a flat 28N
  assert_true(expr_below(pool, f->n, size_of((Dim){1, 1})));
  assert_true(expr_below(pool, add(f, times(f, f->n, 28), f->i), size_of((Dim){28, 1})));
  assert_false(expr_below(pool, add(f, times(f, f->n, 28), f->i), size_of((Dim){27, 1})));
  assert_false(expr_below(pool, f->n, size_of((Dim){1, 2})));
  const Expr *p = expr_var(pool, expr_new_var(pool, "p", size_of((Dim){28, 1})));
  assert_true(expr_below(pool, quotient(f, p, 28), size_of((Dim){1, 1})));
  assert_false(expr_below(pool, quotient(f, p, 14), size_of((Dim){1, 1})));
  const Expr *free = expr_var(pool, expr_new_unbounded_var(pool, "item"));
  assert_true(expr_never_negative(pool, free));
  assert_false(expr_below(pool, free, size_of((Dim){1, 1})));
}

static void test_divisibility(void **state) {
  Fixture *f = *state;
  const Expr *even = expr_offset(&f->pool, times(f, f->i, 2), 4), *odd = expr_offset(&f->pool, even, 1);
  assert_true(expr_divides(even, 2));
  assert_false(expr_divides(odd, 2));
  assert_true(expr_never_divides(odd, 2));
  assert_false(expr_never_divides(even, 2));
  assert_false(expr_never_divides(add(f, odd, f->j), 2));  // it depends
}

static void test_values(void **state) {
  Fixture *f = *state;
  const int64_t values[IR_MAX_SYMBOLS] = {5, 1, 1, 1};
  const Expr *e = add(f, expr_size(&f->pool, size_of((Dim){3, 1})), quotient(f, expr_offset(&f->pool, f->i, -9), 2));
  assert_int_equal(expr_value(e, values, 4), 15 - 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
      cmocka_unit_test_setup_teardown(test_division, setup, teardown),
      cmocka_unit_test_setup_teardown(test_joining, setup, teardown),
      cmocka_unit_test_setup_teardown(test_proofs, setup, teardown),
      cmocka_unit_test_setup_teardown(test_divisibility, setup, teardown),
      cmocka_unit_test_setup_teardown(test_values, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
