// safetensors files, as a data source and as weights. The first byte chooses which; half of the inputs get the checksum
// that they should have.
#include <string.h>

#include "checkpoint.h"
#include "checksums.h"
#include "fuzz.h"

static void add(Fuzz *f, TensorTable *table, const char *path, int rank, int64_t rows, int64_t columns) {
  TensorInfo info = {.path = path, .rank = rank, .dim = {rows, columns}};
  fuzz_require(tensor_add(f->arena, table, &info), "the model's tensors fit");
}

static void as_weights(Fuzz *f, bool start) {
  TensorTable params = {0}, states = {0};
  add(f, &params, "m.w", 2, 2, 3);
  add(f, &params, "m.b", 1, 3, 0);
  add(f, &states, "m.mean", 1, 2, 0);
  float *param = arena_array(f->arena, (size_t)params.block_floats, sizeof *param);
  float *state = arena_array(f->arena, (size_t)states.block_floats, sizeof *state);
  fuzz_put(f, "x", f->bytes, f->size);
  bool done = (start ? weights_start : weights_load)(f->arena, f->sink, f->io, "in/x", &params, param, &states, state);
  fuzz_require(done == (f->sink->n_errors == 0), "what is refused is reported");
}

void fuzz_target(Fuzz *f) {
  unsigned choice = fuzz_byte(f);
  uint8_t *bytes = arena_alloc(f->arena, f->size);
  if (f->size) memcpy(bytes, f->bytes, f->size);
  f->bytes = bytes;
  if (choice & 1) checksum_safetensors(bytes, f->size);
  if (choice & 2)
    as_weights(f, choice & 4);
  else
    fuzz_open(f, &(SourceSpec){.kind = SOURCE_SAFETENSORS, .key = choice & 4 ? "absent" : "x"});
}
