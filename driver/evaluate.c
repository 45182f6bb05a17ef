// Evaluation over a split.
#include "evaluate.h"

#include <string.h>

static bool is_score(const DlcTensor *output) { return output->kind == OUT_LOSS || output->kind == OUT_METRIC; }

static Scores new_scores(Arena *arena, const DlcStep *step) {
  Scores scores = {.items = arena_array(arena, (size_t)step->n_outputs, sizeof *scores.items)};
  for (int k = 0; k < step->n_outputs; k++)
    if (is_score(&step->outputs[k]))
      scores.items[scores.n_items++].name = step->outputs[k].kind == OUT_LOSS ? "loss" : step->outputs[k].name;
  return scores;
}

static void add_batch(Scores *scores, const Runner *runner, int64_t rows) {
  int at = 0;
  for (int k = 0; k < runner->step->n_outputs; k++) {
    if (!is_score(&runner->step->outputs[k])) continue;
    const void *value = runner_output(runner, k);
    bool floats = runner->step->outputs[k].type == DT_F32;
    scores->items[at++].value +=
        (double)rows * (floats ? (double)*(const float *)value : (double)*(const int32_t *)value);
  }
}

Scores evaluate_split(Arena *arena, Runner *runner, const BoundSplit *split, int64_t batch, bool (*stop)(void *state),
                      void *state) {
  Scores scores = new_scores(arena, runner->step);
  Loader *loader = loader_new(arena, split->fields, split->n_fields, &split->rows, batch, false, 0, 0, 0);
  runner_weights_changed(runner);  // since the last evaluation, perhaps
  int64_t done = 0;
  while (loader && done < split->rows.count) {
    const Batch *next = stop && stop(state) ? NULL : loader_next(loader);
    if (!next) break;
    runner_take(runner, next->fields);
    runner_step(runner, next->count, 0, 0, NULL);
    add_batch(&scores, runner, next->count);
    done += next->count;
  }
  loader_free(loader);
  for (int k = 0; k < scores.n_items; k++) scores.items[k].value /= (double)split->rows.count;
  if (done < split->rows.count) scores.n_items = 0;
  return scores;
}
