#include "clock.h"

#include <stddef.h>
#include <time.h>

static double system_seconds(void *state) {
  (void)state;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int64_t system_unix_time(void *state) {
  (void)state;
  return (int64_t)time(NULL);
}

Clock clock_system(void) { return (Clock){system_seconds, system_unix_time, NULL}; }
