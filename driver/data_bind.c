// Sources against the program: rows, shapes, element types, labels.
#include "data_bind.h"

#include <math.h>
#include <string.h>

#include "labels.h"
#include "memory.h"
#include "runner.h"

int64_t data_classes(Pipeline *p) {
  Unit *output = pipeline_lower(p, MODE_INFER, LOWER_OUTPUT);
  if (!output || output->graph->n_outputs == 0) return 0;
  const Shape *shape = &graph_node(output->graph, output->graph->outputs[0].value)->shape;
  if (shape->rank < 2 || !dim_is_const(shape->dim[shape->rank - 1])) return 0;
  return shape->dim[shape->rank - 1].scale;
}

// ---- one field ------------------------------------------------------------------------------------------------------

typedef struct FieldBinding {
  Pipeline *p;
  DataStore *store;
  const FieldSpec *spec;
  const DlcTensor *input;
  DataSource *source;
  DataInfo info;
  Unit *convert;
} FieldBinding;

static const char *row_text(Arena *arena, int rank, const int64_t *dim) {
  Text text = text_new(arena);
  text_add(&text, "[N");
  for (int d = 0; d < rank; d++) text_printf(&text, ", %lld", (long long)dim[d]);
  text_add(&text, "]");
  return text.bytes;
}

static bool compile_expression(FieldBinding *b) {
  if (!b->spec->expression) return true;
  Shape row = {.rank = b->info.rank};
  for (int d = 0; d < row.rank; d++) row.dim[d] = dim_const(b->info.dim[d]);
  Graph *graph = program_lower_field(b->p->program, b->spec, (DType)b->info.type, &row);
  if (!graph) return false;
  Unit *unit = pipeline_wrap(b->p, graph);
  if (!pipeline_passes(b->p, unit, NULL) || !pipeline_plan(b->p, unit) || !pipeline_codegen(b->p, unit)) return false;
  b->convert = unit;
  return true;
}

// Element type and row shape as the program will see them.
static void converted(const FieldBinding *b, int *type, int *rank, int64_t *dim) {
  *type = b->info.type;
  *rank = b->info.rank;
  memcpy(dim, b->info.dim, sizeof b->info.dim);
  if (!b->convert) return;
  const DlcTensor *result = &codegen_step(b->convert->compiled)->outputs[0];
  *type = result->type;
  *rank = result->rank - 1;
  for (int d = 1; d < result->rank; d++) dim[d - 1] = result->scale[d];
}

// A trailing dimension of 1 may be missing.
static bool rows_fit(const DlcTensor *input, int rank, const int64_t *dim) {
  int wanted = input->rank - 1;
  while (wanted > rank && input->scale[wanted] == 1) wanted--;
  if (wanted != rank) return false;
  for (int d = 0; d < rank; d++)
    if (input->symbol[d + 1] || input->scale[d + 1] != dim[d]) return false;
  return true;
}

static bool check_field(const FieldBinding *b) {
  Session *s = b->p->session;
  int type, rank;
  int64_t dim[8];
  converted(b, &type, &rank, dim);
  if (!rows_fit(b->input, rank, dim)) {
    int64_t wanted[8];
    for (int d = 1; d < b->input->rank; d++) wanted[d - 1] = b->input->scale[d];
    diag_error(s->sink, DIAG_E0406, b->spec->span, "field '%s' is %s in the data, the model takes %s", b->spec->name,
               row_text(s->arena, rank, dim), row_text(s->arena, b->input->rank - 1, wanted));
    return false;
  }
  bool integer = type == DATA_U8 || type == DATA_I32;
  if (b->input->type == DATA_F32 ? type == DATA_F32 : integer) return true;
  Diag *diag = diag_error(s->sink, DIAG_E0406, b->spec->span, "field '%s' is %s in the data, the program uses it as %s",
                          b->spec->name, dtype_name((DType)type), dtype_name((DType)b->input->type));
  if (integer) diag_line(s->sink, diag, DIAG_HELP, "%s = ... / 255 makes floats of it", b->spec->name);
  return false;
}

// ---- values ---------------------------------------------------------------------------------------------------------

// What an expression makes of a field is not looked at: only labels that the program takes as they are.
static bool check_labels(const FieldBinding *b) {
  Unit *loss = b->convert || !b->p->train ? NULL : pipeline_lower(b->p, MODE_INFER, LOWER_LOSS);
  int64_t classes = loss ? labels_classes(loss->graph, b->spec->name) : 0;
  int64_t per_row = b->info.row_bytes / (b->info.type == DATA_U8 ? 1 : (int64_t)sizeof(int32_t));
  for (int64_t row = 0; classes && row < b->info.rows; row++) {
    int64_t label;
    if (labels_fit(data_row(b->source, row), b->info.type, per_row, classes, &label)) continue;
    diag_error(b->p->session->sink, DIAG_E0405, b->spec->span,
               "label %lld of row %lld is outside the model's %lld classes, 0 to %lld", (long long)label,
               (long long)row, (long long)classes, (long long)classes - 1);
    return false;
  }
  return true;
}

static bool check_finite(const FieldBinding *b) {
  int64_t per_row = b->info.row_bytes / (int64_t)sizeof(float);
  for (int64_t row = 0; row < b->info.rows; row++) {
    const float *at = data_row(b->source, row);
    for (int64_t k = 0; k < per_row; k++) {
      if (isfinite(at[k])) continue;
      diag_error(b->p->session->sink, DIAG_E0405, b->spec->span, "field '%s' holds %s in row %lld", b->spec->name,
                 isnan(at[k]) ? "a NaN" : "an infinity", (long long)row);
      return false;
    }
  }
  return true;
}

static bool check_values(const FieldBinding *b) {
  if (b->info.type == DATA_F32) return check_finite(b);
  return b->input->type != DATA_I32 || check_labels(b);
}

static bool bind_field(FieldBinding *b, BatchField *field) {
  Session *s = b->p->session;
  b->source = data_open(b->store, s->sink, pipeline_data_root(b->p, &b->spec->source), &b->spec->source);
  if (!b->source) return false;
  b->info = data_info(b->source);
  if (!compile_expression(b) || !check_field(b) || !check_values(b)) return false;
  *field = (BatchField){.name = b->spec->name,
                        .source = b->source,
                        .convert = b->convert ? codegen_step(b->convert->compiled) : NULL,
                        .type = b->input->type,
                        .row_elements = runner_elements(b->input, 1)};
  return true;
}

// ---- the split ------------------------------------------------------------------------------------------------------

static const SplitSpec *find_split(Pipeline *p, const DataSpec *data, const char *name) {
  Text known = text_new(p->session->arena);
  for (int k = 0; k < data->n_splits; k++) {
    if (!strcmp(data->splits[k].name, name)) return &data->splits[k];
    text_printf(&known, "%s%s", k ? ", " : "", data->splits[k].name);
  }
  Diag *diag = diag_error(p->session->sink, DIAG_E0605, data->span, "data '%s' has no split '%s'", data->name, name);
  diag_line(p->session->sink, diag, DIAG_NOTE, "its splits are %s", known.bytes);
  return NULL;
}

static const FieldSpec *find_field(Pipeline *p, const DataSpec *data, const SplitSpec *split, const char *name) {
  for (int k = 0; k < split->n_fields; k++)
    if (!strcmp(split->fields[k].name, name)) return &split->fields[k];
  diag_error(p->session->sink, DIAG_E0605, data->span, "split '%s' of data '%s' has no field '%s'", split->name,
             data->name, name);
  return NULL;
}

static bool same_rows(const FieldBinding *b, const FieldBinding *first) {
  if (b->info.rows == first->info.rows) return true;
  diag_error(b->p->session->sink, DIAG_E0406, b->spec->span, "field '%s' has %lld rows, field '%s' has %lld",
             b->spec->name, (long long)b->info.rows, first->spec->name, (long long)first->info.rows);
  return false;
}

static bool bind_fields(Pipeline *p, DataStore *store, const DataSpec *data, const SplitSpec *split,
                        const DlcStep *step, BoundSplit *bound, int64_t *rows) {
  FieldBinding first = {0};
  for (int k = 0; k < step->n_inputs; k++) {
    if (memory_is_input(step->inputs[k].name)) continue;
    FieldBinding b = {
        .p = p, .store = store, .input = &step->inputs[k], .spec = find_field(p, data, split, step->inputs[k].name)};
    int at = bound->n_fields++;
    bool done = b.spec && bind_field(&b, &bound->fields[at]);
    bound->converts[at] = b.convert;
    if (at == 0) first = b;
    if (!done || !same_rows(&b, &first)) return false;
  }
  *rows = first.info.rows;
  return true;
}

BoundSplit *data_bind(Pipeline *p, DataStore *store, const DataSpec *data, const char *name, const DlcStep *step) {
  const SplitSpec *split = find_split(p, data, name);
  if (!split) return NULL;
  Arena *arena = p->session->arena;
  BoundSplit *bound = arena_alloc(arena, sizeof *bound);
  bound->name = split->name;
  bound->fields = arena_array(arena, (size_t)step->n_inputs, sizeof *bound->fields);
  bound->converts = arena_array(arena, (size_t)step->n_inputs, sizeof *bound->converts);
  int64_t rows = 0;
  bool done = bind_fields(p, store, data, split, step, bound, &rows);
  if (done) bound->rows = rows_of_part(arena, &split->part, rows);
  if (done && bound->rows.count == 0) {
    diag_error(p->session->sink, DIAG_E0406, data->span, "split '%s' has no rows", name);
    done = false;
  }
  if (done) return bound;
  data_release(bound);
  return NULL;
}

void data_release(BoundSplit *bound) {
  for (int k = 0; bound && k < bound->n_fields; k++) pipeline_release(bound->converts[k]);
}
