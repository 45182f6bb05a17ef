// Philox 4x32-10 (base/random.c has the reference). Words are kept in 64-bit lanes with the upper half 0, which is what the
// widening multiplication wants.
#include "philox.h"

enum { ROUNDS = 10 };

static LLVMValueRef low_word(const Irb *irb, LLVMValueRef x) {
  return LLVMBuildAnd(irb->b, x, irb_int(LLVMTypeOf(x), 0xffffffff), "");
}

static LLVMValueRef high_word(const Irb *irb, LLVMValueRef x) {
  return LLVMBuildLShr(irb->b, x, irb_int(LLVMTypeOf(x), 32), "");
}

static void philox_round(const Irb *irb, LLVMValueRef c[4], LLVMValueRef key0, LLVMValueRef key1) {
  LLVMValueRef a = LLVMBuildMul(irb->b, c[0], irb_int(LLVMTypeOf(c[0]), 0xD2511F53), "");
  LLVMValueRef b = LLVMBuildMul(irb->b, c[2], irb_int(LLVMTypeOf(c[2]), 0xCD9E8D57), "");
  LLVMValueRef next0 = LLVMBuildXor(irb->b, LLVMBuildXor(irb->b, high_word(irb, b), c[1], ""), key0, "");
  LLVMValueRef next2 = LLVMBuildXor(irb->b, LLVMBuildXor(irb->b, high_word(irb, a), c[3], ""), key1, "");
  c[0] = next0, c[1] = low_word(irb, b), c[2] = next2, c[3] = low_word(irb, a);
}

// Word index % 4 of block index / 4.
static LLVMValueRef random_word(const Irb *irb, LLVMValueRef seed, LLVMValueRef stream, LLVMValueRef index) {
  LLVMTypeRef type = LLVMTypeOf(index);
  int lanes = irb_lanes(index);
  LLVMValueRef block = LLVMBuildLShr(irb->b, index, irb_int(type, 2), "");
  LLVMValueRef c[4] = {low_word(irb, block), high_word(irb, block), irb_splat(irb, low_word(irb, stream), lanes),
                       irb_splat(irb, high_word(irb, stream), lanes)};
  LLVMValueRef key0 = low_word(irb, seed), key1 = high_word(irb, seed);
  for (int round = 0; round < ROUNDS; round++) {
    philox_round(irb, c, irb_splat(irb, key0, lanes), irb_splat(irb, key1, lanes));
    key0 = low_word(irb, LLVMBuildAdd(irb->b, key0, irb_i64(irb, 0x9E3779B9), ""));
    key1 = low_word(irb, LLVMBuildAdd(irb->b, key1, irb_i64(irb, 0xBB67AE85), ""));
  }
  LLVMValueRef which = LLVMBuildAnd(irb->b, index, irb_int(type, 3), ""), word = c[0];
  for (int k = 1; k < 4; k++)
    word = irb_select(irb, LLVMBuildICmp(irb->b, LLVMIntEQ, which, irb_int(type, k), ""), c[k], word);
  return word;
}

// The top 24 bits over 2^24.
LLVMValueRef philox_uniform(const Irb *irb, LLVMValueRef seed, LLVMValueRef stream, LLVMValueRef index) {
  LLVMValueRef word = random_word(irb, seed, stream, index);
  LLVMValueRef top = LLVMBuildTrunc(irb->b, LLVMBuildLShr(irb->b, word, irb_int(LLVMTypeOf(word), 8), ""),
                                    irb_like(irb->i32, index), "");
  LLVMValueRef number = LLVMBuildSIToFP(irb->b, top, irb_like(irb->f32, index), "");
  return LLVMBuildFMul(irb->b, number, irb_float(LLVMTypeOf(number), 0x1p-24), "");
}
