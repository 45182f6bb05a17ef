// Building LLVM IR that is the same for scalars and for vectors: constants and types take the shape of a value.
#pragma once
#include <llvm-c/Core.h>
#include <stdbool.h>
#include <stdint.h>

enum { IRB_MOST_LANES = 64 };

typedef struct Irb {
  LLVMContextRef context;
  LLVMModuleRef module;
  LLVMBuilderRef b;
  LLVMTypeRef i1, i8, i32, i64, f32, f64, ptr;
} Irb;

Irb irb_new(LLVMModuleRef module);  // with a builder of its own
void irb_free(Irb *irb);

LLVMTypeRef irb_vector(LLVMTypeRef scalar, int lanes);         // lanes 1: the scalar itself
int irb_lanes(LLVMValueRef value);                             // 1: a scalar
LLVMTypeRef irb_like(LLVMTypeRef scalar, LLVMValueRef value);  // with value's lanes
LLVMValueRef irb_int(LLVMTypeRef type, int64_t n);             // scalar or splat
LLVMValueRef irb_float(LLVMTypeRef type, double x);            // scalar or splat
LLVMValueRef irb_i64(const Irb *irb, int64_t n);
LLVMValueRef irb_splat(const Irb *irb, LLVMValueRef scalar, int lanes);
LLVMValueRef irb_iota(LLVMTypeRef scalar, int lanes, int64_t step);  // 0, step, 2*step, ..
LLVMValueRef irb_mask(const Irb *irb, int lanes, int live);          // the first `live` lanes, a constant
LLVMValueRef irb_extract(const Irb *irb, LLVMValueRef vector, int lane);
LLVMValueRef irb_insert(const Irb *irb, LLVMValueRef vector, LLVMValueRef scalar, int lane);
LLVMValueRef irb_part(const Irb *irb, LLVMValueRef vector, int first, int lanes);  // lanes first .. first+lanes
// Transposes rows[n] of n lanes, n a power of two, in registers.
void irb_transpose(const Irb *irb, LLVMValueRef *rows, int n);
LLVMValueRef irb_bits(const Irb *irb, LLVMValueRef value, LLVMTypeRef scalar);  // bitcast, lane by lane

// A call of an overloaded intrinsic ("llvm.fma") whose overload types are those of its first argument.
LLVMValueRef irb_call(const Irb *irb, const char *intrinsic, LLVMValueRef *args, int n);
LLVMValueRef irb_fma(const Irb *irb, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
LLVMValueRef irb_select(const Irb *irb, LLVMValueRef condition, LLVMValueRef yes, LLVMValueRef no);
// for (variable = from; variable < to; variable += step): what is emitted between begin and end. May run never.
typedef struct IrbLoop {
  LLVMBasicBlockRef before, head, done;
  LLVMValueRef variable;
} IrbLoop;
IrbLoop irb_loop_begin(const Irb *irb, LLVMValueRef from, LLVMValueRef to, const char *name);
void irb_loop_end(const Irb *irb, const IrbLoop *loop, int64_t step);
// Right behind the loop's begin: a value that every turn may change, `first` before the first. After the end it is the
// last turn's. irb_loop_carry hands the next turn's to the loop, right before its end.
LLVMValueRef irb_loop_carried(const Irb *irb, const IrbLoop *loop, LLVMValueRef first);
void irb_loop_carry(const Irb *irb, LLVMValueRef carried, LLVMValueRef next);
LLVMBasicBlockRef irb_block(const Irb *irb, const char *name);  // appended to the function being built
