// Chance of a generator: a sequence of decisions that follows from (seed, stream) alone.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "random.h"

typedef struct Choice {
  uint64_t seed, stream, next;
} Choice;

// 0..count, exclusive.
static inline int64_t choice_below(Choice *c, int64_t count) {
  return (int64_t)random_below(c->seed, c->stream, c->next++, (uint64_t)count);
}
// low..high, both included.
static inline int64_t choice_in(Choice *c, int64_t low, int64_t high) { return low + choice_below(c, high - low + 1); }
// True once in `count` times.
static inline bool choice_once_in(Choice *c, int64_t count) { return choice_below(c, count) == 0; }
static inline double choice_real(Choice *c, double low, double high) {
  return (double)(float)(low + (high - low) * (double)random_uniform(c->seed, c->stream, c->next++));
}
#define CHOICE_OF(c, array) ((array)[choice_below(c, (int64_t)(sizeof(array) / sizeof *(array)))])
