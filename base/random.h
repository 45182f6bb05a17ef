// Counter-based random numbers: Philox 4x32-10 (Salmon et al., SC'11). A number is a pure function of
// (seed, stream, index), so any element can be had in any order, on any thread, again.
#pragma once
#include <stdint.h>

typedef struct Random4 {
  uint32_t v[4];
} Random4;

// The block number `index` of the stream. Philox key = seed, counter = (index, stream).
Random4 random_block(uint64_t seed, uint64_t stream, uint64_t index);
// The 32 random bits of element `index`: word index%4 of block index/4.
uint32_t random_bits(uint64_t seed, uint64_t stream, uint64_t index);
// Uniform in [0, 1): the top 24 bits over 2^24; exact in float.
float random_uniform(uint64_t seed, uint64_t stream, uint64_t index);
// Standard normal of element `index` (Box-Muller on words of its own block), computed in double.
double random_normal(uint64_t seed, uint64_t stream, uint64_t index);
// Uniform integer in 0..bound (exclusive), bound >= 1.
uint64_t random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound);
// Stream numbers are made from names, so that no two uses share one: 64-bit FNV-1a of the text.
uint64_t random_stream(const char *name);
