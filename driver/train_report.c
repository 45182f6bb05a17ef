// Lines about an epoch.
#include "train_report.h"

#include <math.h>

EpochReport epoch_report_new(Arena *arena, int most_items) {
  return (EpochReport){.items = arena_array(arena, (size_t)most_items, sizeof(Score))};
}

void epoch_report_add(Arena *arena, EpochReport *report, const char *split, const Scores *scores) {
  for (int k = 0; k < scores->n_items; k++) {
    const Score *score = &scores->items[k];
    report->items[report->n_items++] = (Score){arena_printf(arena, "%s.%s", split, score->name), score->value};
  }
}

static void add_number(Text *out, const char *name, double value) {
  text_add(out, ",");
  text_add_quoted(out, name);
  text_add(out, ":");
  if (isfinite(value))
    text_add_double(out, value);
  else
    text_add(out, "null");
}

void epoch_report_json(const EpochReport *report, Text *out) {
  text_printf(out, "{\"epoch\":%lld,\"step\":%lld", (long long)report->epoch, (long long)report->step);
  for (int k = 0; k < report->n_items; k++) add_number(out, report->items[k].name, report->items[k].value);
  add_number(out, "lr", report->lr);
  add_number(out, "images_per_s", round(report->images_per_s * 10) / 10);
  text_add(out, "}");
}

void epoch_report_line(const EpochReport *report, Text *out) {
  for (int k = 0; k < report->n_items; k++)
    text_printf(out, "%s%s %.4f", k ? "  " : "", report->items[k].name, report->items[k].value);
}
