// Fields against the program: sources, statistics, shapes, element types, labels.
#include "field_bind.h"

#include <math.h>
#include <string.h>

#include "checked.h"
#include "labels.h"
#include "random.h"
#include "runner.h"

typedef struct Binding {
  const FieldBinder *b;
  const FieldSpec *spec;
  const DlcTensor *input;  // NULL: what a statistic is taken of
  BatchField *field;
  DataSource **sources;  // [spec->n_leaves]
  char **constants;      // of the statistics: [spec->n_stats]
  Shape *constant_shapes;
  int64_t rows;
  Unit *convert;
  int type, rank;  // of a row as the expression gives it; after augmenting, as the program gets it
  int64_t dim[8];
} Binding;

static Arena *arena_of(const Binding *f) { return f->b->p->session->arena; }
static DiagSink *sink_of(const Binding *f) { return f->b->p->session->sink; }

static const char *row_text(Arena *arena, int rank, const int64_t *dim) {
  Text text = text_new(arena);
  text_add(&text, "[N");
  for (int d = 0; d < rank; d++) text_printf(&text, ", %lld", (long long)dim[d]);
  text_add(&text, "]");
  return text.bytes;
}

static int64_t product(int rank, const int64_t *dim) {
  int64_t elements = 1;
  for (int d = 0; d < rank; d++) elements *= dim[d];
  return elements;
}

// ---- sources --------------------------------------------------------------------------------------------------------

static bool open_sources(Binding *f) {
  const FieldSpec *spec = f->spec;
  f->sources = arena_array(arena_of(f), (size_t)spec->n_leaves, sizeof *f->sources);
  for (int k = 0; k < spec->n_leaves; k++) {
    const SourceSpec *source = &spec->leaves[k].source;
    f->sources[k] = data_open(f->b->store, sink_of(f), pipeline_data_root(f->b->p, source), source);
    if (!f->sources[k]) return false;
    int64_t rows = data_info(f->sources[k]).rows;
    if (k == 0) f->rows = rows;
    if (rows == f->rows) continue;
    diag_error(sink_of(f), DIAG_E0406, source->span, "field '%s' is made of sources of %lld and of %lld rows",
               spec->name, (long long)f->rows, (long long)rows);
    return false;
  }
  return true;
}

// Which NaN or infinity the floats of a source hold.
static bool check_finite(const Binding *f, const DataSource *source) {
  DataInfo info = data_info(source);
  int64_t per_row = info.type == DATA_F32 ? info.row_bytes / (int64_t)sizeof(float) : 0;
  for (int64_t row = 0; row < info.rows; row++) {
    const float *at = data_row(source, row);
    for (int64_t k = 0; k < per_row; k++) {
      if (isfinite(at[k])) continue;
      diag_error(sink_of(f), DIAG_E0405, f->spec->span, "field '%s' holds %s in row %lld", f->spec->name,
                 isnan(at[k]) ? "a NaN" : "an infinity", (long long)row);
      return false;
    }
  }
  return true;
}

// ---- the expression -------------------------------------------------------------------------------------------------

static FieldInput leaf_input(const Binding *f, int k) {
  DataInfo info = data_info(f->sources[k]);
  FieldInput input = {.name = f->spec->leaves[k].name, .type = (DType)info.type, .has_rows = true};
  input.shape.rank = info.rank;
  for (int d = 0; d < info.rank; d++) input.shape.dim[d] = dim_const(info.dim[d]);
  return input;
}

// Which source or constant each of the step's inputs is: they have the names of leaves and statistics.
static void connect_inputs(Binding *f) {
  const DlcStep *step = f->field->convert;
  int *source = arena_array(arena_of(f), (size_t)step->n_inputs, sizeof *source);
  char **fixed = arena_array(arena_of(f), (size_t)step->n_inputs, sizeof *fixed);
  for (int k = 0; k < step->n_inputs; k++) {
    for (int leaf = 0; leaf < f->spec->n_leaves; leaf++)
      if (!strcmp(f->spec->leaves[leaf].name, step->inputs[k].name)) source[k] = leaf;
    for (int stat = 0; stat < f->spec->n_stats; stat++)
      if (!strcmp(f->spec->stats[stat]->name, step->inputs[k].name)) fixed[k] = f->constants[stat];
  }
  f->field->input_source = source;
  f->field->input_fixed = fixed;
}

static bool compile_expression(Binding *f) {
  const FieldSpec *spec = f->spec;
  DataInfo first = data_info(f->sources[0]);
  f->type = first.type;
  f->rank = first.rank;
  memcpy(f->dim, first.dim, sizeof f->dim);
  bool converts = spec->as_f32 && f->type != DATA_F32;
  if (!spec->expression && !converts) return true;
  int n = spec->n_leaves + spec->n_stats;
  FieldInput *inputs = arena_array(arena_of(f), (size_t)n, sizeof *inputs);
  for (int k = 0; k < spec->n_leaves; k++) inputs[k] = leaf_input(f, k);
  for (int k = 0; k < spec->n_stats; k++)
    inputs[spec->n_leaves + k] =
        (FieldInput){.name = spec->stats[k]->name, .type = DT_F32, .shape = f->constant_shapes[k]};
  Pipeline *p = f->b->p;
  Graph *graph = program_lower_field(p->program, spec, inputs, n);
  if (!graph) return false;
  f->convert = pipeline_wrap(p, graph);
  if (!pipeline_passes(p, f->convert, NULL) || !pipeline_plan(p, f->convert) || !pipeline_codegen(p, f->convert))
    return false;
  f->field->convert = codegen_step(f->convert->compiled);
  connect_inputs(f);
  const DlcTensor *result = &f->field->convert->outputs[0];
  f->type = result->type;
  f->rank = result->rank - 1;
  for (int d = 1; d < result->rank; d++) f->dim[d - 1] = result->scale[d];
  return true;
}

// ---- statistics in expressions --------------------------------------------------------------------------------------

typedef struct KeptStat {
  float *values;
  Shape shape;
} KeptStat;

// Which axes of the field with its rows are reduced; false after reporting.
static bool reduced_axes(const Binding *f, const FieldStat *stat, int rank, bool *reduced) {
  for (int axis = 0; axis < rank; axis++) reduced[axis] = stat->all;
  for (int k = 0; k < stat->n_axes; k++) {
    int axis = stat->axes[k] < 0 ? stat->axes[k] + rank : stat->axes[k];
    if (axis >= 0 && axis < rank && !reduced[axis]) {
      reduced[axis] = true;
      continue;
    }
    diag_error(sink_of(f), DIAG_E0208, stat->span, "the axes of this statistic do not fit a field of %d dimensions",
               rank);
    return false;
  }
  return true;
}

// The group of each element of a row: its place along the axes that stay. Returns how many there are.
static int64_t group_elements(const Binding *of, const bool *reduced, int32_t *group) {
  int64_t elements = product(of->rank, of->dim), groups = 1;
  for (int d = 0; d < of->rank; d++) groups *= reduced[d + 1] ? 1 : of->dim[d];
  for (int64_t e = 0; e < elements; e++) {
    int64_t rest = e, stride = 1, at = 0;
    for (int d = of->rank - 1; d >= 0; d--) {
      if (!reduced[d + 1]) {
        at += rest % of->dim[d] * stride;
        stride *= of->dim[d];
      }
      rest /= of->dim[d];
    }
    group[e] = (int32_t)at;
  }
  return groups;
}

static const double *chosen(const FieldStats *stats, StatKind kind) {
  const double *all[] = {[STAT_MEAN] = stats->mean,
                         [STAT_VAR] = stats->variance,
                         [STAT_MIN] = stats->min,
                         [STAT_MAX] = stats->max,
                         [STAT_SUM] = stats->sum};
  return all[kind];
}

static bool bind_made(Binding *f);

// The rows of a part of a source, of split train those of the fold.
static RowSet statistics_rows(const Binding *f, const SplitPart *part, bool of_train) {
  RowSet all = rows_of_part(arena_of(f), part, f->rows);
  const RowSet *fold = f->b->p->fold;
  return fold && of_train ? rows_narrowed(arena_of(f), &all, fold) : all;
}

static const SplitSpec *train_split(const DataSpec *data) {
  for (int k = 0; k < data->n_splits; k++)
    if (!strcmp(data->splits[k].name, "train")) return &data->splits[k];
  return NULL;
}

// Are the statistic's rows those of split train: the same part of a source that one of its fields is made of?
static bool is_of_train(const Binding *f, const FieldStat *stat) {
  const SplitSpec *train = train_split(f->b->data);
  const SourceSpec *of = &stat->of->leaves[0].source;
  if (!train || !split_part_equal(&train->part, &stat->part)) return false;
  for (int k = 0; k < train->n_fields; k++)
    for (int leaf = 0; leaf < train->fields[k].n_leaves; leaf++) {
      const SourceSpec *source = &train->fields[k].leaves[leaf].source;
      bool same_call = source->span.file == of->span.file && source->span.begin == of->span.begin;
      bool same_split = source->split == of->split || (source->split && of->split && !strcmp(source->split, of->split));
      if (same_call && same_split) return true;
    }
  return false;
}

static KeptStat *compute_stat(const Binding *f, const FieldStat *stat, const Binding *of) {
  bool reduced[9] = {false};
  if (!reduced_axes(f, stat, of->rank + 1, reduced)) return NULL;
  RowSet rows = statistics_rows(of, &stat->part, is_of_train(f, stat));
  if (rows.count == 0) {
    diag_error(sink_of(f), DIAG_E0406, stat->span, "this statistic is over no rows");
    return NULL;
  }
  int32_t *group = arena_array(arena_of(f), (size_t)of->field->row_elements, sizeof *group);
  int64_t groups = group_elements(of, reduced, group);
  FieldStats all = field_statistics(arena_of(f), of->field, &rows, f->b->p->batch, group, groups);
  KeptStat *kept = arena_alloc(arena_of(f), sizeof *kept);
  // On a cache line's boundary, as all that compiled code reads.
  char *block = arena_alloc(arena_of(f), (size_t)groups * sizeof(float) + 64);
  kept->values = (float *)(((uintptr_t)block + 63) / 64 * 64);
  for (int64_t g = 0; g < groups; g++) kept->values[g] = (float)chosen(&all, stat->kind)[g];
  for (int axis = 0; axis <= of->rank; axis++)
    if (!reduced[axis] || stat->keep)
      kept->shape.dim[kept->shape.rank++] = dim_const(reduced[axis] ? 1 : of->dim[axis - 1]);
  return kept;
}

// Taken once, whichever split asks first.
static const KeptStat *find_stat(const Binding *f, const FieldStat *stat) {
  const KeptStat *kept = data_store_recall(f->b->store, stat->of);
  if (kept) return kept;
  Binding of = {.b = f->b, .spec = stat->of, .field = arena_alloc(arena_of(f), sizeof *of.field)};
  bool bound = bind_made(&of);
  of.field->type = of.type == DATA_F32 ? DATA_F32 : DATA_I32;
  of.field->row_elements = product(of.rank, of.dim);
  if (bound) kept = compute_stat(f, stat, &of);
  pipeline_release(of.convert);
  if (kept) data_store_keep(f->b->store, stat->of, kept);
  return kept;
}

static bool take_stats(Binding *f) {
  int n = f->spec->n_stats;
  f->constants = arena_array(arena_of(f), (size_t)n, sizeof *f->constants);
  f->constant_shapes = arena_array(arena_of(f), (size_t)n, sizeof *f->constant_shapes);
  for (int k = 0; k < n; k++) {
    const KeptStat *kept = find_stat(f, f->spec->stats[k]);
    if (!kept) return false;
    f->constants[k] = (char *)kept->values;
    f->constant_shapes[k] = kept->shape;
  }
  return true;
}

// The rows as the expression makes them.
static bool bind_made(Binding *f) {
  *f->field = (BatchField){.name = f->spec->name, .n_sources = f->spec->n_leaves};
  if (!open_sources(f) || !take_stats(f)) return false;
  f->field->sources = f->sources;
  for (int k = 0; k < f->spec->n_leaves; k++)
    if (!check_finite(f, f->sources[k])) return false;
  return compile_expression(f);
}

// ---- augment --------------------------------------------------------------------------------------------------------

static bool is_named(const AugmentSpec *spec, const char *name) {
  for (int k = 0; k < spec->n_fields; k++)
    if (!strcmp(spec->fields[k], name)) return true;
  return false;
}

static AugmentStep *collect_steps(const Binding *f, int *n) {
  const DataSpec *data = f->b->data;
  size_t most = 0;
  for (int k = 0; k < data->n_augment; k++) most += (size_t)data->augment[k].n_ops;
  AugmentStep *steps = arena_array(arena_of(f), most, sizeof *steps);
  *n = 0;
  for (int k = 0; k < data->n_augment; k++)
    for (int op = 0; is_named(&data->augment[k], f->spec->name) && op < data->augment[k].n_ops; op++)
      steps[(*n)++] =
          (AugmentStep){&data->augment[k].ops[op], random_stream(arena_printf(arena_of(f), "augment %d.%d", k, op))};
  return steps;
}

static bool changes_values(const AugmentOp *op) {
  return op->kind == AUGMENT_BRIGHTNESS || op->kind == AUGMENT_CONTRAST;
}

static bool report_augment(const Binding *f, const AugmentStep *step, const char *why) {
  diag_error(sink_of(f), DIAG_E0406, step->op->span, "field '%s' is %s as it comes here: %s", f->spec->name,
             row_text(arena_of(f), f->rank, f->dim), why);
  return false;
}

static bool ready_augment(Binding *f) {
  FieldAugment *augment = arena_alloc(arena_of(f), sizeof *augment);
  augment->steps = collect_steps(f, &augment->n_steps);
  augment->training = f->b->training;
  if (augment->n_steps == 0) return true;
  if (f->rank < 2 || f->rank > 3)
    return report_augment(f, augment->steps,
                          "augment takes images, [N, height, width] or [N, height, width, channels]");
  augment->height = f->dim[0];
  augment->width = f->dim[1];
  augment->channels = f->rank == 3 ? f->dim[2] : 1;
  int64_t height, width;
  if (!augment_size(augment, &height, &width))
    return report_augment(f, augment->steps, "crop takes at most what there is with its padding");
  for (int k = 0; k < augment->n_steps; k++)
    if (changes_values(augment->steps[k].op) && f->input->type != DATA_F32)
      return report_augment(f, &augment->steps[k], "brightness and contrast take f32");
  f->field->augment = augment;
  f->dim[0] = height;
  f->dim[1] = width;
  return true;
}

// ---- does it fit? ---------------------------------------------------------------------------------------------------

// A trailing dimension of 1 may be missing, and that of a grey image may be too many.
static bool rows_fit(const DlcTensor *input, int rank, const int64_t *dim) {
  int wanted = input->rank - 1;
  if (rank == 3 && dim[2] == 1 && wanted == 2) rank = 2;
  while (wanted > rank && input->scale[wanted] == 1) wanted--;
  if (wanted != rank) return false;
  for (int d = 0; d < rank; d++)
    if (input->symbol[d + 1] || input->scale[d + 1] != dim[d]) return false;
  return true;
}

static const NormalizeSpec *find_normalize(const Binding *f) {
  const DataSpec *data = f->b->data;
  for (int k = 0; k < data->n_normalize; k++)
    if (!strcmp(data->normalize[k].field, f->spec->name)) return &data->normalize[k];
  return NULL;
}

static bool check_fit(const Binding *f) {
  const DlcTensor *input = f->input;
  if (f->rows == 0) return true;  // which is a mistake of its own
  if (!rows_fit(input, f->rank, f->dim)) {
    int64_t wanted[8];
    for (int d = 1; d < input->rank; d++) wanted[d - 1] = input->scale[d];
    diag_error(sink_of(f), DIAG_E0406, f->spec->span, "field '%s' is %s in the data, the model takes %s", f->spec->name,
               row_text(arena_of(f), f->rank, f->dim), row_text(arena_of(f), input->rank - 1, wanted));
    return false;
  }
  const NormalizeSpec *normalize = find_normalize(f);
  bool integer = f->type == DATA_U8 || f->type == DATA_I32;
  if (normalize && input->type != DATA_F32) {
    diag_error(sink_of(f), DIAG_E0406, normalize->span, "normalize makes f32 of field '%s', the program uses it as %s",
               f->spec->name, dtype_name((DType)input->type));
    return false;
  }
  if (input->type == DATA_F32 ? f->type == DATA_F32 || (normalize && integer) : integer) return true;
  Diag *diag =
      diag_error(sink_of(f), DIAG_E0406, f->spec->span, "field '%s' is %s in the data, the program uses it as %s",
                 f->spec->name, dtype_name((DType)f->type), dtype_name((DType)input->type));
  if (integer) diag_line(sink_of(f), diag, DIAG_HELP, "%s = ... / 255 makes floats of it", f->spec->name);
  if (input->type == DATA_I32 && f->type == DATA_F32)
    diag_line(sink_of(f), diag, DIAG_HELP, "%s = i32(...) makes whole numbers of it", f->spec->name);
  return false;
}

// ---- values ---------------------------------------------------------------------------------------------------------

// One batch of made rows after the other. The arena holds what it needs.
typedef struct Walk {
  FieldMaker *maker;
  int64_t *rows, batch;
  char *values;
} Walk;

static Walk new_walk(Arena *arena, const Binding *f) {
  Walk w = {.maker = field_maker_new(arena, f->field, f->b->p->batch), .batch = f->b->p->batch};
  w.rows = arena_array(arena, (size_t)w.batch, sizeof *w.rows);
  w.values = arena_array(arena, (size_t)w.batch, (size_t)(4 * f->field->row_elements) + 64);
  w.values = (char *)(((uintptr_t)w.values + 63) / 64 * 64);
  return w;
}

static int64_t walk_on(const Walk *w, int64_t first, int64_t total) {
  int64_t count = total - first < w->batch ? total - first : w->batch;
  for (int64_t k = 0; k < count; k++) w->rows[k] = first + k;
  field_make(w->maker, 0, 0, w->rows, count, w->values);
  return count;
}

static bool report_label(const Binding *f, int64_t label, int64_t row, int64_t classes) {
  diag_error(sink_of(f), DIAG_E0405, f->spec->span,
             "label %lld of row %lld is outside the model's %lld classes, 0 to %lld", (long long)label, (long long)row,
             (long long)classes, (long long)classes - 1);
  return false;
}

static bool check_made_row(const Binding *f, const char *at, int64_t row, int64_t classes) {
  int64_t elements = f->field->row_elements, label;
  if (f->field->type == DATA_I32)
    return labels_fit(at, DATA_I32, elements, classes, &label) || report_label(f, label, row, classes);
  for (int64_t k = 0; k < elements; k++) {
    float value = ((const float *)(const void *)at)[k];
    if (isfinite(value)) continue;
    diag_error(sink_of(f), DIAG_E0405, f->spec->span, "field '%s' is %s in row %lld", f->spec->name,
               isnan(value) ? "a NaN" : "an infinity", (long long)row);
    return false;
  }
  return true;
}

// What an expression makes of numbers of any size, and labels: every row is looked at before the first step.
static bool check_made(const Binding *f, int64_t classes) {
  Arena *own = arena_beside(arena_of(f));
  Walk w = new_walk(own, f);
  bool fine = true;
  for (int64_t first = 0; fine && first < f->rows; first += w.batch) {
    int64_t count = walk_on(&w, first, f->rows);
    for (int64_t k = 0; fine && k < count; k++)
      fine = check_made_row(f, w.values + 4 * k * f->field->row_elements, first + k, classes);
  }
  arena_free(own);
  return fine;
}

// Bytes in an expression give no infinity but by a mistake that the first step shows.
static bool check_values(const Binding *f) {
  if (f->input->type == DATA_F32) {
    bool floats = false;
    for (int k = 0; k < f->spec->n_leaves; k++) floats |= data_info(f->sources[k]).type == DATA_F32;
    return !(f->convert && floats) || check_made(f, 0);
  }
  Unit *loss = f->b->p->train ? pipeline_lower(f->b->p, MODE_INFER, LOWER_LOSS) : NULL;
  int64_t classes = loss ? labels_classes(loss->graph, f->spec->name) : 0;
  return !classes || check_made(f, classes);
}

// ---- normalize ------------------------------------------------------------------------------------------------------

static const FieldSpec *train_field(const DataSpec *data, const char *name, const SplitSpec **split) {
  *split = train_split(data);
  for (int n = 0; *split && n < (*split)->n_fields; n++)
    if (!strcmp((*split)->fields[n].name, name)) return &(*split)->fields[n];
  return NULL;
}

static void group_for(const Binding *f, NormalizePer per, int32_t *group, int64_t *groups) {
  int64_t elements = f->field->row_elements, channels = f->rank ? f->dim[f->rank - 1] : 1;
  *groups = per == NORMALIZE_ALL ? 1 : per == NORMALIZE_CHANNEL ? channels : elements;
  for (int64_t e = 0; e < elements; e++) group[e] = (int32_t)(e % *groups);
}

// The train split's means and deviations. What does not vary is only shifted.
static const FieldScale *compute_scale(const Binding *f, const NormalizeSpec *spec, const SplitPart *part) {
  Arena *arena = arena_of(f);
  int64_t elements = f->field->row_elements, groups;
  int32_t *group = arena_array(arena, (size_t)elements, sizeof *group);
  group_for(f, spec->per, group, &groups);
  RowSet rows = statistics_rows(f, part, true);
  FieldStats stats = field_statistics(arena, f->field, &rows, f->b->p->batch, group, groups);
  float *mean = arena_array(arena, (size_t)elements, sizeof *mean);
  float *deviation = arena_array(arena, (size_t)elements, sizeof *deviation);
  for (int64_t e = 0; e < elements; e++) {
    double spread = sqrt(stats.variance[group[e]]);
    mean[e] = (float)stats.mean[group[e]];
    deviation[e] = (float)spread > 0 ? (float)spread : 1;
  }
  FieldScale *scale = arena_alloc(arena, sizeof *scale);
  *scale = (FieldScale){mean, deviation};
  return scale;
}

static bool bind_unscaled(Binding *f);

static const FieldScale *find_scale(const Binding *f, const NormalizeSpec *spec) {
  const FieldScale *kept = data_store_recall(f->b->store, spec);
  if (kept) return kept;
  const SplitSpec *split;
  const FieldSpec *field = train_field(f->b->data, f->spec->name, &split);
  if (!field) {
    diag_error(sink_of(f), DIAG_E0406, spec->span,
               "normalize takes the statistics of split 'train', which has no field '%s'", f->spec->name);
    return NULL;
  }
  FieldBinder plain = *f->b;
  plain.training = false;
  Binding train = {
      .b = &plain, .spec = field, .input = f->input, .field = arena_alloc(arena_of(f), sizeof *train.field)};
  if (bind_unscaled(&train)) kept = compute_scale(&train, spec, &split->part);
  pipeline_release(train.convert);
  if (kept) data_store_keep(f->b->store, spec, kept);
  return kept;
}

static bool ready_scale(Binding *f) {
  const NormalizeSpec *spec = find_normalize(f);
  if (!spec) return true;
  f->field->scale = find_scale(f, spec);
  return f->field->scale != NULL;
}

// ---- the field ------------------------------------------------------------------------------------------------------

static bool bind_unscaled(Binding *f) {
  if (!bind_made(f) || !ready_augment(f) || !check_fit(f)) return false;
  f->field->type = f->input->type;
  f->field->row_elements = runner_elements(f->input, 1);
  return true;
}

bool field_bind(const FieldBinder *binder, const FieldSpec *spec, const DlcTensor *input, BatchField *field,
                int64_t *rows, Unit **convert) {
  Binding f = {.b = binder, .spec = spec, .input = input, .field = field};
  bool bound = bind_unscaled(&f) && check_values(&f) && ready_scale(&f);
  *rows = f.rows;
  *convert = f.convert;
  return bound;
}
