// What a training run holds. Private to trainer.c and trainer_setup.c.
#pragma once
#include "evaluate.h"
#include "insight.h"
#include "progress.h"
#include "trainer.h"

typedef enum Outcome { GOES_ON, STOPPED, DIVERGED, CANNOT_WRITE, NO_MEMORY } Outcome;

typedef struct Trainer {
  Session *session;
  Arena *arena;  // of what lives as long as the run
  Pipeline *p;
  const TrainSpec *spec;
  RunDir *run;  // NULL: one of a search's many, which leaves nothing behind and says nothing
  int log;      // --log's file, or -1
  Team *team;
  Unit *train_unit, *test_unit;
  Runner *train, *test;  // share parameters and states
  DataStore *store;
  BoundSplit *split;    // train
  BoundSplit **others;  // every other split: [n_others]
  int n_others;
  Loader *loader;
  Optimizer optimizer;
  double *squares;  // for gradient_clip
  RunState state;
  int *outputs;            // of the step: whose values state.sums adds up, the loss first: [state.n_sums]
  int64_t batches, steps;  // of an epoch, of the run
  bool unsaved;            // something changed since the last checkpoint
  int failed_writes;       // in a row
  double lr;               // of the last update
  double epoch_start;      // clock seconds
  int64_t epoch_rows;      // trained on since then
  double epoch_rate;       // rows a second of the epoch before; 0: none
  int64_t last_rows;       // of the last batch, which still stands in the inputs
  Insight *insight;
  StepProfile *work;  // what each thread did; NULL: nobody asks
  Progress progress;
  Text line, speed;  // reused
} Trainer;

// The loop, once everything is there.
Outcome trainer_loop(Trainer *t);
// Runners, counts, first weights and the loader of a trainer whose units, team and splits are there already.
bool trainer_open_fold(Trainer *t);

// The name of sum k of the state: "loss" or the metric's.
const char *trainer_sum_name(const Trainer *t, int k);

// Compiles, opens the data, takes the weights' first values or the newest checkpoint's, starts the loader. False after
// reporting; what is there then is released all the same.
bool trainer_open(Trainer *t, bool resume);
void trainer_release(Trainer *t);
