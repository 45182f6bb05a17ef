// A split's fields against the program: which there are, and that they have the same rows.
#include "data_bind.h"

#include <string.h>

#include "field_bind.h"
#include "memory.h"

int64_t data_classes(Pipeline *p) {
  Unit *output = pipeline_lower(p, MODE_INFER, LOWER_OUTPUT);
  if (!output || output->graph->n_outputs == 0) return 0;
  const Shape *shape = &graph_node(output->graph, output->graph->outputs[0].value)->shape;
  if (shape->rank < 2 || !dim_is_const(shape->dim[shape->rank - 1])) return 0;
  return shape->dim[shape->rank - 1].scale;
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

static bool bind_fields(const FieldBinder *binder, const SplitSpec *split, const DlcStep *step, BoundSplit *bound,
                        int64_t *rows) {
  Pipeline *p = binder->p;
  const FieldSpec *first = NULL;
  for (int k = 0; k < step->n_inputs; k++) {
    if (memory_is_input(step->inputs[k].name)) continue;
    const FieldSpec *spec = find_field(p, binder->data, split, step->inputs[k].name);
    int64_t count;
    if (!spec) return false;
    int at = bound->n_fields++;
    if (!field_bind(binder, spec, &step->inputs[k], &bound->fields[at], &count, &bound->converts[at])) return false;
    if (at == 0) {
      first = spec;
      *rows = count;
    }
    if (count == *rows) continue;
    diag_error(p->session->sink, DIAG_E0406, spec->span, "field '%s' has %lld rows, field '%s' has %lld", spec->name,
               (long long)count, first->name, (long long)*rows);
    return false;
  }
  return true;
}

static BoundSplit *bind(Pipeline *p, DataStore *store, const DataSpec *data, const char *name, const DlcStep *step,
                        bool training) {
  const SplitSpec *split = find_split(p, data, name);
  if (!split) return NULL;
  Arena *arena = p->session->arena;
  BoundSplit *bound = arena_alloc(arena, sizeof *bound);
  bound->name = split->name;
  bound->fields = arena_array(arena, (size_t)step->n_inputs, sizeof *bound->fields);
  bound->converts = arena_array(arena, (size_t)step->n_inputs, sizeof *bound->converts);
  FieldBinder binder = {.p = p, .store = store, .data = data, .training = training};
  int64_t rows = 0;
  bool done = bind_fields(&binder, split, step, bound, &rows);
  if (done) bound->rows = rows_of_part(arena, &split->part, rows);
  if (done && bound->rows.count == 0) {
    diag_error(p->session->sink, DIAG_E0406, data->span, "split '%s' has no rows", name);
    done = false;
  }
  if (done) return bound;
  data_release(bound);
  return NULL;
}

BoundSplit *data_bind(Pipeline *p, DataStore *store, const DataSpec *data, const char *name, const DlcStep *step) {
  return bind(p, store, data, name, step, false);
}

BoundSplit *data_bind_training(Pipeline *p, DataStore *store, const DataSpec *data, const char *name,
                               const DlcStep *step) {
  return bind(p, store, data, name, step, true);
}

BoundSplit data_narrowed(Arena *arena, const BoundSplit *split, const RowSet *places) {
  BoundSplit part = *split;
  part.rows = rows_narrowed(arena, &split->rows, places);
  return part;
}

void data_release(BoundSplit *bound) {
  for (int k = 0; bound && k < bound->n_fields; k++) pipeline_release(bound->converts[k]);
}
