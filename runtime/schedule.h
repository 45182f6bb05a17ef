// The learning rate over a run, and what watches its scores. Pure functions of the spec, the position and a few numbers
// that a checkpoint holds, so that a resumed run has the rates of an uninterrupted one.
#pragma once
#include "spec.h"

// What a watched score has been so far.
typedef struct Watch {
  double best;    // infinite before the first epoch
  int64_t since;  // epochs in a row without improvement
} Watch;

Watch watch_new(const WatchSpec *spec);
// Takes an epoch's value (a NaN is no improvement); true when the patience is at its end: `since` >= patience.
bool watch_take(Watch *watch, const WatchSpec *spec, double value);

// The learning rate before update number `step` (from 0) of a run of total_steps, steps_per_epoch. `plateau`: what a
// plateau has made of the level so far, 1 at first.
double schedule_rate(const ScheduleSpec *schedule, double lr, int64_t step, int64_t steps_per_epoch,
                     int64_t total_steps, double plateau);
// The piece that update number `step` falls into; -1 where the schedule has none.
int schedule_piece(const ScheduleSpec *schedule, int64_t step, int64_t steps_per_epoch);
