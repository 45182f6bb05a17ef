// A compiled unit with memory to run in: the planned block, parameters, gradients, states, inputs; and a step of it.
#pragma once
#include "optimizer.h"
#include "pipeline.h"
#include "threads.h"

typedef struct Runner {
  const DlcStep *step;
  Team *team;
  const TensorTable *params, *states;
  StepBinding binding;
  int64_t symbols[DLC_MAX_SYMBOLS];  // values of those that memory's rows decide; 0: the batch
  char **inputs;              // [step->n_inputs]; runner_new gives each room for a full batch, callers may repoint
  char **scratch;             // for step_run
  float *param, *grad;        // [params->block_floats]
  float *state, *state_next;  // [states->block_floats]
  int64_t bytes;              // of all blocks together
} Runner;

// Room for a unit that has been through pipeline_codegen, all zero. `shared`: NULL, or a runner whose parameter and
// state blocks this one uses, and whose gradient block where it has one (training and evaluation of the same model);
// tables must agree.
Runner *runner_new(Arena *arena, const Unit *unit, Team *team, const Runner *shared);
// The initial weights and states of a seed.
void runner_init(Runner *runner, uint64_t seed);
// The weights of --weights, which a model without parameters and states needs not. False after reporting.
bool runner_load_weights(Session *session, Runner *runner);
bool weights_of_option(Session *session, const TensorTable *params, float *param, const TensorTable *states,
                       float *state);  // the same into blocks of one's own
// One step on a batch of `rows` rows. New states are in state_next; runner_accept makes them current.
void runner_step(Runner *runner, int64_t rows, uint64_t seed, uint64_t step_number, StepProfile *profile);
void runner_accept(Runner *runner);
// Parameters or states are no longer those of the last step: what follows from them alone is computed anew. To be
// called by whoever changes them behind a runner that has done a step; training steps need it not.
void runner_weights_changed(Runner *runner);

// Points the inputs that memory fills at it, all of it or a fold's; runner_new does this with the unit's.
void runner_hold(Runner *runner, const struct Memory *memory);
// Points the others, in order, at a batch's fields.
void runner_take(Runner *runner, void *const *fields);

// Where an output of the step lies, valid until the next step. -1/NULL where there is none of that kind and name
// (name NULL: the first of the kind).
int runner_find_output(const Runner *runner, OutputKind kind, const char *name);
const void *runner_output(const Runner *runner, int output);
int runner_find_input(const Runner *runner, const char *name);

// Elements of an input or output of the step for a batch of `rows`; the constant shape of one row's worth is
// dim[1..rank) where dimension 0 is the batch.
int64_t runner_elements(const DlcTensor *tensor, int64_t rows);
int64_t runner_dim(const DlcTensor *tensor, int d, int64_t rows);
bool runner_is_batched(const DlcTensor *tensor);  // does dimension 0 depend on the batch?
// The same sizes, of a step that may hold memory, whose rows are sizes of their own.
int64_t runner_held_elements(const Runner *runner, const DlcTensor *tensor, int64_t rows);
int64_t runner_held_dim(const Runner *runner, const DlcTensor *tensor, int d, int64_t rows);
// Does dimension 0 depend on the batch, and not on memory's rows?
bool runner_held_is_batched(const Runner *runner, const DlcTensor *tensor);
// Puts the tensor's rows of one batch, the split's or file's rows from `first` on, into the whole; what has no rows, as
// it is.
void runner_keep_rows(const Runner *runner, const DlcTensor *tensor, const void *batch, int64_t first, int64_t rows,
                      char *whole);
