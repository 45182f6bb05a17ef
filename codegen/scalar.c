// Pointwise ops as LLVM IR. What each computes is said in ops.def and by the evaluator (ir/eval_pointwise.c); no
// fast-math flag is set, and nothing is contracted.
#include "scalar.h"

#include "vmath.h"

// ---- comparisons --------------------------------------------------------------------------------------------------

static LLVMValueRef is_nan(const Irb *irb, LLVMValueRef x) { return LLVMBuildFCmp(irb->b, LLVMRealUNO, x, x, ""); }

static LLVMValueRef less(const Irb *irb, DType type, LLVMValueRef a, LLVMValueRef b) {
  if (type == DT_F32) return LLVMBuildFCmp(irb->b, LLVMRealOLT, a, b, "");
  return LLVMBuildICmp(irb->b, type == DT_I32 ? LLVMIntSLT : LLVMIntULT, a, b, "");
}

// a, or b where `better` holds; b also where it is NaN. A constant is known to be none.
static LLVMValueRef pick(const Irb *irb, DType type, LLVMValueRef better, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef picked = irb_select(irb, better, b, a);
  if (type != DT_F32) return picked;
  LLVMValueRef nan = is_nan(irb, b);
  return LLVMIsConstant(nan) && LLVMIsNull(nan) ? picked : irb_select(irb, nan, b, picked);
}

LLVMValueRef scalar_max(const Irb *irb, DType type, LLVMValueRef a, LLVMValueRef b) {
  return pick(irb, type, less(irb, type, a, b), a, b);
}

LLVMValueRef scalar_min(const Irb *irb, DType type, LLVMValueRef a, LLVMValueRef b) {
  return pick(irb, type, less(irb, type, b, a), a, b);
}

static LLVMValueRef zero(LLVMValueRef like) { return LLVMConstNull(LLVMTypeOf(like)); }

// ---- integer division -----------------------------------------------------------------------------------------------

typedef struct Divided {
  LLVMValueRef quotient, rest;  // rounded toward minus infinity; both 0 where the divisor is 0
} Divided;

static Divided divide(const Irb *irb, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef one = irb_int(LLVMTypeOf(b), 1), least = irb_int(LLVMTypeOf(a), INT32_MIN);
  LLVMValueRef by_zero = LLVMBuildICmp(irb->b, LLVMIntEQ, b, zero(b), "");
  // The least number over -1 is that number again; 1 as divisor gives the same and does not trap.
  LLVMValueRef overflows = LLVMBuildAnd(irb->b, LLVMBuildICmp(irb->b, LLVMIntEQ, a, least, ""),
                                        LLVMBuildICmp(irb->b, LLVMIntEQ, b, irb_int(LLVMTypeOf(b), -1), ""), "");
  LLVMValueRef by = irb_select(irb, LLVMBuildOr(irb->b, by_zero, overflows, ""), one, b);
  LLVMValueRef quotient = LLVMBuildSDiv(irb->b, a, by, "");
  LLVMValueRef rest = LLVMBuildSub(irb->b, a, LLVMBuildMul(irb->b, quotient, by, ""), "");
  LLVMValueRef apart = LLVMBuildICmp(irb->b, LLVMIntSLT, LLVMBuildXor(irb->b, rest, by, ""), zero(a), "");
  LLVMValueRef inexact = LLVMBuildICmp(irb->b, LLVMIntNE, rest, zero(rest), "");
  LLVMValueRef lower = LLVMBuildAnd(irb->b, apart, inexact, "");
  quotient = irb_select(irb, lower, LLVMBuildSub(irb->b, quotient, one, ""), quotient);
  rest = irb_select(irb, lower, LLVMBuildAdd(irb->b, rest, by, ""), rest);
  return (Divided){irb_select(irb, by_zero, zero(a), quotient), irb_select(irb, by_zero, zero(a), rest)};
}

// ---- one function a row ---------------------------------------------------------------------------------------------

static LLVMValueRef emit_neg(const Irb *irb, DType type, const LLVMValueRef *x) {
  return type == DT_F32 ? LLVMBuildFNeg(irb->b, x[0], "") : LLVMBuildNeg(irb->b, x[0], "");
}

static LLVMValueRef emit_abs(const Irb *irb, DType type, const LLVMValueRef *x) {
  if (type == DT_F32) return irb_call(irb, "llvm.fabs", (LLVMValueRef[]){x[0]}, 1);
  return irb_select(irb, LLVMBuildICmp(irb->b, LLVMIntSLT, x[0], zero(x[0]), ""), LLVMBuildNeg(irb->b, x[0], ""), x[0]);
}

static LLVMValueRef emit_sign(const Irb *irb, DType type, const LLVMValueRef *x) {
  LLVMTypeRef t = LLVMTypeOf(x[0]);
  LLVMValueRef positive = less(irb, type, zero(x[0]), x[0]), negative = less(irb, type, x[0], zero(x[0]));
  LLVMValueRef one = type == DT_F32 ? irb_float(t, 1) : irb_int(t, 1);
  LLVMValueRef minus_one = type == DT_F32 ? irb_float(t, -1) : irb_int(t, -1);
  LLVMValueRef rest = type == DT_F32 ? irb_select(irb, is_nan(irb, x[0]), x[0], zero(x[0])) : zero(x[0]);
  return irb_select(irb, positive, one, irb_select(irb, negative, minus_one, rest));
}

static LLVMValueRef emit_floor(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return irb_call(irb, "llvm.floor", (LLVMValueRef[]){x[0]}, 1);
}
static LLVMValueRef emit_exp(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return math_exp(irb, x[0]);
}
static LLVMValueRef emit_log(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return math_log(irb, x[0]);
}
static LLVMValueRef emit_sqrt(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return irb_call(irb, "llvm.sqrt", (LLVMValueRef[]){x[0]}, 1);
}

static LLVMValueRef emit_rsqrt(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  LLVMValueRef root = irb_call(irb, "llvm.sqrt", (LLVMValueRef[]){x[0]}, 1);
  return LLVMBuildFDiv(irb->b, irb_float(LLVMTypeOf(root), 1), root, "");
}

static LLVMValueRef emit_tanh(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return math_tanh(irb, x[0]);
}
static LLVMValueRef emit_sigmoid(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return math_sigmoid(irb, x[0]);
}
static LLVMValueRef emit_erf(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return math_erf(irb, x[0]);
}
static LLVMValueRef emit_detach(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  (void)irb;
  return x[0];
}
static LLVMValueRef emit_add(const Irb *irb, DType type, const LLVMValueRef *x) {
  return type == DT_F32 ? LLVMBuildFAdd(irb->b, x[0], x[1], "") : LLVMBuildAdd(irb->b, x[0], x[1], "");
}
static LLVMValueRef emit_sub(const Irb *irb, DType type, const LLVMValueRef *x) {
  return type == DT_F32 ? LLVMBuildFSub(irb->b, x[0], x[1], "") : LLVMBuildSub(irb->b, x[0], x[1], "");
}
static LLVMValueRef emit_mul(const Irb *irb, DType type, const LLVMValueRef *x) {
  return type == DT_F32 ? LLVMBuildFMul(irb->b, x[0], x[1], "") : LLVMBuildMul(irb->b, x[0], x[1], "");
}
static LLVMValueRef emit_div(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return LLVMBuildFDiv(irb->b, x[0], x[1], "");
}
static LLVMValueRef emit_pow(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return math_pow(irb, x[0], x[1]);
}

static LLVMValueRef emit_floordiv(const Irb *irb, DType type, const LLVMValueRef *x) {
  if (type != DT_F32) return divide(irb, x[0], x[1]).quotient;
  return irb_call(irb, "llvm.floor", (LLVMValueRef[]){LLVMBuildFDiv(irb->b, x[0], x[1], "")}, 1);
}

static LLVMValueRef emit_mod(const Irb *irb, DType type, const LLVMValueRef *x) {
  if (type != DT_F32) return divide(irb, x[0], x[1]).rest;
  LLVMValueRef times = emit_floordiv(irb, type, x);
  return LLVMBuildFSub(irb->b, x[0], LLVMBuildFMul(irb->b, x[1], times, ""), "");
}

static LLVMValueRef emit_max(const Irb *irb, DType type, const LLVMValueRef *x) {
  return scalar_max(irb, type, x[0], x[1]);
}
static LLVMValueRef emit_min(const Irb *irb, DType type, const LLVMValueRef *x) {
  return scalar_min(irb, type, x[0], x[1]);
}

static LLVMValueRef emit_eq(const Irb *irb, DType type, const LLVMValueRef *x) {
  if (type == DT_F32) return LLVMBuildFCmp(irb->b, LLVMRealOEQ, x[0], x[1], "");
  return LLVMBuildICmp(irb->b, LLVMIntEQ, x[0], x[1], "");
}

static LLVMValueRef emit_ne(const Irb *irb, DType type, const LLVMValueRef *x) {
  if (type == DT_F32) return LLVMBuildFCmp(irb->b, LLVMRealUNE, x[0], x[1], "");
  return LLVMBuildICmp(irb->b, LLVMIntNE, x[0], x[1], "");
}

static LLVMValueRef emit_lt(const Irb *irb, DType type, const LLVMValueRef *x) { return less(irb, type, x[0], x[1]); }

static LLVMValueRef emit_le(const Irb *irb, DType type, const LLVMValueRef *x) {
  if (type == DT_F32) return LLVMBuildFCmp(irb->b, LLVMRealOLE, x[0], x[1], "");
  return LLVMBuildICmp(irb->b, LLVMIntSLE, x[0], x[1], "");
}

static LLVMValueRef emit_and(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return LLVMBuildAnd(irb->b, x[0], x[1], "");
}
static LLVMValueRef emit_or(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return LLVMBuildOr(irb->b, x[0], x[1], "");
}
static LLVMValueRef emit_not(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return LLVMBuildNot(irb->b, x[0], "");
}
static LLVMValueRef emit_select(const Irb *irb, DType type, const LLVMValueRef *x) {
  (void)type;
  return irb_select(irb, x[0], x[1], x[2]);
}

static LLVMValueRef emit_to_f32(const Irb *irb, DType type, const LLVMValueRef *x) {
  LLVMTypeRef f32 = irb_like(irb->f32, x[0]);
  if (type == DT_F32) return x[0];
  return type == DT_I32 ? LLVMBuildSIToFP(irb->b, x[0], f32, "") : LLVMBuildUIToFP(irb->b, x[0], f32, "");
}

// Toward zero; what lies outside i32 goes to its nearest end, NaN to 0. The conversion itself only sees numbers that
// fit.
static LLVMValueRef emit_to_i32(const Irb *irb, DType type, const LLVMValueRef *x) {
  LLVMTypeRef i32 = irb_like(irb->i32, x[0]), f32 = LLVMTypeOf(x[0]);
  if (type == DT_I32) return x[0];
  if (type != DT_F32) return LLVMBuildZExt(irb->b, x[0], i32, "");
  LLVMValueRef above = LLVMBuildFCmp(irb->b, LLVMRealOGE, x[0], irb_float(f32, 0x1p31), "");
  LLVMValueRef fits = LLVMBuildFCmp(irb->b, LLVMRealOGE, x[0], irb_float(f32, -0x1p31), "");
  LLVMValueRef inside = LLVMBuildAnd(irb->b, fits, LLVMBuildNot(irb->b, above, ""), "");
  LLVMValueRef value = LLVMBuildFPToSI(irb->b, irb_select(irb, inside, x[0], zero(x[0])), i32, "");
  LLVMValueRef below = LLVMBuildFCmp(irb->b, LLVMRealOLT, x[0], irb_float(f32, -0x1p31), "");
  value = irb_select(irb, below, irb_int(i32, INT32_MIN), value);
  return irb_select(irb, above, irb_int(i32, INT32_MAX), value);
}

typedef LLVMValueRef (*Emitter)(const Irb *irb, DType type, const LLVMValueRef *x);

static const Emitter emitters[OP_COUNT] = {
#define OP_POINTWISE(mnemonic, ...) [OP_##mnemonic] = emit_##mnemonic,
#include "ops.def"
};

LLVMValueRef scalar_emit(const Irb *irb, Op op, DType type, const LLVMValueRef *args) {
  dlc_assert(op_info(op)->class == OPC_POINTWISE);
  return emitters[op](irb, type, args);
}
