// Philox 4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
#include "random.h"

#include <math.h>

enum { ROUNDS = 10 };

static void philox_round(uint32_t c[4], const uint32_t key[2]) {
  uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
  uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ key[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ key[1],
                      (uint32_t)a};
  for (int k = 0; k < 4; k++) c[k] = next[k];
}

Random4 random_block(uint64_t seed, uint64_t stream, uint64_t index) {
  Random4 block = {{(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
  uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  for (int round = 0; round < ROUNDS; round++) {
    philox_round(block.v, key);
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return block;
}

uint32_t random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
  return random_block(seed, stream, index / 4).v[index % 4];
}

float random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  return (float)(random_bits(seed, stream, index) >> 8) * 0x1p-24f;
}

// Box and Muller 1958: sqrt(-2 log u) cos(2 pi v), u in (0, 1], each from 53 bits.
double random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  Random4 r = random_block(seed, stream, index);
  uint64_t a = ((uint64_t)r.v[0] << 32 | r.v[1]) >> 11, b = ((uint64_t)r.v[2] << 32 | r.v[3]) >> 11;
  double u = ((double)a + 1) * 0x1p-53, v = (double)b * 0x1p-53;
  return sqrt(-2 * log(u)) * cos(6.283185307179586476925 * v);
}

#ifdef __SIZEOF_INT128__  // not on every target of built libraries, which need it not
// Multiplication instead of a remainder (Lemire 2019) with the bias left in: below bound/2^64.
uint64_t random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound) {
  Random4 r = random_block(seed, stream, index);
  uint64_t bits = (uint64_t)r.v[0] << 32 | r.v[1];
  return (uint64_t)(((unsigned __int128)bits * bound) >> 64);
}
#endif

uint64_t random_stream(const char *name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
  return hash;
}
