// One function per pointwise row of ops.def: what the op means, in double. i32 operands are whole doubles; their
// results wrap at 32 bits.
#include "inside.h"

#include <math.h>

static int64_t whole(double x) { return (int64_t)x; }
static double wrap(int64_t x) { return (double)(int32_t)(uint32_t)(uint64_t)x; }

static double eval_neg(DType type, const double *x) { return type == DT_I32 ? wrap(-whole(x[0])) : -x[0]; }
static double eval_abs(DType type, const double *x) { return type == DT_I32 ? wrap(whole(fabs(x[0]))) : fabs(x[0]); }
static double eval_sign(DType type, const double *x) {
  (void)type;
  return isnan(x[0]) ? x[0] : (double)((x[0] > 0) - (x[0] < 0));
}

#define MATH(op, value) \
  static double eval_##op(DType type, const double *x) { \
    (void)type; \
    return value; \
  }
MATH(floor, floor(x[0]))
MATH(exp, exp(x[0]))
MATH(log, log(x[0]))
MATH(sqrt, sqrt(x[0]))
MATH(rsqrt, 1 / sqrt(x[0]))
MATH(tanh, tanh(x[0]))
MATH(sigmoid, 1 / (1 + exp(-x[0])))
MATH(erf, erf(x[0]))
MATH(detach, x[0])
MATH(div, x[0] / x[1])
MATH(pow, pow(x[0], x[1]))
MATH(max, isnan(x[0]) || isnan(x[1]) ? NAN : x[1] > x[0] ? x[1] : x[0])
MATH(min, isnan(x[0]) || isnan(x[1]) ? NAN : x[1] < x[0] ? x[1] : x[0])
MATH(eq, x[0] == x[1])
MATH(ne, x[0] != x[1])
MATH(lt, x[0] < x[1])
MATH(le, x[0] <= x[1])
MATH(and, x[0] != 0 && x[1] != 0)
MATH(or, x[0] != 0 || x[1] != 0)
MATH(not, x[0] == 0)
MATH(select, x[0] != 0 ? x[1] : x[2])
#undef MATH

static double eval_add(DType type, const double *x) {
  return type == DT_I32 ? wrap(whole(x[0]) + whole(x[1])) : x[0] + x[1];
}
static double eval_sub(DType type, const double *x) {
  return type == DT_I32 ? wrap(whole(x[0]) - whole(x[1])) : x[0] - x[1];
}
static double eval_mul(DType type, const double *x) {
  return type == DT_I32 ? wrap(whole(x[0]) * whole(x[1])) : x[0] * x[1];
}

// Rounded toward minus infinity, 0 where b is 0.
static int64_t floor_quotient(int64_t a, int64_t b) {
  if (b == 0) return 0;
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static double eval_floordiv(DType type, const double *x) {
  return type == DT_I32 ? wrap(floor_quotient(whole(x[0]), whole(x[1]))) : floor(x[0] / x[1]);
}

static double eval_mod(DType type, const double *x) {
  if (type != DT_I32) return x[0] - x[1] * floor(x[0] / x[1]);
  int64_t a = whole(x[0]), b = whole(x[1]);
  return b == 0 ? 0 : wrap(a - b * floor_quotient(a, b));
}

// The nearest float: an i32 above 2^24 may not be one. An f32 stays as it is.
static double eval_to_f32(DType type, const double *x) { return type == DT_I32 ? (double)(float)x[0] : x[0]; }

static double eval_to_i32(DType type, const double *x) {
  (void)type;
  if (isnan(x[0])) return 0;
  return x[0] <= INT32_MIN ? INT32_MIN : x[0] >= INT32_MAX ? INT32_MAX : trunc(x[0]) + 0.0;  // one zero
}

double eval_pointwise(Op op, DType type, const double *operands) {
  static double (*const functions[OP_COUNT])(DType, const double *) = {
#define OP_POINTWISE(mnemonic, ...) [OP_##mnemonic] = eval_##mnemonic,
#include "ops.def"
  };
  dlc_assert((unsigned)op < OP_COUNT && functions[op]);
  return functions[op](type, operands);
}
