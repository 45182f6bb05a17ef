// Parameters and states of a model to and from safetensors files, by name.
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "data.h"

static int collect(const TensorTable *table, const float *block, NamedTensor *to) {
  for (int k = 0; k < table->n_items; k++) {
    const TensorInfo *info = &table->items[k];
    to[k] = (NamedTensor){.name = info->path, .type = DATA_F32, .rank = info->rank, .data = block + info->offset};
    memcpy(to[k].dim, info->dim, sizeof info->dim);
  }
  return table->n_items;
}

int weights_save(Io io, Arena *arena, const char *path, const TensorTable *params, const float *param_block,
                 const TensorTable *states, const float *state_block) {
  NamedTensor *all = arena_array(arena, (size_t)(params->n_items + states->n_items), sizeof *all);
  int n = collect(params, param_block, all);
  n += collect(states, state_block, all + n);
  return safetensors_write(io, arena, path, all, n, NULL);
}

// ---- loading --------------------------------------------------------------------------------------------------------

enum { MOST_DIFFERENCES = 8 };

typedef struct Fit {
  Arena *arena;
  DiagSink *sink;
  const char *path;
  const char *difference[MOST_DIFFERENCES];
  int differences, loaded;
} Fit;

static void differ(Fit *fit, const char *text) {
  if (fit->differences < MOST_DIFFERENCES) fit->difference[fit->differences] = text;
  fit->differences++;
}

static void report(const Fit *fit, Diag *diag) {
  for (int k = 0; k < fit->differences && k < MOST_DIFFERENCES; k++)
    diag_line(fit->sink, diag, DIAG_NOTE, "%s", fit->difference[k]);
  if (fit->differences > MOST_DIFFERENCES)
    diag_line(fit->sink, diag, DIAG_NOTE, "and %d more differences", fit->differences - MOST_DIFFERENCES);
}

static const char *shape_text(Arena *arena, int rank, const int64_t *dim) {
  Text text = text_new(arena);
  text_add(&text, "[");
  for (int d = 0; d < rank; d++) text_printf(&text, "%s%lld", d ? ", " : "", (long long)dim[d]);
  text_add(&text, "]");
  return text.bytes;
}

static bool same_shape(const TensorInfo *info, const NamedTensor *t) {
  return t->type == DATA_F32 && t->rank == info->rank &&
         (info->rank == 0 || !memcmp(t->dim, info->dim, sizeof *info->dim * (size_t)info->rank));
}

static int by_name(const void *left, const void *right) {
  return strcmp(((const NamedTensor *)left)->name, ((const NamedTensor *)right)->name);
}

// Copies what the table names; `used` marks the file's tensors that belong to it.
static void load_table(Fit *fit, const SafeFile *file, const TensorTable *table, float *block, bool *used) {
  for (int k = 0; k < table->n_items; k++) {
    const TensorInfo *info = &table->items[k];
    NamedTensor key = {.name = info->path};
    const NamedTensor *t = bsearch(&key, file->items, (size_t)file->n_items, sizeof *file->items, by_name);
    if (!t) {
      differ(fit,
             arena_printf(fit->arena, "'%s' %s is missing", info->path, shape_text(fit->arena, info->rank, info->dim)));
      continue;
    }
    used[t - file->items] = true;
    if (same_shape(info, t)) {
      memcpy(block + info->offset, t->data, (size_t)info->count * sizeof *block);
      fit->loaded++;
    } else {
      differ(fit, arena_printf(fit->arena, "'%s' is %s in the model, %s%s in the file", info->path,
                               shape_text(fit->arena, info->rank, info->dim), shape_text(fit->arena, t->rank, t->dim),
                               t->type == DATA_F32 ? "" : " of integers"));
    }
  }
}

static bool load(Fit *fit, Io io, const TensorTable *params, float *param_block, const TensorTable *states,
                 float *state_block) {
  SafeFile file;
  Arena *arena = fit->arena;
  if (!safetensors_read(arena, fit->sink, io, fit->path, &file)) return false;
  bool *used = arena_array(arena, (size_t)file.n_items, sizeof *used);
  qsort(file.items, (size_t)file.n_items, sizeof *file.items, by_name);
  load_table(fit, &file, params, param_block, used);
  load_table(fit, &file, states, state_block, used);
  for (int k = 0; k < file.n_items; k++)
    if (!used[k]) differ(fit, arena_printf(arena, "the model has no '%s'", file.items[k].name));
  return true;
}

bool weights_load(Arena *arena, DiagSink *sink, Io io, const char *path, const TensorTable *params, float *param_block,
                  const TensorTable *states, float *state_block) {
  Fit fit = {.arena = arena, .sink = sink, .path = path};
  if (!load(&fit, io, params, param_block, states, state_block)) return false;
  if (fit.differences) report(&fit, diag_error(sink, DIAG_E0412, SPAN_NONE, "'%s' does not fit the model", path));
  return !fit.differences;
}

bool weights_start(Arena *arena, DiagSink *sink, Io io, const char *path, const TensorTable *params, float *param_block,
                   const TensorTable *states, float *state_block) {
  Fit fit = {.arena = arena, .sink = sink, .path = path};
  if (!load(&fit, io, params, param_block, states, state_block)) return false;
  int all = params->n_items + states->n_items;
  if (!fit.differences) return true;
  if (fit.loaded)
    report(&fit, diag_warning(sink, DIAG_E0412, SPAN_NONE,
                              "'%s' gives %d of the model's %d tensors; the others start anew", path, fit.loaded, all));
  else
    report(&fit, diag_error(sink, DIAG_E0412, SPAN_NONE, "'%s' does not fit the model", path));
  return fit.loaded > 0;
}
