// Pointwise ops as LLVM IR. What each computes is said in ops.def and by the evaluator (ir/eval_pointwise.c); no fast-math
// flag is set, and nothing is contracted.
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

#define EMIT(op) static LLVMValueRef emit_##op(const Irb *irb, DType type, const LLVMValueRef *x)
#define UNUSED_TYPE (void)type

EMIT(neg) { return type == DT_F32 ? LLVMBuildFNeg(irb->b, x[0], "") : LLVMBuildNeg(irb->b, x[0], ""); }

EMIT(abs) {
  if (type == DT_F32) return irb_call(irb, "llvm.fabs", (LLVMValueRef[]){x[0]}, 1);
  return irb_select(irb, LLVMBuildICmp(irb->b, LLVMIntSLT, x[0], zero(x[0]), ""), LLVMBuildNeg(irb->b, x[0], ""), x[0]);
}

EMIT(sign) {
  LLVMTypeRef t = LLVMTypeOf(x[0]);
  LLVMValueRef positive = less(irb, type, zero(x[0]), x[0]), negative = less(irb, type, x[0], zero(x[0]));
  LLVMValueRef one = type == DT_F32 ? irb_float(t, 1) : irb_int(t, 1);
  LLVMValueRef minus_one = type == DT_F32 ? irb_float(t, -1) : irb_int(t, -1);
  LLVMValueRef rest = type == DT_F32 ? irb_select(irb, is_nan(irb, x[0]), x[0], zero(x[0])) : zero(x[0]);
  return irb_select(irb, positive, one, irb_select(irb, negative, minus_one, rest));
}

EMIT(floor) {
  UNUSED_TYPE;
  return irb_call(irb, "llvm.floor", (LLVMValueRef[]){x[0]}, 1); }
EMIT(exp) {
  UNUSED_TYPE;
  return math_exp(irb, x[0]); }
EMIT(log) {
  UNUSED_TYPE;
  return math_log(irb, x[0]); }
EMIT(sqrt) {
  UNUSED_TYPE;
  return irb_call(irb, "llvm.sqrt", (LLVMValueRef[]){x[0]}, 1); }

EMIT(rsqrt) {
  UNUSED_TYPE;
  LLVMValueRef root = irb_call(irb, "llvm.sqrt", (LLVMValueRef[]){x[0]}, 1);
  return LLVMBuildFDiv(irb->b, irb_float(LLVMTypeOf(root), 1), root, "");
}

EMIT(tanh) {
  UNUSED_TYPE;
  return math_tanh(irb, x[0]); }
EMIT(sigmoid) {
  UNUSED_TYPE;
  return math_sigmoid(irb, x[0]); }
EMIT(erf) {
  UNUSED_TYPE;
  return math_erf(irb, x[0]); }
EMIT(detach) {
  UNUSED_TYPE;
  (void)irb; return x[0]; }
EMIT(add) { return type == DT_F32 ? LLVMBuildFAdd(irb->b, x[0], x[1], "") : LLVMBuildAdd(irb->b, x[0], x[1], ""); }
EMIT(sub) { return type == DT_F32 ? LLVMBuildFSub(irb->b, x[0], x[1], "") : LLVMBuildSub(irb->b, x[0], x[1], ""); }
EMIT(mul) { return type == DT_F32 ? LLVMBuildFMul(irb->b, x[0], x[1], "") : LLVMBuildMul(irb->b, x[0], x[1], ""); }
EMIT(div) {
  UNUSED_TYPE;
  return LLVMBuildFDiv(irb->b, x[0], x[1], ""); }
EMIT(pow) {
  UNUSED_TYPE;
  return math_pow(irb, x[0], x[1]); }

EMIT(floordiv) {
  if (type != DT_F32) return divide(irb, x[0], x[1]).quotient;
  return irb_call(irb, "llvm.floor", (LLVMValueRef[]){LLVMBuildFDiv(irb->b, x[0], x[1], "")}, 1);
}

EMIT(mod) {
  if (type != DT_F32) return divide(irb, x[0], x[1]).rest;
  LLVMValueRef times = emit_floordiv(irb, type, x);
  return LLVMBuildFSub(irb->b, x[0], LLVMBuildFMul(irb->b, x[1], times, ""), "");
}

EMIT(max) { return scalar_max(irb, type, x[0], x[1]); }
EMIT(min) { return scalar_min(irb, type, x[0], x[1]); }

EMIT(eq) {
  if (type == DT_F32) return LLVMBuildFCmp(irb->b, LLVMRealOEQ, x[0], x[1], "");
  return LLVMBuildICmp(irb->b, LLVMIntEQ, x[0], x[1], "");
}

EMIT(ne) {
  if (type == DT_F32) return LLVMBuildFCmp(irb->b, LLVMRealUNE, x[0], x[1], "");
  return LLVMBuildICmp(irb->b, LLVMIntNE, x[0], x[1], "");
}

EMIT(lt) { return less(irb, type, x[0], x[1]); }

EMIT(le) {
  if (type == DT_F32) return LLVMBuildFCmp(irb->b, LLVMRealOLE, x[0], x[1], "");
  return LLVMBuildICmp(irb->b, LLVMIntSLE, x[0], x[1], "");
}

EMIT(and) {
  UNUSED_TYPE;
  return LLVMBuildAnd(irb->b, x[0], x[1], ""); }
EMIT(or) {
  UNUSED_TYPE;
  return LLVMBuildOr(irb->b, x[0], x[1], ""); }
EMIT(not) {
  UNUSED_TYPE;
  return LLVMBuildNot(irb->b, x[0], ""); }
EMIT(select) {
  UNUSED_TYPE;
  return irb_select(irb, x[0], x[1], x[2]); }

EMIT(to_f32) {
  LLVMTypeRef f32 = irb_like(irb->f32, x[0]);
  if (type == DT_F32) return x[0];
  return type == DT_I32 ? LLVMBuildSIToFP(irb->b, x[0], f32, "") : LLVMBuildUIToFP(irb->b, x[0], f32, "");
}

// Toward zero; what lies outside i32 goes to its nearest end, NaN to 0. The conversion itself only sees numbers that fit.
EMIT(to_i32) {
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
