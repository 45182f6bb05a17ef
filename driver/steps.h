// Steps on data in memory, timed: what dlc bench and dlc explain run. Opens no data: normal inputs, uniform labels. A
// model without a train block takes mean(out^2) as its loss and plain SGD.
#pragma once
#include "runner.h"

typedef struct Steps {
  Session *session;
  Pipeline *p;
  Unit *unit;
  Arena *arena;  // of what the steps need
  Runner *runner;
  Optimizer optimizer;
  bool trains;
  uint64_t step;
  double *times;  // [n_times] milliseconds, sorted by steps_time
  int n_times;
  double first_step_s, compile_s;
  int64_t resident_before;  // bytes of the process in memory before those of the step were asked for; 0: not known
  bool profiles;            // set before steps_time: then the next three are filled
  StepProfile profile;      // sums over the n_times steps
  double update_ns;         // of the optimizer, summed likewise
} Steps;

// Compiles the version that the command line asks for and does one step. False after reporting; then, as always,
// steps_end.
bool steps_begin(Steps *steps, Pipeline *p);
// Steps for `seconds`, a few at least.
void steps_time(Steps *steps, double seconds);
double steps_median(const Steps *steps);  // milliseconds
// Bytes that the process holds in memory more than before the step's memory was asked for; 0 where that is not known.
int64_t steps_resident(const Steps *steps);
void steps_end(Steps *steps);
