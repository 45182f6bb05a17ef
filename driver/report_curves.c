// From a run's lines to charts.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_page.h"

enum { MOST_CHARTS = 64, MOST_SERIES = 64 };

typedef struct Charts {
  Arena *arena;
  const RunLog *runs;
  int n_runs;
  SvgChart *items;
  int n;
} Charts;

static SvgChart *new_chart(Charts *c, const char *title) {
  SvgChart *chart = &c->items[c->n];
  *chart = (SvgChart){.title = title, .x_name = "step"};
  chart->series = arena_array(c->arena, MOST_SERIES, sizeof *chart->series);
  return chart;
}

// Kept where it shows something.
static void keep(Charts *c) {
  if (svg_chart_has_points(&c->items[c->n]) && c->n + 1 < MOST_CHARTS) c->n++;
}

// Points of lines[].`key` over their steps.
static void add_series(Charts *c, SvgChart *chart, SvgSeries series, const cJSON *lines, const char *key) {
  if (chart->n_series == MOST_SERIES) return;
  const cJSON *line;
  cJSON_ArrayForEach(line, lines) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(line, key);
    if (!item) continue;
    svg_series_add(c->arena, &series, run_log_number(line, "step"), cJSON_IsNumber(item) ? item->valuedouble : NAN);
  }
  if (series.n) chart->series[chart->n_series++] = series;
}

// "valid loss", or of several runs "adam valid loss".
static const char *series_name(const Charts *c, int run, const char *split) {
  return c->n_runs > 1 ? arena_printf(c->arena, "%s%s%s", c->runs[run].name, *split ? " " : "", split) : split;
}

// ---- loss and metrics -----------------------------------------------------------------------------------------------

// The different names behind the dot of "train.loss", "valid.accuracy": loss, accuracy.
static int score_names(const Charts *c, const char **names) {
  int n = 0;
  for (int run = 0; run < c->n_runs; run++) {
    const cJSON *line = c->runs[run].epochs->child, *item;
    cJSON_ArrayForEach(item, line) {
      const char *dot = strchr(item->string, '.');
      bool known = !dot;
      for (int k = 0; !known && k < n; k++) known = strcmp(names[k], dot + 1) == 0;
      if (!known && n < MOST_CHARTS) names[n++] = dot + 1;
    }
  }
  return n;
}

// Every split's values of one score after each epoch. The first split is drawn through, others dashed or in the next
// colour where there is one run.
static void add_splits(Charts *c, SvgChart *chart, int run, const char *score) {
  const cJSON *line = c->runs[run].epochs->child, *item;
  int split = 0;
  cJSON_ArrayForEach(item, line) {
    const char *dot = strchr(item->string, '.');
    if (!dot || strcmp(dot + 1, score) != 0) continue;
    const char *name = arena_strndup(c->arena, item->string, (size_t)(dot - item->string));
    SvgSeries series = {.name = series_name(c, run, name), .colour = c->n_runs > 1 ? run : split, .dots = true};
    series.dashed = split++ > 0;
    series.unlisted = c->n_runs > 1 && series.dashed;
    add_series(c, chart, series, c->runs[run].epochs, item->string);
  }
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Would a run that diverged press all others flat? Then a loss is drawn over decades.
static bool spans_decades(const Charts *c, const SvgChart *chart) {
  int n = 0, k = 0;
  for (int s = 0; s < chart->n_series; s++) n += chart->series[s].n;
  double *all = arena_array(c->arena, (size_t)n + 1, sizeof *all);
  for (int s = 0; s < chart->n_series; s++)
    for (int i = 0; i < chart->series[s].n; i++)
      if (isfinite(chart->series[s].points[i].y)) all[k++] = chart->series[s].points[i].y;
  if (k == 0) return false;
  qsort(all, (size_t)k, sizeof *all, by_size);
  return all[0] > 0 && all[k - 1] > 50 * all[k / 2];
}

static void add_score(Charts *c, const char *score) {
  bool is_loss = strcmp(score, "loss") == 0;
  SvgChart *chart = new_chart(c, score);
  if (c->n_runs > 1) chart->note = is_loss ? "dashed: other splits, pale: batches" : "dashed: other splits";
  for (int run = 0; run < c->n_runs; run++) {
    SvgSeries batches = {.name = series_name(c, run, "batches"), .colour = c->n_runs > 1 ? run : 0, .faint = true};
    batches.unlisted = c->n_runs > 1;
    if (is_loss) add_series(c, chart, batches, c->runs[run].curves, "loss");
    add_splits(c, chart, run, score);
  }
  chart->log_y = is_loss && spans_decades(c, chart);
  keep(c);
}

// ---- what the steps noted -------------------------------------------------------------------------------------------

static void add_noted(Charts *c, const char *title, const char *key, bool log_y) {
  SvgChart *chart = new_chart(c, title);
  chart->log_y = log_y;
  for (int run = 0; run < c->n_runs; run++)
    add_series(c, chart, (SvgSeries){.name = series_name(c, run, c->n_runs > 1 ? "" : title), .colour = run},
               c->runs[run].curves, key);
  keep(c);
}

static const cJSON *first_updates(const RunLog *run) {
  const cJSON *line, *updates = NULL;
  cJSON_ArrayForEach(line, run->curves) {
    updates = cJSON_GetObjectItemCaseSensitive(line, "updates");
    if (updates && updates->child) return updates;
  }
  return updates;
}

static void add_ratio(Charts *c, SvgChart *chart, const char *tensor, int colour) {
  SvgSeries series = {.name = arena_strdup(c->arena, tensor), .colour = colour, .dashed = colour >= SVG_COLOURS};
  const cJSON *line;
  cJSON_ArrayForEach(line, c->runs[0].curves) {
    const cJSON *updates = cJSON_GetObjectItemCaseSensitive(line, "updates");
    if (updates) svg_series_add(c->arena, &series, run_log_number(line, "step"), run_log_number(updates, tensor));
  }
  chart->series[chart->n_series++] = series;
}

// Of a deep network every n-th weight: more lines than that say nothing.
static void add_ratios(Charts *c) {
  const cJSON *updates = first_updates(&c->runs[0]), *item;
  int count = cJSON_GetArraySize(updates), stride = (count + SVG_COLOURS - 1) / SVG_COLOURS, k = 0;
  SvgChart *chart = new_chart(c, "update to weight ratio");
  chart->log_y = true;
  chart->guide = 1e-3;
  chart->guide_name = "0.001: a usual size";
  cJSON_ArrayForEach(item, updates) {
    if (k % stride == 0) add_ratio(c, chart, item->string, k / stride);
    k++;
  }
  keep(c);
}

// How widely the values of each layer are spread, from the input on. Of one run also after training.
static void add_depth(Charts *c, const char *title, const char *what) {
  SvgChart *chart = new_chart(c, title);
  chart->x_name = "layer";
  chart->log_y = true;
  if (c->n_runs > 1) chart->note = "before the first step";
  for (int run = 0; run < c->n_runs && run < MOST_SERIES; run++) {
    SvgSeries series = {.name = c->n_runs > 1 ? c->runs[run].name : "before the first step", .dots = true};
    series.colour = run;
    series.dashed = c->n_runs == 1;
    report_depth(c->arena, &c->runs[run], true, what, &series);
    chart->series[chart->n_series++] = series;
  }
  if (c->n_runs == 1) {
    SvgSeries series = {.name = "after the last epoch", .dots = true};
    report_depth(c->arena, c->runs, false, what, &series);
    chart->series[chart->n_series++] = series;
  }
  keep(c);
}

SvgChart *report_curves(Arena *arena, const RunLog *runs, int n_runs, int *count) {
  Charts c = {.arena = arena, .runs = runs, .n_runs = n_runs};
  c.items = arena_array(arena, MOST_CHARTS, sizeof *c.items);
  const char *names[MOST_CHARTS];
  int n_names = score_names(&c, names);
  if (n_names == 0) names[n_names++] = "loss";  // before the end of the first epoch
  for (int k = 0; k < n_names; k++) add_score(&c, names[k]);
  add_noted(&c, "learning rate", "lr", n_runs > 1);  // optimizers differ by powers of ten
  if (n_runs == 1) add_ratios(&c);
  add_noted(&c, "length of the gradient", "gradient", true);
  add_depth(&c, "spread (std) of activations by layer", "activation");
  add_depth(&c, "spread (std) of gradients by layer", "gradient");
  *count = c.n;
  return c.items;
}
