// Histograms by layer.
#include <math.h>
#include <string.h>

#include "report_page.h"

enum { MOST_BINS = 256, MOST_COLUMNS = 12 };

// The first and last line of the run that holds histograms.
static void find_lines(const RunLog *run, const cJSON **first, const cJSON **last) {
  const cJSON *line;
  *first = *last = NULL;
  cJSON_ArrayForEach(line, run->curves) {
    if (!cJSON_GetObjectItemCaseSensitive(line, "histograms")) continue;
    if (!*first) *first = line;
    *last = line;
  }
}

static const cJSON *find_histogram(const cJSON *line, const char *what, const char *name) {
  const cJSON *item;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(line, "histograms")) {
    if (!strcmp(run_log_text(item, "what"), what) && !strcmp(run_log_text(item, "name"), name)) return item;
  }
  return NULL;
}

static bool read_bars(const cJSON *item, double *bins, SvgBars *bars) {
  const cJSON *bin;
  *bars = (SvgBars){.least = run_log_number(item, "least"), .greatest = run_log_number(item, "greatest"), .bins = bins};
  cJSON_ArrayForEach(bin, cJSON_GetObjectItemCaseSensitive(item, "bins")) {
    if (bars->n < MOST_BINS && cJSON_IsNumber(bin)) bins[bars->n++] = bin->valuedouble;
  }
  return bars->n > 0 && isfinite(bars->least) && isfinite(bars->greatest);
}

static void add_cell(const cJSON *first, const cJSON *last, const char *what, const char *name, Text *out) {
  const cJSON *now = find_histogram(last, what, name), *then = first == last ? NULL : find_histogram(first, what, name);
  double now_bins[MOST_BINS], then_bins[MOST_BINS];
  SvgBars bars, before;
  text_add(out, "<div>");
  if (now && read_bars(now, now_bins, &bars)) {
    bool has_before = then && read_bars(then, then_bins, &before);
    svg_histogram(&bars, has_before ? &before : NULL, out);
    double zeros = run_log_number(now, "zeros") / fmax(1, run_log_number(now, "count"));
    text_printf(out, "<div class=\"small\">mean %.2g, std %.2g", run_log_number(now, "mean"),
                run_log_number(now, "std"));
    if (zeros > 0.005) text_printf(out, ", zeros %.0f&#160;%%", 100 * zeros);
    text_add(out, "</div>");
  }
  text_add(out, "</div>");
}

// A card for each layer or weight: its values, and their gradients beside them.
static void add_cards(const cJSON *first, const cJSON *last, const char *title, const char *what, const char *gradient,
                      Text *out) {
  const cJSON *item;
  int cards = 0;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(last, "histograms")) {
    if (strcmp(run_log_text(item, "what"), what) != 0) continue;
    if (cards++ == 0) text_printf(out, "<h3>%s, and at the right their gradients</h3><div class=\"layers\">\n", title);
    text_add(out, "<div><div class=\"small\">");
    svg_add_escaped(out, run_log_text(item, "name"));
    text_add(out, "</div><div class=\"pair\">");
    add_cell(first, last, what, run_log_text(item, "name"), out);
    add_cell(first, last, gradient, run_log_text(item, "name"), out);
    text_add(out, "</div></div>\n");
  }
  if (cards) text_add(out, "</div>\n");
}

void report_histograms(const RunLog *run, Text *out) {
  const cJSON *first, *last;
  find_lines(run, &first, &last);
  if (!last) return;
  text_printf(
      out,
      "<section><h2>Layers</h2><p class=\"small\">After epoch %.0f, on some rows of the training data; the outline "
      "is before the first step. Each histogram has its own height and, with its outline, its own axis.</p>\n",
      run_log_number(last, "epoch"));
  add_cards(first, last, "Activations", "activation", "gradient", out);
  add_cards(first, last, "Weights", "weight", "weight_gradient", out);
  text_add(out, "</section>\n");
}

// ---- by depth -------------------------------------------------------------------------------------------------------

void report_depth(Arena *arena, const RunLog *run, bool before, const char *what, SvgSeries *series) {
  const cJSON *first, *last, *item;
  find_lines(run, &first, &last);
  int layer = 0;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(before ? first : last, "histograms")) {
    if (strcmp(run_log_text(item, "what"), what) == 0)
      svg_series_add(arena, series, ++layer, run_log_number(item, "std"));
  }
}

// The row of a run: each layer's histogram under its name.
static void add_row(const RunLog *run, Text *out) {
  const cJSON *first, *last, *item;
  find_lines(run, &first, &last);
  int layers = 0, k = 0;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(first, "histograms")) {
    layers += strcmp(run_log_text(item, "what"), "activation") == 0;
  }
  if (layers == 0) return;  // under a memory limit none are looked at
  int stride = (layers + MOST_COLUMNS - 1) / MOST_COLUMNS;
  text_add(out, "<h3>");
  svg_add_escaped(out, run->name);
  text_add(out, "</h3><div class=\"row\">\n");
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(first, "histograms")) {
    if (strcmp(run_log_text(item, "what"), "activation") != 0 || k++ % stride != 0) continue;
    text_add(out, "<div><div class=\"small\">");
    svg_add_escaped(out, run_log_text(item, "name"));
    text_add(out, "</div>");
    add_cell(first, first, "activation", run_log_text(item, "name"), out);
    text_add(out, "</div>\n");
  }
  text_add(out, "</div>\n");
}

void report_first_layers(const RunLog *runs, int n_runs, Text *out) {
  const cJSON *first, *last;
  text_add(out,
           "<section><h2>Layers</h2><p class=\"small\">Activations before the first step, on some rows of the training "
           "data. Each histogram has its own height and axis.</p>\n");
  for (int k = 0; k < n_runs; k++) {
    find_lines(&runs[k], &first, &last);
    if (first) add_row(&runs[k], out);
  }
  text_add(out, "</section>\n");
}
