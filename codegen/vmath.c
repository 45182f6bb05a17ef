// Mathematical functions as polynomials. The minimax coefficients are from Remez exchange (W. Fraser, "A survey of
// methods of computing minimax and near-minimax polynomial approximations", J. ACM 1965), rounded to float; the errors
// stated are those of the polynomials, relative to the function. Argument reduction as in W. Cody and W. Waite,
// "Software Manual for the Elementary Functions", 1980. tests/unit/test_math.c measures the whole.
#include "vmath.h"

#include <math.h>

// ---- pieces -------------------------------------------------------------------------------------------------------

static LLVMValueRef like(LLVMValueRef x, double value) { return irb_float(LLVMTypeOf(x), value); }
static LLVMValueRef ints(const Irb *irb, LLVMValueRef x, int64_t n) { return irb_int(irb_like(irb->i32, x), n); }
static LLVMValueRef add(const Irb *irb, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFAdd(irb->b, a, b, ""); }
static LLVMValueRef sub(const Irb *irb, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFSub(irb->b, a, b, ""); }
static LLVMValueRef mul(const Irb *irb, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFMul(irb->b, a, b, ""); }
static LLVMValueRef absolute(const Irb *irb, LLVMValueRef x) { return irb_call(irb, "llvm.fabs", &x, 1); }

static LLVMValueRef with_sign(const Irb *irb, LLVMValueRef x, LLVMValueRef sign) {
  return irb_call(irb, "llvm.copysign", (LLVMValueRef[]){x, sign}, 2);
}

static LLVMValueRef compare(const Irb *irb, LLVMRealPredicate how, LLVMValueRef x, double value) {
  return LLVMBuildFCmp(irb->b, how, x, like(x, value), "");
}

// x between low and high; NaN stays.
static LLVMValueRef clamp(const Irb *irb, LLVMValueRef x, double low, double high) {
  x = irb_select(irb, compare(irb, LLVMRealOLT, x, low), like(x, low), x);
  return irb_select(irb, compare(irb, LLVMRealOGT, x, high), like(x, high), x);
}

// coef[0] + coef[1] x + .., by Horner's rule with fused multiply-adds.
static LLVMValueRef polynomial(const Irb *irb, LLVMValueRef x, const float *coef, int n) {
  LLVMValueRef sum = like(x, (double)coef[n - 1]);
  for (int k = n - 2; k >= 0; k--) sum = irb_fma(irb, sum, x, like(x, (double)coef[k]));
  return sum;
}

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

// 2^n as a float, n in -126..127.
static LLVMValueRef power_of_two(const Irb *irb, LLVMValueRef n) {
  LLVMValueRef exponent = LLVMBuildAdd(irb->b, n, irb_int(LLVMTypeOf(n), 127), "");
  return irb_bits(irb, LLVMBuildShl(irb->b, exponent, irb_int(LLVMTypeOf(n), 23), ""), irb->f32);
}

// ---- exp ----------------------------------------------------------------------------------------------------------

// (e^r - 1 - r) / r^2 on |r| <= 0.35, error of e^r 3.3e-9.
static const float exp_coef[] = {0x1.fffffcp-2f, 0x1.55548ap-3f, 0x1.555916p-5f, 0x1.123fc6p-7f, 0x1.6a1a72p-10f};

// x = n ln 2 + r, n whole: e^x = 2^n e^r. n comes from adding 1.5 * 2^23, which leaves it in the low bits. 2^n is
// applied in two halves, each a normal number, so that only the last product rounds to a denormal or overflows. The
// first part of r is exact, the second and what 1 + r rounds off are carried along: half an ulp and little more.
LLVMValueRef math_exp(const Irb *irb, LLVMValueRef x) {
  const double magic = 0x1.8p23, ln2 = 0x1.62e43p-1, ln2_rest = -0x1.05c61p-29;
  x = clamp(irb, x, -110, 90);
  LLVMValueRef shifted = irb_fma(irb, x, like(x, 0x1.715476p0), like(x, magic));
  LLVMValueRef whole = sub(irb, shifted, like(x, magic));
  LLVMValueRef r = irb_fma(irb, whole, like(x, -ln2), x), tail = mul(irb, whole, like(x, -ln2_rest));
  LLVMValueRef whole_r = add(irb, r, tail);
  LLVMValueRef curve =
      irb_fma(irb, mul(irb, whole_r, whole_r), polynomial(irb, whole_r, exp_coef, COUNT(exp_coef)), tail);
  LLVMValueRef one_r = add(irb, r, like(x, 1)), lost = sub(irb, r, sub(irb, one_r, like(x, 1)));
  LLVMValueRef power = add(irb, one_r, add(irb, lost, curve));
  LLVMValueRef magic_bits = irb_bits(irb, like(x, magic), irb->i32);
  LLVMValueRef n = LLVMBuildSub(irb->b, irb_bits(irb, shifted, irb->i32), magic_bits, "");
  LLVMValueRef half = LLVMBuildAShr(irb->b, n, ints(irb, x, 1), "");
  LLVMValueRef rest = LLVMBuildSub(irb->b, n, half, "");
  return mul(irb, mul(irb, power, power_of_two(irb, half)), power_of_two(irb, rest));
}

// ---- log ----------------------------------------------------------------------------------------------------------

// (log(1 + f) - f) / f^2 on -0.293..0.4143, error of the logarithm 4.1e-9.
static const float log_coef[] = {-0x1.fffff8p-2f, 0x1.55555p-2f,   -0x1.000428p-2f, 0x1.99a402p-3f, -0x1.5427p-3f,
                                 0x1.22700cp-3f,  -0x1.0f398ep-3f, 0x1.085412p-3f,  -0x1.3842cap-4f};

typedef struct Split {  // x = 2^exponent * (1 + fraction), 1 + fraction in sqrt(1/2)..sqrt(2)
  LLVMValueRef exponent, fraction;
} Split;

// For positive x, denormals included (they are scaled by 2^23 first).
static Split split(const Irb *irb, LLVMValueRef x) {
  const int64_t sqrt_half = 0x3f3504f3;
  LLVMValueRef tiny = compare(irb, LLVMRealOLT, x, 0x1p-126);
  LLVMValueRef bits = irb_bits(irb, irb_select(irb, tiny, mul(irb, x, like(x, 0x1p23)), x), irb->i32);
  LLVMValueRef above = LLVMBuildSub(irb->b, bits, ints(irb, x, sqrt_half), "");
  LLVMValueRef exponent = LLVMBuildAShr(irb->b, above, ints(irb, x, 23), "");
  exponent = LLVMBuildAdd(irb->b, exponent, irb_select(irb, tiny, ints(irb, x, -23), ints(irb, x, 0)), "");
  LLVMValueRef mantissa = LLVMBuildAnd(irb->b, above, ints(irb, x, 0x7fffff), "");
  mantissa = irb_bits(irb, LLVMBuildAdd(irb->b, mantissa, ints(irb, x, sqrt_half), ""), irb->f32);
  return (Split){LLVMBuildSIToFP(irb->b, exponent, LLVMTypeOf(x), ""), sub(irb, mantissa, like(x, 1))};
}

// exponent ln 2 + log(1 + f). The first part of ln 2 has 16 bits, so its product is exact, and the sum with f is
// carried with what it rounded off (T. Dekker, "A floating-point technique for extending the available precision",
// 1971).
LLVMValueRef math_log(const Irb *irb, LLVMValueRef x) {
  const double ln2 = 0x1.62e4p-1, ln2_rest = 0x1.7f7d1cp-20;
  Split s = split(irb, x);
  LLVMValueRef f = s.fraction, square = mul(irb, f, f);
  LLVMValueRef curve = mul(irb, square, polynomial(irb, f, log_coef, COUNT(log_coef)));
  LLVMValueRef base = mul(irb, s.exponent, like(x, ln2)), sum = add(irb, base, f);
  LLVMValueRef lost = sub(irb, f, sub(irb, sum, base));
  LLVMValueRef small = add(irb, lost, irb_fma(irb, s.exponent, like(x, ln2_rest), curve));
  LLVMValueRef result = add(irb, sum, small);
  result = irb_select(irb, compare(irb, LLVMRealOEQ, x, INFINITY), x, result);
  result = irb_select(irb, compare(irb, LLVMRealOEQ, x, 0), like(x, -INFINITY), result);
  return irb_select(irb, compare(irb, LLVMRealULT, x, 0), like(x, NAN), result);
}

// ---- tanh, sigmoid, erf -------------------------------------------------------------------------------------------

// (tanh(x) - x) / x^3 in s = x^2, |x| <= 0.5625, error of tanh 1.3e-9.
static const float tanh_coef[] = {-0x1.555548p-2f, 0x1.110c72p-3f, -0x1.b90948p-5f, 0x1.582fbp-6f, -0x1.95001cp-8f};

// An odd polynomial near 0, then 1 - 2 / (e^2|x| + 1), which is 1 to the last bit from |x| = 10 on.
LLVMValueRef math_tanh(const Irb *irb, LLVMValueRef x) {
  LLVMValueRef size = absolute(irb, x), s = mul(irb, x, x);
  LLVMValueRef near = irb_fma(irb, mul(irb, size, s), polynomial(irb, s, tanh_coef, COUNT(tanh_coef)), size);
  LLVMValueRef limited = irb_select(irb, compare(irb, LLVMRealOGT, size, 10), like(x, 10), size);
  LLVMValueRef power = math_exp(irb, add(irb, limited, limited));
  LLVMValueRef part = LLVMBuildFDiv(irb->b, like(x, 2), add(irb, power, like(x, 1)), "");
  LLVMValueRef far = sub(irb, like(x, 1), part);
  return with_sign(irb, irb_select(irb, compare(irb, LLVMRealOLT, size, 0.5625), near, far), x);
}

// 1 / (1 + e^-x), below 0 as e^x / (1 + e^x): no overflow, and denormal results come out. The quotient is corrected
// once for its own rounding and for what 1 + power rounds off.
LLVMValueRef math_sigmoid(const Irb *irb, LLVMValueRef x) {
  LLVMValueRef one = like(x, 1), power = math_exp(irb, LLVMBuildFNeg(irb->b, absolute(irb, x), ""));
  LLVMValueRef top = irb_select(irb, compare(irb, LLVMRealOLT, x, 0), power, one);
  LLVMValueRef bottom = add(irb, power, one), lost = sub(irb, power, sub(irb, bottom, one));
  LLVMValueRef inverse = LLVMBuildFDiv(irb->b, one, bottom, ""), quotient = mul(irb, top, inverse);
  LLVMValueRef minus = LLVMBuildFNeg(irb->b, quotient, "");
  LLVMValueRef rest = irb_fma(irb, minus, lost, irb_fma(irb, minus, bottom, top));
  return irb_fma(irb, rest, inverse, quotient);
}

// erf(x) / x - 1 in s = x^2, |x| <= 0.9375, error 5.1e-10; log(1 - erf(t)) on 0.92..4, error of erf 4.6e-11.
static const float erf_near[] = {0x1.06eba8p-3f, -0x1.812742p-2f,  0x1.ce2df4p-4f, -0x1.b80cb4p-6f,
                                 0x1.54b5e4p-8f, -0x1.a99ef8p-11f, 0x1.5ac334p-14f};
static const float erf_far[] = {0x1.6e5654p-13f, -0x1.2127e4p0f, -0x1.44460cp-1f, -0x1.bb83e2p-4f,
                                0x1.9b8e78p-6f,  -0x1.115acp-8f, 0x1.c790eap-12f, -0x1.61ea2ep-16f};

LLVMValueRef math_erf(const Irb *irb, LLVMValueRef x) {
  LLVMValueRef size = absolute(irb, x), s = mul(irb, x, x);
  LLVMValueRef near = irb_fma(irb, x, polynomial(irb, s, erf_near, COUNT(erf_near)), x);
  LLVMValueRef limited = irb_select(irb, compare(irb, LLVMRealOGT, size, 4), like(x, 4), size);
  LLVMValueRef left = math_exp(irb, polynomial(irb, limited, erf_far, COUNT(erf_far)));
  LLVMValueRef far = with_sign(irb, sub(irb, like(x, 1), left), x);
  return irb_select(irb, compare(irb, LLVMRealOLT, size, 0.9296875), near, far);
}

// ---- pow ----------------------------------------------------------------------------------------------------------

// In double, where 2^(b log2 a) needs no care: b log2 a is off by 1e-12 at most, its power of two by 1e-11.

static LLVMValueRef longs(const Irb *irb, LLVMValueRef x, int64_t n) { return irb_int(irb_like(irb->i64, x), n); }

// log2 of a positive double: the exponent, and (2 / ln 2) atanh((m - 1) / (m + 1)) of the mantissa by its series, |z| <
// 0.172.
static LLVMValueRef log2_double(const Irb *irb, LLVMValueRef x) {
  const int64_t sqrt_half = 0x3fe6a09e667f3bcd;
  LLVMValueRef above = LLVMBuildSub(irb->b, irb_bits(irb, x, irb->i64), longs(irb, x, sqrt_half), "");
  LLVMValueRef exponent =
      LLVMBuildTrunc(irb->b, LLVMBuildAShr(irb->b, above, longs(irb, x, 52), ""), irb_like(irb->i32, x), "");
  LLVMValueRef m = LLVMBuildAnd(irb->b, above, longs(irb, x, 0xfffffffffffff), "");
  m = irb_bits(irb, LLVMBuildAdd(irb->b, m, longs(irb, x, sqrt_half), ""), irb->f64);
  LLVMValueRef z = LLVMBuildFDiv(irb->b, sub(irb, m, like(m, 1)), add(irb, m, like(m, 1)), "");
  LLVMValueRef s = mul(irb, z, z), series = like(m, 1.0 / 15);
  for (int k = 13; k >= 1; k -= 2) series = add(irb, mul(irb, series, s), like(m, 1.0 / k));
  LLVMValueRef fraction = mul(irb, mul(irb, z, series), like(m, 2.8853900817779268147));
  return add(irb, LLVMBuildSIToFP(irb->b, exponent, LLVMTypeOf(m), ""), fraction);
}

// 2^y for y in -200..200 or NaN: the nearest whole power times the exponential series of the rest, |rest| <= 0.5.
static LLVMValueRef exp2_double(const Irb *irb, LLVMValueRef y) {
  const double magic = 0x1.8p52;
  LLVMValueRef shifted = add(irb, y, like(y, magic)), whole = sub(irb, shifted, like(y, magic));
  LLVMValueRef r = mul(irb, sub(irb, y, whole), like(y, 0.69314718055994530942)), series = like(y, 1.0 / 362880);
  double factorial = 362880;
  for (int k = 9; k >= 1; k--) {
    factorial /= k;
    series = add(irb, mul(irb, series, r), like(y, 1 / factorial));
  }
  LLVMValueRef n = LLVMBuildAdd(irb->b, irb_bits(irb, shifted, irb->i64), longs(irb, y, 1023), "");
  LLVMValueRef scale = irb_bits(irb, LLVMBuildShl(irb->b, n, longs(irb, y, 52), ""), irb->f64);
  return mul(irb, series, scale);
}

// |a|^b, but for the cases in which a 1 or a 0 decides alone.
static LLVMValueRef pow_of_size(const Irb *irb, LLVMValueRef size, LLVMValueRef b) {
  LLVMTypeRef f64 = irb_like(irb->f64, size);
  LLVMValueRef log2 = log2_double(irb, LLVMBuildFPExt(irb->b, size, f64, ""));
  LLVMValueRef unbounded = LLVMBuildFPExt(irb->b, size, f64, "");  // inf and NaN are their own logarithms
  log2 = irb_select(irb, compare(irb, LLVMRealULT, size, INFINITY), log2, unbounded);
  log2 = irb_select(irb, LLVMBuildFCmp(irb->b, LLVMRealUNO, size, size, ""), unbounded, log2);
  log2 = irb_select(irb, compare(irb, LLVMRealOEQ, size, 0), like(log2, -INFINITY), log2);
  LLVMValueRef y = clamp(irb, mul(irb, log2, LLVMBuildFPExt(irb->b, b, f64, "")), -200, 200);
  return LLVMBuildFPTrunc(irb->b, exp2_double(irb, y), LLVMTypeOf(size), "");
}

// The special cases are C's (C11 F.10.4.4).
LLVMValueRef math_pow(const Irb *irb, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef size = absolute(irb, a), half = mul(irb, b, like(b, 0.5)), one = like(a, 1);
  LLVMValueRef result = pow_of_size(irb, size, b);
  LLVMValueRef is_whole = LLVMBuildFCmp(irb->b, LLVMRealOEQ, irb_call(irb, "llvm.floor", &b, 1), b, "");
  LLVMValueRef half_fraction = LLVMBuildFCmp(irb->b, LLVMRealONE, irb_call(irb, "llvm.floor", &half, 1), half, "");
  LLVMValueRef is_odd = LLVMBuildAnd(irb->b, is_whole, half_fraction, "");
  result = with_sign(irb, result, irb_select(irb, is_odd, a, one));
  LLVMValueRef negative =
      LLVMBuildAnd(irb->b, compare(irb, LLVMRealOLT, a, 0), compare(irb, LLVMRealOGT, a, -INFINITY), "");
  LLVMValueRef no_power = LLVMBuildAnd(irb->b, negative, LLVMBuildNot(irb->b, is_whole, ""), "");
  result = irb_select(irb, no_power, like(a, NAN), result);
  LLVMValueRef endless = compare(irb, LLVMRealOEQ, absolute(irb, b), INFINITY);
  LLVMValueRef stays_one = LLVMBuildAnd(irb->b, compare(irb, LLVMRealOEQ, size, 1), endless, "");
  stays_one = LLVMBuildOr(irb->b, stays_one, compare(irb, LLVMRealOEQ, a, 1), "");
  stays_one = LLVMBuildOr(irb->b, stays_one, compare(irb, LLVMRealOEQ, b, 0), "");
  return irb_select(irb, stays_one, one, result);
}
