// See fold.h.
#include "fold.h"

#include "trainer_inside.h"

Runner *fold_train(Pipeline *p, Arena *arena, const FoldTraining *fold, bool *diverged) {
  Trainer t = {.session = p->session, .arena = arena, .p = p, .spec = p->train, .log = -1, .team = fold->team};
  BoundSplit *others[] = {(BoundSplit *)fold->watched}, split = *fold->split;
  t.train_unit = fold->train;
  t.test_unit = fold->test;
  t.split = &split;
  t.others = others;
  t.n_others = fold->watched != NULL;
  t.progress = progress_new(p->session);
  *diverged = false;
  Outcome outcome = NO_MEMORY;
  if (trainer_open_fold(&t)) {
    runner_hold(t.train, fold->memory);
    runner_hold(t.test, fold->memory);
    outcome = trainer_loop(&t);
  }
  loader_free(t.loader);
  *diverged = outcome == DIVERGED;
  if (outcome == STOPPED) diag_error(p->session->sink, DIAG_E0605, SPAN_NONE, "the search was stopped");
  return outcome == GOES_ON ? t.train : NULL;
}
