// A fold of cross-validation: which rows of split train are held out, and the split bound so that whatever is a
// statistic of split train (normalize, means in its fields) is taken over the others alone.
#include <string.h>

#include "search.h"

// Places in split train: order[total * fold / folds ..] are held out.
static void part_rows(const Search *s, Arena *arena, int64_t total, int64_t fold, Fold *parts) {
  int64_t *order = arena_array(arena, (size_t)total, sizeof *order), folds = s->spec->folds;
  int64_t *kept = arena_array(arena, (size_t)total, sizeof *kept);
  int64_t *held = arena_array(arena, (size_t)total, sizeof *held);
  RowSet all = {.count = total};
  rows_shuffle(s->spec->seed, 0, s->spec->shuffle, &all, order);
  bool *is_held = arena_array(arena, (size_t)total, sizeof *is_held);
  for (int64_t k = total * fold / folds; k < total * (fold + 1) / folds; k++) is_held[order[k]] = true;
  parts->kept = (RowSet){.rows = kept};
  parts->held = (RowSet){.rows = held};
  for (int64_t row = 0; row < total; row++) {
    if (is_held[row])
      held[parts->held.count++] = row;
    else
      kept[parts->kept.count++] = row;
  }
}

static bool has_statistics(const DataSpec *data) {
  for (int k = 0; k < data->n_splits; k++)
    for (int n = 0; n < data->splits[k].n_fields; n++)
      if (data->splits[k].fields[n].n_stats) return true;
  return data->n_normalize > 0;
}

// The fold's files and statistics, the same for every candidate.
static DataStore *store_of(Search *s, int64_t fold) {
  Arena *arena = s->session->arena;
  if (!s->fold_stores) s->fold_stores = arena_array(arena, (size_t)s->spec->folds, sizeof *s->fold_stores);
  if (!s->fold_stores[fold]) s->fold_stores[fold] = data_store_beside(s->store);
  return s->fold_stores[fold];
}

// Binds the network's splits with p->fold's statistics. False after reporting.
static bool bind_splits(Search *s, Pipeline *p, const DataSpec *data, int64_t fold, FoldSplits *splits) {
  const Network *n = s->network;
  DataStore *store = store_of(s, fold);
  splits->scored = data_bind(p, store, data, "train", codegen_step(n->score->compiled));
  if (!splits->scored || !n->train) return splits->scored != NULL;
  splits->rows = data_bind_training(p, store, data, "train", codegen_step(n->train->compiled));
  splits->held_loss = splits->rows ? data_bind(p, store, data, "train", codegen_step(n->loss->compiled)) : NULL;
  return splits->held_loss != NULL;
}

static bool with_statistics(Search *s, Pipeline *p, Arena *arena, const DataSpec *data, int64_t fold, Fold *parts) {
  Network *n = s->network;
  if (!n->folds) n->folds = arena_array(s->session->arena, (size_t)s->spec->folds, sizeof *n->folds);
  FoldSplits *splits = &n->folds[fold];
  p->fold = &parts->kept;
  bool done = splits->scored || bind_splits(s, p, data, fold, splits);
  if (done && n->score->memory) {
    parts->memory = memory_read_again(p, arena, store_of(s, fold), n->score, s->spec->data, &parts->kept);
    done = parts->memory != NULL;
  }
  p->fold = NULL;
  parts->splits = *splits;
  return done;
}

bool search_fold(Search *s, Pipeline *p, Arena *arena, int64_t fold, Fold *parts) {
  const Network *n = s->network;
  const DataSpec *data = program_data_named(p->program, s->spec->data);
  *parts = (Fold){.splits = {n->scored, n->rows, n->held_loss}};
  part_rows(s, arena, n->scored->rows.count, fold, parts);
  if (parts->held.count == 0 || parts->kept.count == 0) {
    diag_error(s->session->sink, DIAG_E0406, s->spec->span, "%lld rows do not make %lld folds",
               (long long)n->scored->rows.count, (long long)s->spec->folds);
    return false;
  }
  if (has_statistics(data)) return with_statistics(s, p, arena, data, fold, parts);
  parts->memory = memory_select(arena, n->score->memory, s->spec->data, "train", parts->kept.rows, parts->kept.count);
  return true;
}
