// One rule per name in ops.def's gradient column. A rule fills d[k] for wanted operands only. In the comments a, b are
// the operands, y the result, g the gradient by y; formulas without a source are from a table of derivatives.
#include "grad_rules.h"

#include <math.h>

typedef void (*GradRule)(Emitter *e, const GradSite *s, int *d);

static int mul(Emitter *e, int a, int b) { return emit_2(e, OP_mul, a, b); }

// -g
static void grad_rule_neg(Emitter *e, const GradSite *s, int *d) { d[0] = emit_1(e, OP_neg, s->grad); }

// g sign(a): 0 at 0
static void grad_rule_abs(Emitter *e, const GradSite *s, int *d) {
  d[0] = mul(e, s->grad, emit_1(e, OP_sign, s->in[0]));
}

// g y
static void grad_rule_exp(Emitter *e, const GradSite *s, int *d) { d[0] = mul(e, s->grad, s->out); }

// g / a
static void grad_rule_log(Emitter *e, const GradSite *s, int *d) { d[0] = emit_2(e, OP_div, s->grad, s->in[0]); }

// g / 2y
static void grad_rule_sqrt(Emitter *e, const GradSite *s, int *d) {
  d[0] = emit_2(e, OP_div, s->grad, emit_2(e, OP_add, s->out, s->out));
}

// -g/2 y^3
static void grad_rule_rsqrt(Emitter *e, const GradSite *s, int *d) {
  int cube = mul(e, mul(e, s->out, s->out), s->out);
  d[0] = mul(e, mul(e, s->grad, emit_f32(e, -0.5)), cube);
}

// g (1 - y^2)
static void grad_rule_tanh(Emitter *e, const GradSite *s, int *d) {
  int square = mul(e, s->out, s->out);
  d[0] = mul(e, s->grad, emit_2(e, OP_sub, emit_f32(e, 1), square));
}

// g y (1 - y)
static void grad_rule_sigmoid(Emitter *e, const GradSite *s, int *d) {
  d[0] = mul(e, s->grad, mul(e, s->out, emit_2(e, OP_sub, emit_f32(e, 1), s->out)));
}

// g 2/sqrt(pi) exp(-a^2)
static void grad_rule_erf(Emitter *e, const GradSite *s, int *d) {
  int bell = emit_1(e, OP_exp, emit_1(e, OP_neg, mul(e, s->in[0], s->in[0])));
  d[0] = mul(e, mul(e, s->grad, emit_f32(e, M_2_SQRTPI)), bell);
}

// g; g
static void grad_rule_add(Emitter *e, const GradSite *s, int *d) {
  (void)e;
  d[0] = d[1] = s->grad;
}

// g; -g
static void grad_rule_sub(Emitter *e, const GradSite *s, int *d) {
  d[0] = s->grad;
  if (s->want[1]) d[1] = emit_1(e, OP_neg, s->grad);
}

// g b; g a
static void grad_rule_mul(Emitter *e, const GradSite *s, int *d) {
  if (s->want[0]) d[0] = mul(e, s->grad, s->in[1]);
  if (s->want[1]) d[1] = mul(e, s->grad, s->in[0]);
}

// g / b; -(g / b) y
static void grad_rule_div(Emitter *e, const GradSite *s, int *d) {
  int quotient = emit_2(e, OP_div, s->grad, s->in[1]);
  d[0] = quotient;
  if (s->want[1]) d[1] = emit_1(e, OP_neg, mul(e, quotient, s->out));
}

// a^(b-1) for a number b: for the usual ones exactly.
static int lower_power(Emitter *e, int a, double b) {
  if (b == 1) return emit_f32(e, 1);
  return b == 2 ? a : emit_2(e, OP_pow, a, emit_f32(e, b - 1));
}

// g b a^(b-1), but 0 where b is 0: there 0 * a^-1 would be NaN at a = 0.
static int grad_pow_base(Emitter *e, const GradSite *s) {
  int a = s->in[0], b = s->in[1], zero = emit_f32(e, 0);
  Term exponent = e->term(e, b);
  if (exponent.kind == TERM_NUMBER && exponent.number != 0)
    return mul(e, s->grad, mul(e, b, lower_power(e, a, exponent.number)));
  int power = emit_2(e, OP_pow, a, emit_2(e, OP_sub, b, emit_f32(e, 1)));
  int flat = emit_2(e, OP_eq, b, zero);
  return emit_select(e, flat, zero, mul(e, s->grad, mul(e, b, power)));
}

// g y log a, but 0 where a is 0 and b not negative: the limit from above, where 0 * log 0 would be NaN.
static int grad_pow_exponent(Emitter *e, const GradSite *s) {
  int a = s->in[0], b = s->in[1], zero = emit_f32(e, 0);
  int at_zero = emit_2(e, OP_eq, a, zero);
  int flat = emit_2(e, OP_and, at_zero, emit_2(e, OP_le, zero, b));
  return emit_select(e, flat, zero, mul(e, s->grad, mul(e, s->out, emit_1(e, OP_log, a))));
}

static void grad_rule_pow(Emitter *e, const GradSite *s, int *d) {
  if (s->want[0]) d[0] = grad_pow_base(e, s);
  if (s->want[1]) d[1] = grad_pow_exponent(e, s);
}

// a - b floor(a/b): g; -g floor(a/b)
static void grad_rule_mod(Emitter *e, const GradSite *s, int *d) {
  d[0] = s->grad;
  if (s->want[1]) d[1] = emit_1(e, OP_neg, mul(e, s->grad, emit_2(e, OP_floordiv, s->in[0], s->in[1])));
}

// The gradient goes to b where `second` holds, else to a: to the first of equals, and to a where either is NaN.
static void grad_choice(Emitter *e, const GradSite *s, int second, int *d) {
  int zero = emit_f32(e, 0);
  if (s->want[0]) d[0] = emit_select(e, second, zero, s->grad);
  if (s->want[1]) d[1] = emit_select(e, second, s->grad, zero);
}

static void grad_rule_max(Emitter *e, const GradSite *s, int *d) {
  grad_choice(e, s, emit_2(e, OP_lt, s->in[0], s->in[1]), d);
}

static void grad_rule_min(Emitter *e, const GradSite *s, int *d) {
  grad_choice(e, s, emit_2(e, OP_lt, s->in[1], s->in[0]), d);
}

// a ? b : c
static void grad_rule_select(Emitter *e, const GradSite *s, int *d) {
  int zero = emit_f32(e, 0);
  if (s->want[1]) d[1] = emit_select(e, s->in[0], s->grad, zero);
  if (s->want[2]) d[2] = emit_select(e, s->in[0], zero, s->grad);
}

// g: a conversion of what is f32 already
static void grad_rule_to_f32(Emitter *e, const GradSite *s, int *d) {
  (void)e;
  d[0] = s->grad;
}

// ---- the table ------------------------------------------------------------------------------------------------------

#define grad_rule_none NULL  // what the gradient column says where there is no gradient

static const GradRule rules[OP_COUNT] = {
#define OP_POINTWISE(mnemonic, arity, types, gradient, meaning) [OP_##mnemonic] = grad_rule_##gradient,
#include "ops.def"
};

bool grad_pointwise_passes(Op op) { return rules[op] != NULL; }

void grad_pointwise(Emitter *e, Op op, const GradSite *site, int *d) {
  int all[3] = {NO_VALUE, NO_VALUE, NO_VALUE};
  if (rules[op]) rules[op](e, site, all);
  for (int k = 0; k < op_info(op)->arity; k++) d[k] = site->want[k] ? all[k] : NO_VALUE;
}
