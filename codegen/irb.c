// Building LLVM IR for scalars and vectors alike.
#include "irb.h"

#include <string.h>

Irb irb_new(LLVMModuleRef module) {
  LLVMContextRef context = LLVMGetModuleContext(module);
  return (Irb){.context = context,
               .module = module,
               .b = LLVMCreateBuilderInContext(context),
               .i1 = LLVMInt1TypeInContext(context),
               .i8 = LLVMInt8TypeInContext(context),
               .i32 = LLVMInt32TypeInContext(context),
               .i64 = LLVMInt64TypeInContext(context),
               .f32 = LLVMFloatTypeInContext(context),
               .f64 = LLVMDoubleTypeInContext(context),
               .ptr = LLVMPointerTypeInContext(context, 0)};
}

void irb_free(Irb *irb) { LLVMDisposeBuilder(irb->b); }

LLVMTypeRef irb_vector(LLVMTypeRef scalar, int lanes) {
  return lanes == 1 ? scalar : LLVMVectorType(scalar, (unsigned)lanes);
}

static bool is_vector(LLVMTypeRef type) { return LLVMGetTypeKind(type) == LLVMVectorTypeKind; }

int irb_lanes(LLVMValueRef value) {
  LLVMTypeRef type = LLVMTypeOf(value);
  return is_vector(type) ? (int)LLVMGetVectorSize(type) : 1;
}

LLVMTypeRef irb_like(LLVMTypeRef scalar, LLVMValueRef value) { return irb_vector(scalar, irb_lanes(value)); }

static LLVMValueRef repeat(LLVMValueRef constant, int lanes) {
  LLVMValueRef all[IRB_MOST_LANES];
  for (int k = 0; k < lanes; k++) all[k] = constant;
  return LLVMConstVector(all, (unsigned)lanes);
}

LLVMValueRef irb_int(LLVMTypeRef type, int64_t n) {
  if (is_vector(type)) return repeat(irb_int(LLVMGetElementType(type), n), (int)LLVMGetVectorSize(type));
  return LLVMConstInt(type, (unsigned long long)n, true);
}

LLVMValueRef irb_float(LLVMTypeRef type, double x) {
  if (is_vector(type)) return repeat(irb_float(LLVMGetElementType(type), x), (int)LLVMGetVectorSize(type));
  return LLVMConstReal(type, x);
}

LLVMValueRef irb_i64(const Irb *irb, int64_t n) { return irb_int(irb->i64, n); }

LLVMValueRef irb_splat(const Irb *irb, LLVMValueRef scalar, int lanes) {
  if (lanes == 1) return scalar;
  if (LLVMIsConstant(scalar)) return repeat(scalar, lanes);
  LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), (unsigned)lanes);
  LLVMValueRef first = irb_insert(irb, LLVMGetPoison(type), scalar, 0);
  LLVMValueRef zeros = LLVMConstNull(LLVMVectorType(irb->i32, (unsigned)lanes));
  return LLVMBuildShuffleVector(irb->b, first, LLVMGetPoison(type), zeros, "");
}

LLVMValueRef irb_iota(LLVMTypeRef scalar, int lanes, int64_t step) {
  LLVMValueRef all[IRB_MOST_LANES];
  for (int k = 0; k < lanes; k++) all[k] = irb_int(scalar, k * step);
  return LLVMConstVector(all, (unsigned)lanes);
}

LLVMValueRef irb_mask(const Irb *irb, int lanes, int live) {
  LLVMValueRef all[IRB_MOST_LANES];
  for (int k = 0; k < lanes; k++) all[k] = irb_int(irb->i1, k < live);
  return LLVMConstVector(all, (unsigned)lanes);
}

LLVMValueRef irb_extract(const Irb *irb, LLVMValueRef vector, int lane) {
  return LLVMBuildExtractElement(irb->b, vector, irb_int(irb->i32, lane), "");
}

LLVMValueRef irb_insert(const Irb *irb, LLVMValueRef vector, LLVMValueRef scalar, int lane) {
  return LLVMBuildInsertElement(irb->b, vector, scalar, irb_int(irb->i32, lane), "");
}

LLVMValueRef irb_part(const Irb *irb, LLVMValueRef vector, int first, int lanes) {
  LLVMValueRef places[IRB_MOST_LANES];
  for (int k = 0; k < lanes; k++) places[k] = irb_int(irb->i32, first + k);
  LLVMValueRef mask = LLVMConstVector(places, (unsigned)lanes);
  return LLVMBuildShuffleVector(irb->b, vector, LLVMGetPoison(LLVMTypeOf(vector)), mask, "");
}

// Lanes k of both rows where bit `half` of k is clear, from `a` and then from `b`; or where it is set.
static LLVMValueRef exchange(const Irb *irb, LLVMValueRef a, LLVMValueRef b, int n, int half, bool upper) {
  LLVMValueRef places[IRB_MOST_LANES];
  for (int k = 0; k < n; k++) {
    bool set = k & half;
    int from = upper ? (set ? n + k : k + half) : (set ? n + k - half : k);
    places[k] = irb_int(irb->i32, from);
  }
  return LLVMBuildShuffleVector(irb->b, a, b, LLVMConstVector(places, (unsigned)n), "");
}

// By exchanging ever smaller blocks off the diagonal (J. Eklundh, "A fast computer method for matrix transposing", IEEE
// Trans. Computers 1972).
void irb_transpose(const Irb *irb, LLVMValueRef *rows, int n) {
  for (int half = n / 2; half >= 1; half /= 2)
    for (int k = 0; k < n; k++) {
      if (k & half) continue;
      LLVMValueRef a = rows[k], b = rows[k + half];
      rows[k] = exchange(irb, a, b, n, half, false);
      rows[k + half] = exchange(irb, a, b, n, half, true);
    }
}

LLVMValueRef irb_bits(const Irb *irb, LLVMValueRef value, LLVMTypeRef scalar) {
  return LLVMBuildBitCast(irb->b, value, irb_like(scalar, value), "");
}

LLVMValueRef irb_call(const Irb *irb, const char *intrinsic, LLVMValueRef *args, int n) {
  unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
  LLVMTypeRef over = LLVMTypeOf(args[0]);
  LLVMValueRef function = LLVMGetIntrinsicDeclaration(irb->module, id, &over, 1);
  return LLVMBuildCall2(irb->b, LLVMIntrinsicGetType(irb->context, id, &over, 1), function, args, (unsigned)n, "");
}

LLVMValueRef irb_fma(const Irb *irb, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
  return irb_call(irb, "llvm.fma", (LLVMValueRef[]){a, b, c}, 3);
}

LLVMValueRef irb_select(const Irb *irb, LLVMValueRef condition, LLVMValueRef yes, LLVMValueRef no) {
  return LLVMBuildSelect(irb->b, condition, yes, no, "");
}

LLVMBasicBlockRef irb_block(const Irb *irb, const char *name) {
  LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(irb->b));
  return LLVMAppendBasicBlockInContext(irb->context, function, name);
}

IrbLoop irb_loop_begin(const Irb *irb, LLVMValueRef from, LLVMValueRef to, const char *name) {
  LLVMBasicBlockRef before = LLVMGetInsertBlock(irb->b), body = irb_block(irb, name);
  IrbLoop loop = {.before = before, .head = irb_block(irb, "head"), .done = irb_block(irb, "done")};
  LLVMBuildBr(irb->b, loop.head);
  LLVMPositionBuilderAtEnd(irb->b, loop.head);
  loop.variable = LLVMBuildPhi(irb->b, irb->i64, name);
  LLVMAddIncoming(loop.variable, &from, &before, 1);
  LLVMBuildCondBr(irb->b, LLVMBuildICmp(irb->b, LLVMIntSLT, loop.variable, to, ""), body, loop.done);
  LLVMPositionBuilderAtEnd(irb->b, body);
  return loop;
}

void irb_loop_end(const Irb *irb, const IrbLoop *loop, int64_t step) {
  LLVMValueRef next = LLVMBuildNSWAdd(irb->b, loop->variable, irb_i64(irb, step), "");
  LLVMBasicBlockRef from = LLVMGetInsertBlock(irb->b);
  LLVMAddIncoming(loop->variable, &next, &from, 1);
  LLVMBuildBr(irb->b, loop->head);
  LLVMPositionBuilderAtEnd(irb->b, loop->done);
}

LLVMValueRef irb_loop_carried(const Irb *irb, const IrbLoop *loop, LLVMValueRef first) {
  LLVMBasicBlockRef body = LLVMGetInsertBlock(irb->b);
  LLVMPositionBuilderBefore(irb->b, loop->variable);
  LLVMValueRef carried = LLVMBuildPhi(irb->b, LLVMTypeOf(first), "carried");
  LLVMBasicBlockRef before = loop->before;
  LLVMAddIncoming(carried, &first, &before, 1);
  LLVMPositionBuilderAtEnd(irb->b, body);
  return carried;
}

void irb_loop_carry(const Irb *irb, LLVMValueRef carried, LLVMValueRef next) {
  LLVMBasicBlockRef from = LLVMGetInsertBlock(irb->b);
  LLVMAddIncoming(carried, &next, &from, 1);
}
