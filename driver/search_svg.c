// What a search found, as a picture: the scores over the first axis of numbers, the other axes' combinations as lines,
// every fold a dot; below it the table, the better the darker.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search.h"
#include "svg.h"

enum { ROW = 20, LETTER = 7, GAP = 14, MARGIN = 12, MOST_ROWS = 500, MOST_LINES = 64, POWERS_FROM = 100 };

// ---- the chart ------------------------------------------------------------------------------------------------------

static bool read_number(const char *text, double *number) {
  char *end;
  *number = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(*number);
}

// The first axis of two different numbers or more; -1 where there is none.
static int axis_of_numbers(const Search *s) {
  for (int k = 0; k < s->spec->n_axes; k++) {
    const SearchAxis *axis = &s->spec->axes[k];
    double first, number;
    bool differ = false, numbers = axis->n_values > 0 && read_number(axis->values[0], &first);
    for (int v = 1; numbers && v < axis->n_values; v++) {
      numbers = read_number(axis->values[v], &number);
      differ |= numbers && number != first;
    }
    if (numbers && differ) return k;
  }
  return -1;
}

static double number_of(const Search *s, int64_t c, int axis) {
  double number = 0;
  (void)read_number(s->spec->axes[axis].values[search_choice(s->spec, c, axis)], &number);
  return number;
}

// Values that span powers of ten, all above 0.
static bool spans_powers(const SearchAxis *axis) {
  double least = INFINITY, most = 0, number = 0;
  for (int v = 0; v < axis->n_values; v++) {
    (void)read_number(axis->values[v], &number);
    least = fmin(least, number);
    most = fmax(most, number);
  }
  return least > 0 && most >= POWERS_FROM * least;
}

// Does candidate c stand on the line that begins with candidate `first`?
static bool on_line(const Search *s, int64_t first, int64_t c, int axis) {
  for (int k = 0; k < s->spec->n_axes; k++)
    if (k != axis && search_choice(s->spec, first, k) != search_choice(s->spec, c, k)) return false;
  return true;
}

// "distance = l1", of all axes but the chart's; the score's name where there is no other.
static const char *line_name(const Search *s, int64_t c, int axis) {
  Text out = text_new(s->session->arena);
  for (int k = 0; k < s->spec->n_axes; k++)
    if (k != axis)
      text_printf(&out, "%s%s = %s", out.length ? "  " : "", s->spec->axes[k].name,
                  s->spec->axes[k].shown[search_choice(s->spec, c, k)]);
  return out.length ? out.bytes : s->spec->score;
}

static int by_x(const void *a, const void *b) {
  double x = ((const SvgPoint *)a)->x, y = ((const SvgPoint *)b)->x;
  return (x > y) - (x < y);
}

// The line's means with their deviation, and behind it the folds.
static void add_line(const Search *s, SvgChart *chart, int64_t first, int axis, int colour) {
  Arena *arena = s->session->arena;
  bool powers = chart->x_axis == SVG_POWERS;
  SvgSeries means = {.name = line_name(s, first, axis), .colour = colour, .dots = true};
  SvgSeries folds = {.name = means.name, .colour = colour, .dots = true, .no_line = true, .unlisted = true};
  for (int64_t c = first; c < s->n; c++) {
    if (!on_line(s, first, c, axis)) continue;
    double number = number_of(s, c, axis), x = powers ? log10(number) : number;
    svg_series_add(arena, &means, x, s->results[c].mean);
    if (s->spec->folds && isfinite(s->results[c].std)) means.points[means.n - 1].spread = s->results[c].std;
    for (int64_t k = 0; s->spec->folds && k < s->n_scores; k++)
      svg_series_add(arena, &folds, x, s->results[c].scores[k]);
  }
  qsort(means.points, (size_t)means.n, sizeof *means.points, by_x);
  chart->series[chart->n_series++] = means;
  if (folds.n) chart->series[chart->n_series++] = folds;
}

// False where there is nothing to draw over.
static bool make_chart(const Search *s, SvgChart *chart) {
  int axis = axis_of_numbers(s), lines = 0;
  if (axis < 0) return false;
  const SearchAxis *along = &s->spec->axes[axis];
  *chart = (SvgChart){.title = arena_printf(s->session->arena, "%s of %s", s->spec->score, s->spec->model),
                      .x_name = along->name,
                      .x_axis = spans_powers(along) ? SVG_POWERS : SVG_REAL};
  chart->series = arena_array(s->session->arena, 2 * MOST_LINES, sizeof *chart->series);
  for (int64_t c = 0; c < s->n && lines < MOST_LINES; c++)
    if (search_choice(s->spec, c, axis) == 0) add_line(s, chart, c, axis, lines++);
  return svg_chart_has_points(chart);
}

// ---- the table ------------------------------------------------------------------------------------------------------

typedef struct Table {
  const Search *s;
  Text *out;
  double *left;        // [n_axes + 1] where columns begin: the axes', then the first score's
  double score_width;  // of each column of scores
  double least, most;  // of all scores that are finite
  int64_t rows;        // shown
  int columns;         // of scores: the mean, the deviation, the folds
} Table;

static void find_range(Table *t) {
  t->least = INFINITY, t->most = -INFINITY;
  for (int64_t c = 0; c < t->s->n; c++)
    for (int64_t k = 0; k < t->s->n_scores; k++) {
      double score = t->s->results[c].scores[k];
      if (!isfinite(score)) continue;
      t->least = fmin(t->least, score);
      t->most = fmax(t->most, score);
    }
}

static Table table_new(const Search *s, Text *out) {
  Table t = {.s = s, .out = out, .columns = s->spec->folds ? 2 + (int)s->n_scores : 1};
  t.rows = s->n < MOST_ROWS ? s->n : MOST_ROWS;
  t.left = arena_array(s->session->arena, (size_t)s->spec->n_axes + 1, sizeof *t.left);
  t.left[0] = MARGIN;
  for (int k = 0; k < s->spec->n_axes; k++) {
    const SearchAxis *axis = &s->spec->axes[k];
    size_t letters = strlen(axis->name);
    for (int v = 0; v < axis->n_values; v++)
      if (strlen(axis->shown[v]) > letters) letters = strlen(axis->shown[v]);
    t.left[k + 1] = t.left[k] + LETTER * (double)letters + GAP;
  }
  size_t letters = strlen(s->spec->score) > 8 ? strlen(s->spec->score) : 8;
  t.score_width = LETTER * (double)letters + 4;
  find_range(&t);
  return t;
}

static double table_width(const Table *t) {
  return t->left[t->s->spec->n_axes] + t->columns * t->score_width + LETTER * 6 + MARGIN;
}

static void add_text(const Table *t, double x, double y, const char *how, const char *text) {
  text_printf(t->out, "<text%s x=\"%.1f\" y=\"%.1f\">", how, x, y);
  svg_add_escaped(t->out, text);
  text_add(t->out, "</text>");
}

static double column_left(const Table *t, int column) { return t->left[t->s->spec->n_axes] + column * t->score_width; }

static void add_head(const Table *t, double y) {
  Arena *arena = t->out->arena;
  for (int k = 0; k < t->s->spec->n_axes; k++) add_text(t, t->left[k], y, "", t->s->spec->axes[k].name);
  for (int k = 0; k < t->columns; k++) {
    const char *name = k == 0 ? t->s->spec->score : k == 1 ? "std" : arena_printf(arena, "fold %d", k - 1);
    add_text(t, column_left(t, k + 1) - 6, y, " text-anchor=\"end\"", name);
  }
  text_add(t->out, "\n");
}

// 0 for the worst score, 1 for the best.
static double goodness(const Table *t, double score) {
  if (!(t->most > t->least)) return 0;
  double share = (score - t->least) / (t->most - t->least);
  return t->s->spec->maximize ? share : 1 - share;
}

static void add_score(const Table *t, int column, double y, double score, bool shaded) {
  double x = column_left(t, column), share = shaded && isfinite(score) ? goodness(t, score) : 0;
  if (shaded && isfinite(score))
    text_printf(t->out,
                "<rect class=\"cell\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill-opacity=\"%.3f\"/>", x,
                y - ROW + 6, t->score_width - 1, ROW - 1, 0.04 + 0.86 * share);
  const char *how = share > 0.55 ? " class=\"many\" text-anchor=\"end\"" : " class=\"few\" text-anchor=\"end\"";
  add_text(t, x + t->score_width - 6, y, how,
           isfinite(score) ? arena_printf(t->out->arena, "%.4f", score) : "diverged");
}

static void add_row(const Table *t, int64_t c, double y) {
  const Search *s = t->s;
  const Result *r = &s->results[c];
  for (int k = 0; k < s->spec->n_axes; k++)
    add_text(t, t->left[k], y, " class=\"few\"", s->spec->axes[k].shown[search_choice(s->spec, c, k)]);
  add_score(t, 0, y, r->mean, true);
  if (s->spec->folds) add_score(t, 1, y, r->std, false);
  for (int k = 2; k < t->columns; k++) add_score(t, k, y, r->scores[k - 2], true);
  if (c == s->winner) add_text(t, column_left(t, t->columns) + 6, y, "", "best");
  text_add(t->out, "\n");
}

static void add_table(const Table *t, double top) {
  double y = top + ROW;
  add_head(t, y);
  for (int64_t c = 0; c < t->rows; c++) add_row(t, c, y += ROW);
  if (t->rows < t->s->n)
    add_text(t, MARGIN, y += ROW, "", arena_printf(t->out->arena, "and %lld more", (long long)(t->s->n - t->rows)));
  if (t->s->has_test)
    add_text(t, MARGIN, y + ROW, "",
             arena_printf(t->out->arena, "best: %s, test.%s %.4f", search_words(t->s, t->s->winner), t->s->spec->score,
                          t->s->test));
}

void search_svg(const Search *s, Text *out) {
  SvgChart chart;
  Table table = table_new(s, out);
  double top = make_chart(s, &chart) ? SVG_CHART_HEIGHT : 0;
  double width = fmax(top > 0 ? SVG_CHART_WIDTH : 0, table_width(&table));
  double height = top + ROW * (double)(table.rows + 3) + MARGIN;
  text_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\"><style>%s</style>\n",
              width, height, svg_style());
  text_add(out, "<rect width=\"100%\" height=\"100%\" class=\"paper\"/>\n");
  if (top > 0) svg_chart(&chart, 0, out);
  add_table(&table, top);
  text_add(out, "</svg>\n");
}
