// Schedules: pieces one after the other, each starting from the level that the one before ended with.
#include "schedule.h"

#include <math.h>

// ---- scores that are watched ----------------------------------------------------------------------------------------

Watch watch_new(const WatchSpec *spec) { return (Watch){.best = spec->maximize ? -INFINITY : INFINITY}; }

bool watch_take(Watch *watch, const WatchSpec *spec, double value) {
  bool better = spec->maximize ? value > watch->best : value < watch->best;
  if (better) watch->best = value;
  watch->since = better ? 0 : watch->since + 1;
  return watch->since >= spec->patience;
}

// ---- the rate -------------------------------------------------------------------------------------------------------

static double in_steps(RunLength length, int64_t steps_per_epoch) {
  return length.count * (length.in_steps ? 1 : (double)steps_per_epoch);
}

// The level `at` steps into a piece that starts at `level` and lasts `length` steps.
static double piece_level(const SchedulePiece *p, double level, double at, double length, int64_t steps_per_epoch,
                          double plateau) {
  double part = length > 0 ? fmin(1, at / length) : 1;
  switch (p->kind) {
    case SCHEDULE_CONSTANT:
      return level;
    case SCHEDULE_WARMUP:  // the first update is not lost: (at + 1) / length
      return length > 0 ? level * fmin(1, (at + 1) / length) : level;
    case SCHEDULE_STEP: {
      double every = in_steps(p->every, steps_per_epoch);
      return every > 0 ? level * pow(p->factor, floor(at / every)) : level;
    }
    case SCHEDULE_COSINE:  // Loshchilov and Hutter 2017, one period
      return p->to + (level - p->to) * (1 + cos(3.14159265358979323846 * part)) / 2;
    case SCHEDULE_LINEAR:
      return level + (p->to - level) * part;
    case SCHEDULE_EXPONENTIAL:
      return level * pow(p->factor, at / (double)steps_per_epoch);
    case SCHEDULE_PLATEAU:
      return level * plateau;
  }
  return level;
}

int schedule_piece(const ScheduleSpec *schedule, int64_t step, int64_t steps_per_epoch) {
  double start = 0;
  for (int k = 0; k < schedule->n; k++) {
    double length = in_steps(schedule->piece[k].length, steps_per_epoch);
    if (k == schedule->n - 1 || (double)step < start + length) return k;
    start += length;
  }
  return -1;
}

double schedule_rate(const ScheduleSpec *schedule, double lr, int64_t step, int64_t steps_per_epoch,
                     int64_t total_steps, double plateau) {
  double level = 1, start = 0;
  int now = schedule_piece(schedule, step, steps_per_epoch);
  for (int k = 0; k <= now; k++) {
    const SchedulePiece *p = &schedule->piece[k];
    double length = in_steps(p->length, steps_per_epoch);
    if (p->length.count == 0) length = (double)total_steps - start;
    level = piece_level(p, level, k < now ? length : (double)step - start, length, steps_per_epoch, plateau);
    start += length;
  }
  return lr * level;
}
