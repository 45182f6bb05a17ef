// dlc export: a program and its weights as an ONNX model.
#include <string.h>

#include "runner.h"
#include "commands.h"
#include "onnx_export.h"
#include "pipeline.h"

typedef struct Blocks {
  const TensorTable *params, *states;
  float *param, *state;
} Blocks;

static const float *tensor_data(void *state, const char *path) {
  const Blocks *b = state;
  int k = tensor_find(b->params, path);
  if (k >= 0) return b->param + b->params->items[k].offset;
  k = tensor_find(b->states, path);
  if (k < 0) dlc_bug("the model has no tensor '%s'", path);
  return b->state + b->states->items[k].offset;
}

static bool load(Session *session, Blocks *b) {
  Arena *arena = session->arena;
  b->param = arena_array(arena, (size_t)b->params->block_floats, sizeof *b->param);
  b->state = arena_array(arena, (size_t)b->states->block_floats, sizeof *b->state);
  return weights_of_option(session, b->params, b->param, b->states, b->state);
}

int command_export(Session *session) {
  Pipeline *p = pipeline_open(session);
  Unit *unit = p ? pipeline_lower(p, MODE_INFER, LOWER_OUTPUT) : NULL;
  if (!unit) return STATUS_WRONG;
  Blocks blocks = {.params = &unit->lowered->params, .states = &unit->lowered->states};
  if (!load(session, &blocks)) return STATUS_DATA;
  size_t size;
  OnnxWeights weights = {tensor_data, &blocks};
  const uint8_t *bytes = onnx_export(session->arena, session->sink, unit->graph, &weights, &size);
  if (!bytes) return STATUS_DATA;
  const char *path = session->options.output;
  if (!path) path = arena_printf(session->arena, "%s.onnx", p->model_name);
  int error = io_replace(session->io, session->arena, path, bytes, size);
  if (!error && !session->options.output) text_printf(&session->out, "%s\n", path);
  if (!error) return STATUS_DONE;
  diag_error(session->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
  return STATUS_WRITE;
}
