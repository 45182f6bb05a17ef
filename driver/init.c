// dlc init: the initial weights of a seed, in the form of a checkpoint.
#include <string.h>

#include "checkpoint.h"
#include "commands.h"
#include "pipeline.h"

static float *initial_block(Arena *arena, const TensorTable *table, uint64_t seed) {
  float *block = arena_array(arena, (size_t)table->block_floats, sizeof *block);
  for (int k = 0; k < table->n_items; k++) tensor_init(&table->items[k], seed, block);
  return block;
}

int command_init(Session *session) {
  Pipeline *p = pipeline_open(session);
  if (!p) return STATUS_WRONG;
  Unit *unit = pipeline_lower(p, MODE_TRAIN, LOWER_OUTPUT);
  if (!unit) return STATUS_WRONG;
  const char *path = session->options.output;
  if (!path) path = arena_printf(session->arena, "%s.safetensors", p->model_name);
  const TensorTable *params = &unit->lowered->params, *states = &unit->lowered->states;
  int error = weights_save(session->io, session->arena, path, params, initial_block(session->arena, params, p->seed),
                           states, initial_block(session->arena, states, p->seed));
  if (error) {
    diag_error(session->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
    return STATUS_WRITE;
  }
  if (!session->options.output) text_printf(&session->out, "%s\n", path);
  return STATUS_DONE;
}
