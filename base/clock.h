// The one clock: monotonic seconds and wall time, replaceable in tests.
#pragma once
#include <stdint.h>

typedef struct Clock {
  double (*seconds)(void *state);     // monotonic
  int64_t (*unix_time)(void *state);  // wall clock, seconds since 1970
  void *state;
} Clock;

Clock clock_system(void);
