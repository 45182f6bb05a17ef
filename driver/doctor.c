// dlc doctor: what one checks by hand before a long run, each with a verdict and advice.
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <string.h>

#include "commands.h"
#include "doctor_inside.h"
#include "progress.h"
#include "report.h"

// In this order; each leaves its findings in the doctor's list.
static void (*const checks[])(Doctor *) = {
    doctor_inputs,   doctor_labels,     doctor_first_loss, doctor_penalty, doctor_steps_without, doctor_gradients,
    doctor_symmetry, doctor_saturation, doctor_heart,      doctor_rates,   doctor_after,
};

void doctor_find(Doctor *d, const char *check, Verdict verdict, const char *advice, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(d->arena, format, args);
  va_end(args);
  d->findings = arena_grow(d->arena, d->findings, (size_t)d->n_findings, &d->capacity, sizeof *d->findings);
  d->findings[d->n_findings++] = (Finding){check, verdict, text, advice};
}

static int count_sick(const Doctor *d) {
  int n = 0;
  for (int k = 0; k < d->n_findings; k++) n += d->findings[k].verdict == SICK;
  return n;
}

static bool is_sick(const Doctor *d, int k, const char *check) {
  return d->findings[k].verdict == SICK && !strcmp(d->findings[k].check, check);
}

// The first check that found something. Those that see only that little is learnt count after all others.
static const char *first_cause(const Doctor *d) {
  const char *symptom = "by heart";
  for (int k = 0; k < d->n_findings; k++) {
    if (is_sick(d, k, "updates")) symptom = "updates";
    if (d->findings[k].verdict == SICK && !is_sick(d, k, "updates") && !is_sick(d, k, "by heart"))
      return d->findings[k].check;
  }
  return symptom;
}

static void print_findings(const Doctor *d) {
  static const char *const verdicts[] = {[FINE] = "ok", [SICK] = "SICK", [LEFT_OUT] = "-"};
  Text *out = &d->session->out;
  for (int k = 0; k < d->n_findings; k++) {
    const Finding *f = &d->findings[k];
    text_printf(out, "%-4s  %-14s  %s\n", verdicts[f->verdict], f->check, f->text);
    if (f->advice) text_printf(out, "%-4s  %-14s  = advice: %s\n", "", "", f->advice);
  }
  int sick = count_sick(d);
  if (sick == 0)
    text_add(out, "\nnothing found\n");
  else if (sick == 1)
    text_add(out, "\n1 finding\n");
  else
    text_printf(out, "\n%d findings; to mend first: %s\n", sick, first_cause(d));
}

static void print_json(const Doctor *d) {
  static const char *const verdicts[] = {[FINE] = "ok", [SICK] = "sick", [LEFT_OUT] = "left out"};
  cJSON *all = cJSON_CreateArray();
  for (int k = 0; k < d->n_findings; k++) {
    const Finding *f = &d->findings[k];
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "check", f->check);
    cJSON_AddStringToObject(item, "verdict", verdicts[f->verdict]);
    cJSON_AddStringToObject(item, "text", f->text);
    if (f->advice) cJSON_AddStringToObject(item, "advice", f->advice);
    cJSON_AddItemToArray(all, item);
  }
  char *text = cJSON_PrintUnformatted(all);
  text_printf(&d->session->out, "%s\n", text ? text : "[]");
  cJSON_free(text);
  cJSON_Delete(all);
}

static int examine(Doctor *d) {
  if (!doctor_open(d)) return STATUS_RESOURCE;
  Progress progress = progress_new(d->session);
  progress_say(&progress, "%s: %lld rows of the training data, batches of %lld", d->p->model_name, (long long)d->rows,
               (long long)d->batch);
  for (size_t k = 0; k < sizeof checks / sizeof *checks; k++) checks[k](d);
  if (d->session->options.json)
    print_json(d);
  else
    print_findings(d);
  return count_sick(d) ? STATUS_WRONG : STATUS_DONE;
}

int command_doctor(Session *session) {
  Pipeline *p = pipeline_open(session);
  if (!p) return STATUS_WRONG;
  if (!p->train) {
    diag_error(session->sink, DIAG_E0605, SPAN_NONE, "model '%s' has no train block", p->model_name);
    return STATUS_USAGE;
  }
  p->opens_data = true;
  Doctor d = {.session = session, .p = p, .arena = session->arena};
  int status = examine(&d);
  doctor_close(&d);
  return status;
}
