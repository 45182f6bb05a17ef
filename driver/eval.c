// dlc eval: loss and metrics of saved weights on a split.
#include <cjson/cJSON.h>
#include <math.h>

#include "commands.h"
#include "evaluate.h"

static void print_scores(Session *session, const Scores *scores, const char *split) {
  if (!session->options.json) {
    for (int k = 0; k < scores->n_items; k++)
      text_printf(&session->out, "%s.%s %.6g\n", split, scores->items[k].name, scores->items[k].value);
    return;
  }
  cJSON *object = cJSON_CreateObject();
  for (int k = 0; k < scores->n_items; k++) {
    double value = scores->items[k].value;
    if (isfinite(value))
      cJSON_AddNumberToObject(object, scores->items[k].name, value);
    else
      cJSON_AddNullToObject(object, scores->items[k].name);
  }
  char *text = cJSON_PrintUnformatted(object);
  cJSON_Delete(object);
  text_printf(&session->out, "%s\n", text ? text : "{}");
  cJSON_free(text);
}

static int evaluate(Session *session, Pipeline *p, Unit *unit, Team *team, const DataSpec *data) {
  Runner *runner = runner_new(session->arena, unit, team, NULL);
  if (!runner_load_weights(session, runner)) return STATUS_DATA;
  const char *name = session->options.split ? session->options.split : "test";
  BoundSplit *split = data_bind(p, data_store_new(session->arena, session->io), data, name, runner->step);
  if (!split) return STATUS_DATA;
  Scores scores = evaluate_split(session->arena, runner, split, p->batch, NULL, NULL);
  data_release(split);
  if (scores.n_items == 0) {
    diag_error(session->sink, DIAG_E0602, SPAN_NONE, "a thread for the data cannot be had");
    return STATUS_RESOURCE;
  }
  print_scores(session, &scores, name);
  return STATUS_DONE;
}

int command_eval(Session *session) {
  if (!session->options.weights) {
    diag_error(session->sink, DIAG_E0601, SPAN_NONE, "dlc eval needs --weights FILE.safetensors");
    return STATUS_USAGE;
  }
  Pipeline *p = pipeline_open(session);
  if (!p) return STATUS_WRONG;
  p->opens_data = true;
  const DataSpec *data = program_data(p->program, p->model);
  if (!data) {
    diag_error(session->sink, DIAG_E0605, SPAN_NONE, "model '%s' has no train block: there is nothing to evaluate",
               p->model_name);
    return STATUS_USAGE;
  }
  Unit *unit = pipeline_build(p, MODE_INFER, LOWER_LOSS);
  Team *team = unit ? team_new(p->codegen.threads) : NULL;
  int status = team ? evaluate(session, p, unit, team, data) : STATUS_RESOURCE;
  team_free(team);
  pipeline_release(unit);
  return status;
}
