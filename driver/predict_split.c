// A model's results over a split of the data, and the split's fields as the network gets them, as .npy files or images.
#include "predict_split.h"

#include "bindings.h"
#include "data_bind.h"
#include "memory.h"
#include "pictures.h"
#include "runner.h"

typedef struct Taken {  // a tensor that --output names
  const DlcTensor *tensor;
  const char *path;
  bool is_field;
  int number;  // of the step's output or input
  char *bytes;
} Taken;

typedef struct SplitRun {
  Session *session;
  Runner *runner;
  BoundSplit *split;
  Taken *taken;
  int n_taken;
} SplitRun;

static const DlcTensor *tensor_of(const SplitRun *r, const Taken *taken) {
  return taken->is_field ? &r->runner->step->inputs[taken->number] : &r->runner->step->outputs[taken->number];
}

static void list_names(const SplitRun *r, Diag *diag) {
  const DlcStep *step = r->runner->step;
  Text text = text_new(r->session->arena);
  for (int k = 0; k < step->n_outputs; k++)
    if (step->outputs[k].kind == OUT_RESULT) text_printf(&text, "%s%s", text.length ? ", " : "", step->outputs[k].name);
  for (int k = 0; k < step->n_inputs; k++)
    if (!memory_is_input(step->inputs[k].name))
      text_printf(&text, "%s%s", text.length ? ", " : "", step->inputs[k].name);
  diag_line(r->session->sink, diag, DIAG_NOTE, "there are %s", text.bytes);
}

// A result of that name (NULL: the only one), else a field. False after reporting.
static bool find_taken(SplitRun *r, const NamedFile *file, Taken *taken) {
  int result = runner_find_output(r->runner, OUT_RESULT, file->name);
  int several = 0;
  for (int k = 0; k < r->runner->step->n_outputs; k++) several += r->runner->step->outputs[k].kind == OUT_RESULT;
  int field = file->name ? runner_find_input(r->runner, file->name) : -1;
  *taken = (Taken){.path = file->path, .is_field = result < 0, .number = result < 0 ? field : result};
  if (taken->number >= 0 && (file->name || several == 1)) {
    taken->tensor = tensor_of(r, taken);
    return true;
  }
  Diag *diag = file->name ? diag_error(r->session->sink, DIAG_E0450, SPAN_NONE,
                                       "the model has no output '%s', and its train block reads no field of that name",
                                       file->name)
                          : diag_error(r->session->sink, DIAG_E0450, SPAN_NONE,
                                       "'%s' needs the name of what goes there: NAME=%s", file->path, file->path);
  list_names(r, diag);
  return false;
}

static bool choose(SplitRun *r) {
  Arena *arena = r->session->arena;
  NamedFiles files = bindings_parse(arena, r->session->options.output);
  r->taken = arena_array(arena, (size_t)files.n_items, sizeof *r->taken);
  for (int k = 0; k < files.n_items; k++) {
    Taken *taken = &r->taken[r->n_taken++];
    if (!find_taken(r, &files.items[k], taken)) return false;
    size_t size = (size_t)dtype_size((DType)taken->tensor->type);
    taken->bytes =
        arena_array(arena, (size_t)runner_held_elements(r->runner, taken->tensor, r->split->rows.count), size);
  }
  return true;
}

static void take_rows(const SplitRun *r, int64_t first, int64_t rows) {
  for (int k = 0; k < r->n_taken; k++) {
    const Taken *taken = &r->taken[k];
    const void *from = taken->is_field ? r->runner->inputs[taken->number] : runner_output(r->runner, taken->number);
    runner_keep_rows(r->runner, taken->tensor, from, first, rows, taken->bytes);
  }
}

static bool go_through(const SplitRun *r, int64_t batch) {
  const BoundSplit *split = r->split;
  Loader *loader = loader_new(r->session->arena, split->fields, split->n_fields, &split->rows, batch, false, 0, 0, 0);
  for (int64_t done = 0; loader && done < split->rows.count;) {
    const Batch *next = loader_next(loader);
    runner_take(r->runner, next->fields);
    runner_step(r->runner, next->count, 0, 0, NULL);
    take_rows(r, done, next->count);
    done += next->count;
  }
  loader_free(loader);
  if (!loader) diag_error(r->session->sink, DIAG_E0602, SPAN_NONE, "a thread for the data cannot be had");
  return loader != NULL;
}

static int write_taken(const SplitRun *r) {
  int status = STATUS_DONE;
  for (int k = 0; k < r->n_taken && status == STATUS_DONE; k++) {
    const Taken *taken = &r->taken[k];
    status = tensor_write(r->session, taken->path, r->runner, taken->tensor, r->split->rows.count, taken->bytes);
  }
  return status;
}

static int run(Pipeline *p, Unit *unit, Team *team, const DataSpec *data) {
  Session *s = p->session;
  SplitRun r = {.session = s, .runner = runner_new(s->arena, unit, team, NULL)};
  if (!runner_load_weights(s, r.runner)) return STATUS_DATA;
  r.split = data_bind(p, data_store_new(s->arena, s->io), data, s->options.split, r.runner->step);
  if (!r.split) return STATUS_DATA;
  int status = !choose(&r) ? STATUS_DATA : !go_through(&r, p->batch) ? STATUS_RESOURCE : write_taken(&r);
  data_release(r.split);
  return status;
}

int predict_split(Session *session, Pipeline *p) {
  if (session->options.input) {
    diag_error(session->sink, DIAG_E0601, SPAN_NONE, "--split takes the inputs from the data: it goes without --input");
    return STATUS_USAGE;
  }
  const DataSpec *data = program_data(p->program, p->model);
  if (!data) {
    diag_error(session->sink, DIAG_E0605, SPAN_NONE, "model '%s' has no train block: there is no split to predict",
               p->model_name);
    return STATUS_USAGE;
  }
  Unit *unit = pipeline_build(p, MODE_INFER, LOWER_GRAD);
  Team *team = unit ? team_new(p->codegen.threads) : NULL;
  int status = unit && team ? run(p, unit, team, data) : STATUS_RESOURCE;
  team_free(team);
  pipeline_release(unit);
  return status;
}
