// A run directory's generation: the first bytes say how long the .run file is, the weights file and a log follow. Half
// of the inputs get the checksums that they should have.
#include <string.h>

#include "checkpoint.h"
#include "checksums.h"
#include "fuzz.h"

typedef struct Model {
  TensorTable params, states;
  float *param, *state;
  Optimizer optimizer;
} Model;

static Model *new_model(Fuzz *f, OptimizerKind kind) {
  Model *m = arena_alloc(f->arena, sizeof *m);
  TensorInfo weights = {.path = "m.w", .rank = 2, .dim = {2, 2}}, mean = {.path = "m.mean", .rank = 1, .dim = {2}};
  fuzz_require(tensor_add(f->arena, &m->params, &weights) && tensor_add(f->arena, &m->states, &mean), "tensors fit");
  m->param = arena_array(f->arena, (size_t)m->params.block_floats, sizeof *m->param);
  m->state = arena_array(f->arena, (size_t)m->states.block_floats, sizeof *m->state);
  optimizer_init(&m->optimizer, &(OptimizerSpec){.kind = kind}, &m->params, f->arena);
  return m;
}

static void load(Fuzz *f, Model *m) {
  double sums[2] = {0};
  RunState state = {.sums = sums, .n_sums = 2};
  RunDir *run = run_open(f->arena, f->sink, f->io, "in", true);
  fuzz_require(run != NULL, "the folder can be locked");
  RunLoaded loaded = run_load(run, f->sink, &state, &m->params, m->param, &m->states, m->state, &m->optimizer);
  run_close(run);
  fuzz_require((loaded == RUN_UNUSABLE) == (f->sink->n_errors > 0), "what is refused is reported");
  fuzz_require(loaded != RUN_LOADED || (state.step >= 0 && state.batch >= 0), "a position is one");
}

void fuzz_target(Fuzz *f) {
  unsigned choice = fuzz_byte(f);
  size_t run_size = fuzz_byte(f) * 4u, weights_size = fuzz_byte(f) * 2u;
  if (run_size > f->size) run_size = f->size;
  if (weights_size > f->size - run_size) weights_size = f->size - run_size;
  uint8_t *bytes = arena_alloc(f->arena, f->size), *weights = bytes + run_size;
  if (f->size) memcpy(bytes, f->bytes, f->size);
  if (choice & 1) {
    checksum_safetensors(weights, weights_size);
    checksum_weights(bytes, run_size, weights, weights_size);
    checksum_safetensors(bytes, run_size);
  }
  fuzz_put(f, "step-00000001.run", bytes, run_size);
  fuzz_put(f, "step-00000001.safetensors", weights, weights_size);
  fuzz_put(f, choice & 2 ? "log.jsonl" : "curves.jsonl", weights + weights_size, f->size - run_size - weights_size);
  load(f, new_model(f, choice & 4 ? OPTIMIZER_adam : OPTIMIZER_sgd));
}
