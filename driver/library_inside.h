// A model of libdlc. Private to library.c and library_run.c.
#pragma once
#include "dlc.h"
#include "optimizer.h"
#include "runner.h"

struct DlcModel {
  Session session;  // its guard is where memory that cannot be had jumps to
  Pipeline *pipeline;
  DlcOptions options;
  int status;
  Text messages;
  uint64_t float_mode;  // the host's, during a call
  Unit *infer, *train;  // train: NULL without options.train
  Team *team;
  Runner *predicts, *trains;  // NULL before dlc_compile; they share parameters and states
  Optimizer optimizer;
  double *squares;  // for gradient_clip
  uint64_t seed;
  double rate;  // of dlc_set_rate; 0: none
  int64_t steps_per_epoch, steps;
  int loss;  // number of the output
};

// The body of every function that may fail: `work` with the guard set, which must be set in the frame of that function.
// DLC_USAGE for a model that is NULL, DLC_RESOURCE where memory runs out.
#define LIBRARY_CALL(model, work) \
  do { \
    if (!library_begin(model)) return DLC_USAGE; \
    if (setjmp((model)->session.guard.jump)) return library_lacks_memory(model); \
    return library_end(model, work); \
  } while (0)
bool library_begin(DlcModel *model);
int library_end(DlcModel *model, int status);  // what the messages say decides, where they say anything
int library_lacks_memory(DlcModel *model);
// Reports a caller's mistake: DLC_USAGE.
int library_refuse(DlcModel *model, const char *what);
