// See algebra.h. What is missing is missing for its bits: x + 0 turns -0 into 0, x * 0 is NaN for infinities and -0 for
// negative x, x - x is NaN for infinities, and max(a, b) of two zeros is the first.
#include "algebra.h"

#include <float.h>
#include <math.h>

static bool is_number(Emitter *e, int value, double number) {
  Term term = e->term(e, value);
  return term.kind == TERM_NUMBER && term.number == number && signbit(term.number) == signbit(number);
}

// The operand of a unary op, or NO_VALUE where the value is not of that op.
static int operand_of(Emitter *e, int value, Op op) {
  Term term = e->term(e, value);
  return term.kind == TERM_OP && term.op == op ? term.arg[0] : NO_VALUE;
}

static bool is_float(Emitter *e, int value) { return e->term(e, value).type == DT_F32; }

// -0 is what changes no float when added; +0 what changes none when subtracted.
static int simplify_add(Emitter *e, int a, int b) {
  double zero = is_float(e, a) ? -0.0 : 0.0;
  if (is_number(e, b, zero)) return a;
  if (is_number(e, a, zero)) return b;
  int minus_b = operand_of(e, b, OP_neg), minus_a = operand_of(e, a, OP_neg);
  if (minus_b != NO_VALUE) return emit_2(e, OP_sub, a, minus_b);
  if (minus_a != NO_VALUE) return emit_2(e, OP_sub, b, minus_a);
  return NO_VALUE;
}

static int simplify_sub(Emitter *e, int a, int b) {
  if (is_number(e, b, 0)) return a;
  int minus_b = operand_of(e, b, OP_neg);
  return minus_b == NO_VALUE ? NO_VALUE : emit_2(e, OP_add, a, minus_b);
}

static int simplify_mul(Emitter *e, int a, int b) {
  if (is_number(e, b, 1)) return a;
  return is_number(e, a, 1) ? b : NO_VALUE;
}

// Is 1/x a float of full precision? It is for powers of two; then a / x and a * (1/x) are one number, rounded once.
static bool has_exact_reciprocal(double x) {
  int exponent;
  return fabs(frexp(x, &exponent)) == 0.5 && fabs(x) >= (double)FLT_MIN && fabs(1 / x) >= (double)FLT_MIN;
}

static int simplify_div(Emitter *e, int a, int b) {
  Term divisor = e->term(e, b);
  if (divisor.kind != TERM_NUMBER) return NO_VALUE;
  if (divisor.number == 1) return a;
  if (!has_exact_reciprocal(divisor.number) || e->term(e, a).kind == TERM_NUMBER) return NO_VALUE;
  return emit_2(e, OP_mul, a, emit_f32(e, 1 / divisor.number));
}

static int simplify_abs(Emitter *e, int a) {
  int inner = operand_of(e, a, OP_neg);
  if (operand_of(e, a, OP_abs) != NO_VALUE) return a;
  return inner == NO_VALUE ? NO_VALUE : emit_1(e, OP_abs, inner);
}

// `neutral`: the value that changes nothing; the other decides alone.
static int simplify_logic(Emitter *e, int a, int b, bool neutral) {
  if (a == b || is_number(e, b, neutral) || is_number(e, a, !neutral)) return a;
  return is_number(e, a, neutral) || is_number(e, b, !neutral) ? b : NO_VALUE;
}

static int simplify_select(Emitter *e, int condition, int yes, int no) {
  Term known = e->term(e, condition);
  if (known.kind == TERM_NUMBER) return known.number != 0 ? yes : no;
  if (yes == no) return yes;
  int opposite = operand_of(e, condition, OP_not);
  return opposite == NO_VALUE ? NO_VALUE : emit_select(e, opposite, no, yes);
}

int algebra_simplify(Emitter *e, Op op, const int *args) {
  int a = args[0], b = op_info(op)->arity > 1 ? args[1] : NO_VALUE;
  switch (op) {
    case OP_add:
      return simplify_add(e, a, b);
    case OP_sub:
      return simplify_sub(e, a, b);
    case OP_mul:
      return simplify_mul(e, a, b);
    case OP_div:
      return simplify_div(e, a, b);
    case OP_neg:
    case OP_not:
      return operand_of(e, a, op);
    case OP_abs:
      return simplify_abs(e, a);
    case OP_max:
    case OP_min:
      return a == b ? a : NO_VALUE;
    case OP_and:
      return simplify_logic(e, a, b, true);
    case OP_or:
      return simplify_logic(e, a, b, false);
    case OP_select:
      return simplify_select(e, a, b, args[2]);
    case OP_to_f32:
      return is_float(e, a) ? a : NO_VALUE;
    case OP_to_i32:
      return e->term(e, a).type == DT_I32 ? a : NO_VALUE;
    default:
      return NO_VALUE;
  }
}
