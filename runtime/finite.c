#include "finite.h"

#include <stdatomic.h>
#include <string.h>

enum { GRAIN = 4096 };
static const uint32_t EXPONENT = 0x7f800000;  // all ones in NaN and infinity, and nowhere else

typedef struct Search {
  const float *values;
  atomic_bool bad;
} Search;

static bool is_bad(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (bits & EXPONENT) == EXPONENT;
}

// No early end: without one the loop is as fast as memory.
static void search(void *state, int64_t begin, int64_t end) {
  Search *s = state;
  unsigned bad = 0;
  for (int64_t k = begin; k < end; k++) bad |= is_bad(s->values[k]);
  if (bad) atomic_store_explicit(&s->bad, true, memory_order_relaxed);
}

int64_t finite_first_bad(Team *team, const float *values, int64_t count) {
  Search s = {.values = values};
  team_for(team, count, GRAIN, search, &s);
  if (!atomic_load(&s.bad)) return -1;
  for (int64_t k = 0; k < count; k++)
    if (is_bad(values[k])) return k;
  return -1;
}
