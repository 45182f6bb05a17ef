// dlc check: everything that can be known without data and without generating code.
#include "commands.h"
#include "lint.h"
#include "report.h"

// Lowers what the model is used for. The training version of the loss goes through autodiff, which finds parameters
// that no gradient reaches, and through the memory plan.
static bool check_model(Pipeline *p, int model) {
  Text *out = &p->session->out;
  pipeline_choose(p, model);
  Unit *shown = pipeline_lower(p, MODE_INFER, LOWER_OUTPUT);
  Unit *training = shown ? pipeline_lower(p, MODE_TRAIN, LOWER_OUTPUT) : NULL;
  if (!training) return false;
  lint_dropout(p->session->sink, training->graph);
  Unit *unit = p->train ? pipeline_lower(p, MODE_TRAIN, LOWER_LOSS) : pipeline_lower(p, MODE_INFER, LOWER_OUTPUT);
  if (!unit || !pipeline_passes(p, unit, NULL) || !pipeline_plan(p, unit)) return false;
  if (program_search(p->program, model) && !pipeline_lower(p, MODE_INFER, LOWER_SEARCH)) return false;
  report_layers(p, shown->lowered, out);
  report_memory(p, unit, out);
  return true;
}

int command_check(Session *session) {
  Pipeline *p = pipeline_read(session);
  if (!p) return STATUS_WRONG;
  int only = session->options.model ? pipeline_find(p) : -1, count = program_model_count(p->program);
  if (session->options.model && only < 0) return STATUS_USAGE;
  for (int model = only < 0 ? 0 : only; model < (only < 0 ? count : only + 1); model++)
    if (!check_model(p, model)) return STATUS_WRONG;
  text_printf(&session->out, "%s: no mistakes\n", p->path);
  return STATUS_DONE;
}
