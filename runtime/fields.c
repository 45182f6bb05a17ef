// Fields of batches: rows gathered from sources, converted by a compiled step, augmented, scaled.
//
// True on entry: the driver has checked that the sources' rows, the step and the batch's tensor fit each other.
#include <string.h>

#include "data_inside.h"

enum { ALIGNMENT = 64, ELEMENT = 4 };  // bytes; a batch's elements are floats or 32-bit integers

struct FieldMaker {
  const BatchField *field;
  char **raw;     // rows of each source in its own type, where they are not the batch's: [n_sources]
  char *block;    // of the converting step's intermediate tensors
  char *local;    // working memory of the step
  char **args;    // for step_run
  char **inputs;  // of the converting step
  char *made;     // rows before they are augmented
  int64_t made_elements;
  void *scratch[2];  // for augmenting
};

char *data_aligned(Arena *arena, int64_t count, int64_t size) {
  char *block = arena_array(arena, (size_t)count + ALIGNMENT / (size_t)size + 1, (size_t)size);
  return (char *)(((uintptr_t)block + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

// ---- making rows ----------------------------------------------------------------------------------------------------

static void gather(const DataSource *source, const int64_t *rows, int64_t count, char *to) {
  size_t bytes = (size_t)data_info(source).row_bytes;
  for (int64_t k = 0; k < count; k++) memcpy(to + (size_t)k * bytes, data_row(source, rows[k]), bytes);
}

// `count` elements, as they are or widened: bytes to i32, integers to f32.
static void copy_elements(int from_type, const void *from, int to_type, void *to, int64_t count) {
  const uint8_t *bytes = from;
  const int32_t *integers = from;
  float *floats = to;
  if (from_type == to_type)
    memcpy(to, from, (size_t)count * ELEMENT);
  else if (to_type == DATA_I32)
    for (int64_t k = 0; k < count; k++) ((int32_t *)to)[k] = bytes[k];
  else if (from_type == DATA_I32)
    for (int64_t k = 0; k < count; k++) floats[k] = (float)integers[k];
  else
    for (int64_t k = 0; k < count; k++) floats[k] = (float)bytes[k];
}

static void convert(const FieldMaker *maker, int64_t count, void *to) {
  const DlcStep *step = maker->field->convert;
  DlcRt rt = {.seed = 0};
  for (int k = 0; k < DLC_MAX_SYMBOLS; k++) rt.symbol[k] = count;
  StepBinding binding = {.base = {[DLC_ARENA] = maker->block}, .inputs = maker->inputs, .local = maker->local};
  step_run(NULL, step, &binding, &rt, maker->args, NULL);
  const DlcTensor *result = &step->outputs[0];
  const char *base = result->at.region == DLC_INPUT ? maker->inputs[result->at.input] : maker->block;
  copy_elements(result->type, base + result->at.offset, maker->field->type, to, count * maker->made_elements);
}

// The rows as the expression gives them.
static void make_rows(const FieldMaker *maker, const int64_t *rows, int64_t count, void *to) {
  const BatchField *field = maker->field;
  for (int k = 0; k < field->n_sources; k++) gather(field->sources[k], rows, count, maker->raw[k] ? maker->raw[k] : to);
  if (field->convert)
    convert(maker, count, to);
  else if (maker->raw[0])
    copy_elements(data_info(field->sources[0]).type, maker->raw[0], field->type, to, count * maker->made_elements);
}

static void scale_rows(const FieldScale *scale, int64_t count, int64_t elements, float *rows) {
  for (int64_t k = 0; k < count; k++, rows += elements)
    for (int64_t e = 0; e < elements; e++) rows[e] = (rows[e] - scale->mean[e]) / scale->deviation[e];
}

void field_make(FieldMaker *maker, uint64_t seed, int64_t epoch, const int64_t *rows, int64_t count, void *to) {
  const BatchField *field = maker->field;
  make_rows(maker, rows, count, field->augment ? maker->made : to);
  for (int64_t k = 0; field->augment && k < count; k++)
    augment_row(field->augment, field->type, seed, epoch, rows[k], maker->made + k * maker->made_elements * ELEMENT,
                (char *)to + k * field->row_elements * ELEMENT, maker->scratch);
  if (field->scale) scale_rows(field->scale, count, field->row_elements, to);
}

// ---- their memory ---------------------------------------------------------------------------------------------------

static void make_inputs(Arena *arena, FieldMaker *maker) {
  const BatchField *field = maker->field;
  const DlcStep *step = field->convert;
  maker->block = data_aligned(arena, step->arena_bytes, 1);
  if (step->local_bytes) maker->local = data_aligned(arena, step->local_bytes, 1);
  maker->args = arena_array(arena, (size_t)step->n_args, sizeof *maker->args);
  maker->inputs = arena_array(arena, (size_t)step->n_inputs, sizeof *maker->inputs);
  for (int k = 0; k < step->n_inputs; k++) {
    char *fixed = field->input_fixed ? field->input_fixed[k] : NULL;
    maker->inputs[k] = fixed ? fixed : maker->raw[field->input_source ? field->input_source[k] : 0];
  }
}

FieldMaker *field_maker_new(Arena *arena, const BatchField *field, int64_t batch) {
  FieldMaker *maker = arena_alloc(arena, sizeof *maker);
  const FieldAugment *augment = field->augment;
  const DlcStep *step = field->convert;
  dlc_assert(!step || (step->n_outputs == 1 && batch <= step->capacity[0]));
  *maker = (FieldMaker){.field = field, .made_elements = field->row_elements};
  if (augment) maker->made_elements = augment->height * augment->width * augment->channels;
  maker->raw = arena_array(arena, (size_t)field->n_sources, sizeof *maker->raw);
  for (int k = 0; k < field->n_sources; k++) {
    DataInfo info = data_info(field->sources[k]);
    if (step || info.type != field->type)
      maker->raw[k] = data_aligned(arena, batch, info.row_bytes > 0 ? info.row_bytes : 1);
  }
  if (step) make_inputs(arena, maker);
  if (!augment) return maker;
  maker->made = data_aligned(arena, batch * maker->made_elements, ELEMENT);
  for (int k = 0; k < 2; k++) maker->scratch[k] = data_aligned(arena, augment_room(augment), ELEMENT);
  return maker;
}
