// Training: from a compiled program and its data to a finished run.
#pragma once
#include "checkpoint.h"
#include "pipeline.h"

// Trains p's model as its train block says, into `run` (open and locked; the caller closes it). With `resume` goes on
// from the newest checkpoint, or from the start where there is none. Mistakes go into the session's sink; the metrics
// of every split go to session->out. Returns an exit status.
int train_run(Pipeline *p, RunDir *run, bool resume);
// Marks the parameters that --freeze names. False after reporting that there are none.
bool trainer_freeze(Session *session, TensorTable *params);
