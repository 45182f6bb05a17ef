// Philox 4x32-10 (base/random.c has the reference). Words are kept in 64-bit lanes with the upper half 0, which is what
// the widening multiplication wants.
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

typedef struct Words {
  LLVMValueRef word[4];
} Words;

static Words random_words(const Irb *irb, LLVMValueRef seed, LLVMValueRef stream, LLVMValueRef block) {
  int lanes = irb_lanes(block);
  Words w = {{low_word(irb, block), high_word(irb, block), irb_splat(irb, low_word(irb, stream), lanes),
              irb_splat(irb, high_word(irb, stream), lanes)}};
  LLVMValueRef key0 = low_word(irb, seed), key1 = high_word(irb, seed);
  for (int round = 0; round < ROUNDS; round++) {
    philox_round(irb, w.word, irb_splat(irb, key0, lanes), irb_splat(irb, key1, lanes));
    key0 = low_word(irb, LLVMBuildAdd(irb->b, key0, irb_i64(irb, 0x9E3779B9), ""));
    key1 = low_word(irb, LLVMBuildAdd(irb->b, key1, irb_i64(irb, 0xBB67AE85), ""));
  }
  return w;
}

// The top 24 bits of words over 2^24.
static LLVMValueRef uniform(const Irb *irb, LLVMValueRef words) {
  LLVMValueRef top = LLVMBuildTrunc(irb->b, LLVMBuildLShr(irb->b, words, irb_int(LLVMTypeOf(words), 8), ""),
                                    irb_like(irb->i32, words), "");
  LLVMValueRef number = LLVMBuildSIToFP(irb->b, top, irb_like(irb->f32, words), "");
  return LLVMBuildFMul(irb->b, number, irb_float(LLVMTypeOf(number), 0x1p-24), "");
}

LLVMValueRef philox_uniform(const Irb *irb, LLVMValueRef seed, LLVMValueRef stream, LLVMValueRef index) {
  LLVMTypeRef type = LLVMTypeOf(index);
  Words w = random_words(irb, seed, stream, LLVMBuildLShr(irb->b, index, irb_int(type, 2), ""));
  LLVMValueRef which = LLVMBuildAnd(irb->b, index, irb_int(type, 3), ""), word = w.word[0];
  for (int k = 1; k < 4; k++)
    word = irb_select(irb, LLVMBuildICmp(irb->b, LLVMIntEQ, which, irb_int(type, k), ""), w.word[k], word);
  return uniform(irb, word);
}

// Both vectors, one behind the other.
static LLVMValueRef concatenate(const Irb *irb, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef places = irb_iota(irb->i32, 2 * irb_lanes(a), 1);
  return LLVMBuildShuffleVector(irb->b, a, b, places, "");
}

// Lane 4b + w of the result is lane b of word w.
static LLVMValueRef interleave(const Irb *irb, const Words *w, int lanes) {
  LLVMValueRef places[PHILOX_MAX_LANES];
  for (int k = 0; k < lanes; k++) places[k] = irb_int(irb->i32, k % 4 * (lanes / 4) + k / 4);
  LLVMValueRef low = concatenate(irb, w->word[0], w->word[1]), high = concatenate(irb, w->word[2], w->word[3]);
  return LLVMBuildShuffleVector(irb->b, low, high, LLVMConstVector(places, (unsigned)lanes), "");
}

LLVMValueRef philox_uniform_run(const Irb *irb, LLVMValueRef seed, LLVMValueRef stream, LLVMValueRef first, int lanes) {
  LLVMValueRef block = irb_splat(irb, LLVMBuildLShr(irb->b, first, irb_i64(irb, 2), ""), lanes / 4);
  if (lanes > 4) block = LLVMBuildAdd(irb->b, block, irb_iota(irb->i64, lanes / 4, 1), "");
  Words w = random_words(irb, seed, stream, block);
  LLVMTypeRef i32s = irb_like(irb->i32, block);
  for (int k = 0; k < 4; k++) {
    w.word[k] = LLVMBuildTrunc(irb->b, w.word[k], i32s, "");
    if (lanes == 4) w.word[k] = irb_insert(irb, LLVMGetPoison(LLVMVectorType(irb->i32, 1)), w.word[k], 0);
  }
  return uniform(irb, interleave(irb, &w, lanes));
}
