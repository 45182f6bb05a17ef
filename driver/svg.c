// Charts as SVG. Numbers are rounded to a tenth of a pixel; every text is escaped.
#include "svg.h"

#include <math.h>
#include <string.h>

#include "graphviz.h"

enum { LEFT = 52, RIGHT = 14, BOTTOM = 36, TITLE = 22, LEGEND_ROW = 16, LETTER = 7, TICKS = 5 };

// Two shades of each of eight colours: the second eight series are told from the first, as their hue's other shade.
// Each colour stands twice, as it is and as a variable: viewers that know no variables (librsvg) take the first.
const char *svg_style(void) {
  return ":root{--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--paper:#ffffff;--card:#f6f8fa;--bar:#2a6fdb;"
         "--c0:#2a6fdb;--c1:#d9480f;--c2:#2b8a3e;--c3:#9c36b5;--c4:#c2255c;--c5:#0c8599;--c6:#846358;--c7:#495057;"
         "--c8:#74a9f7;--c9:#ff9d4d;--c10:#5cc96f;--c11:#d98af0;--c12:#f58ab0;--c13:#3fc2d6;--c14:#c2a28f;--c15:#a3adb8}"
         "@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--paper:#0d1117;"
         "--card:#151b23;--bar:#4c8dff;"
         "--c0:#4c8dff;--c1:#ff922b;--c2:#51cf66;--c3:#da77f2;--c4:#f783ac;--c5:#3bc9db;--c6:#c8a899;--c7:#adb5bd;"
         "--c8:#2458b8;--c9:#c2510c;--c10:#2f8f43;--c11:#9437ad;--c12:#b83268;--c13:#16879b;--c14:#8f7264;--c15:#6f7881}}"
         "svg text{font:11px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#59636e;fill:var(--soft)}"
         "svg .title{font-size:13px;font-weight:600;fill:#1f2328;fill:var(--ink)}"
         "svg .axis{stroke:#d1d9e0;stroke:var(--line);fill:none}"
         "svg .guide{stroke:#59636e;stroke:var(--soft);stroke-dasharray:2 3;fill:none}"
         "svg .series{fill:none;stroke-width:1.8;stroke-linejoin:round}svg .faint{stroke-width:1;opacity:.45}"
         "svg .dashed{stroke-dasharray:6 4}svg .bars{fill:#2a6fdb;fill:var(--bar);opacity:.8}"
         "svg .before{fill:none;stroke:#59636e;stroke:var(--soft);stroke-width:1.2}svg .cell{fill:#2a6fdb;fill:var(--bar)}"
         "svg .many{fill:#fff}svg .few{fill:#1f2328;fill:var(--ink)}svg .paper{fill:#ffffff;fill:var(--paper)}"
         "svg .k0{stroke:#2a6fdb;stroke:var(--c0)}svg .f0{fill:#2a6fdb;fill:var(--c0)}"
         "svg .k1{stroke:#d9480f;stroke:var(--c1)}svg .f1{fill:#d9480f;fill:var(--c1)}"
         "svg .k2{stroke:#2b8a3e;stroke:var(--c2)}svg .f2{fill:#2b8a3e;fill:var(--c2)}"
         "svg .k3{stroke:#9c36b5;stroke:var(--c3)}svg .f3{fill:#9c36b5;fill:var(--c3)}"
         "svg .k4{stroke:#c2255c;stroke:var(--c4)}svg .f4{fill:#c2255c;fill:var(--c4)}"
         "svg .k5{stroke:#0c8599;stroke:var(--c5)}svg .f5{fill:#0c8599;fill:var(--c5)}"
         "svg .k6{stroke:#846358;stroke:var(--c6)}svg .f6{fill:#846358;fill:var(--c6)}"
         "svg .k7{stroke:#495057;stroke:var(--c7)}svg .f7{fill:#495057;fill:var(--c7)}"
         "svg .k8{stroke:#74a9f7;stroke:var(--c8)}svg .f8{fill:#74a9f7;fill:var(--c8)}"
         "svg .k9{stroke:#ff9d4d;stroke:var(--c9)}svg .f9{fill:#ff9d4d;fill:var(--c9)}"
         "svg .k10{stroke:#5cc96f;stroke:var(--c10)}svg .f10{fill:#5cc96f;fill:var(--c10)}"
         "svg .k11{stroke:#d98af0;stroke:var(--c11)}svg .f11{fill:#d98af0;fill:var(--c11)}"
         "svg .k12{stroke:#f58ab0;stroke:var(--c12)}svg .f12{fill:#f58ab0;fill:var(--c12)}"
         "svg .k13{stroke:#3fc2d6;stroke:var(--c13)}svg .f13{fill:#3fc2d6;fill:var(--c13)}"
         "svg .k14{stroke:#c2a28f;stroke:var(--c14)}svg .f14{fill:#c2a28f;fill:var(--c14)}"
         "svg .k15{stroke:#a3adb8;stroke:var(--c15)}svg .f15{fill:#a3adb8;fill:var(--c15)}";
}

void svg_add_escaped(Text *out, const char *text) { graphviz_add_escaped(out, text); }

void svg_series_add(Arena *arena, SvgSeries *series, double x, double y) {
  series->points = arena_grow(arena, series->points, (size_t)series->n, &series->capacity, sizeof *series->points);
  series->points[series->n++] = (SvgPoint){x, y, 0};
}

// ---- the frame of a chart -------------------------------------------------------------------------------------------

typedef struct Frame {
  const SvgChart *chart;
  Text *out;
  double x0, x1, y0, y1;            // the data's range; y in decades where log_y
  double left, right, top, bottom;  // of the plot, in pixels
} Frame;

static double scaled(const SvgChart *chart, double y) { return chart->log_y ? (y > 0 ? log10(y) : NAN) : y; }

static void add_ranges(Frame *f, bool faint) {
  for (int s = 0; s < f->chart->n_series; s++) {
    if (f->chart->series[s].faint != faint) continue;
    for (int k = 0; k < f->chart->series[s].n; k++) {
      SvgPoint point = f->chart->series[s].points[k];
      double y = scaled(f->chart, point.y);
      if (!isfinite(y) || !isfinite(point.x)) continue;
      f->x0 = fmin(f->x0, point.x);
      f->x1 = fmax(f->x1, point.x);
      f->y0 = fmin(f->y0, y - point.spread);
      f->y1 = fmax(f->y1, y + point.spread);
    }
  }
}

// One wild value of what is noisy is cut off, so that it does not press all else flat.
static void find_range(Frame *f) {
  f->x0 = f->y0 = INFINITY;
  f->x1 = f->y1 = -INFINITY;
  add_ranges(f, false);
  double most = f->y1 + fmax(f->y1 - f->y0, fabs(f->y1));
  add_ranges(f, true);
  if (!f->chart->log_y && isfinite(most)) f->y1 = fmin(f->y1, most);
}

bool svg_chart_has_points(const SvgChart *chart) {
  Frame f = {.chart = chart};
  find_range(&f);
  return f.x0 <= f.x1;
}

// A little room above and below; a range of one value gets a width.
static void widen(Frame *f) {
  double guide = f->chart->guide > 0 ? scaled(f->chart, f->chart->guide) : NAN;
  if (isfinite(guide)) {
    f->y0 = fmin(f->y0, guide);
    f->y1 = fmax(f->y1, guide);
  }
  if (f->x1 <= f->x0) f->x0 -= 1, f->x1 += 1;
  if (f->x0 > 0 && f->x0 < 0.2 * f->x1) f->x0 = 0;
  double room = f->y1 > f->y0 ? 0.05 * (f->y1 - f->y0) : f->y1 != 0 ? 0.1 * fabs(f->y1) : 1;
  bool from_zero = !f->chart->log_y && f->y0 >= 0 && f->y0 < 0.3 * f->y1;
  f->y0 = from_zero ? 0 : f->y0 - room;
  f->y1 += room;
}

static double at_x(const Frame *f, double x) { return f->left + (x - f->x0) / (f->x1 - f->x0) * (f->right - f->left); }
static double at_y(const Frame *f, double y) {
  return f->bottom - (y - f->y0) / (f->y1 - f->y0) * (f->bottom - f->top);
}

// 1, 2 or 5 times a power of ten: about TICKS of them in the range.
static double tick_step(double range) {
  double raw = range / TICKS, power = pow(10, floor(log10(raw))), lead = raw / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static void add_tick_text(Text *out, double value, double step) {
  double size = fabs(value) < step * 1e-6 ? 0 : value;
  if (fabs(size) >= 10000 && fmod(fabs(size), 1000) == 0)
    text_printf(out, "%gk", size / 1000);
  else
    text_printf(out, "%.4g", size);
}

static void draw_y_tick(const Frame *f, double y, double step) {
  text_printf(f->out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
              f->left, at_y(f, y), f->right, f->left - 6, at_y(f, y) + 4);
  if (f->chart->log_y)
    text_printf(f->out, "%.4g", pow(10, y));
  else
    add_tick_text(f->out, y, step);
  text_add(f->out, "</text>");
}

// Powers of ten, of which some are left out where there are many; where there are few, multiples of them between.
static void draw_log_axis(const Frame *f) {
  static const double leads[] = {1, 2, 5, 1.5, 3, 4, 7};
  double range = f->y1 - f->y0, step = fmax(1, ceil(range / 6));
  for (double power = floor(f->y0 / step) * step; power <= f->y1; power += step) {
    for (int k = 0; k < (range < 0.7 ? 7 : range < 2 ? 3 : 1); k++) {
      double y = power + log10(leads[k]);
      if (y >= f->y0 && y <= f->y1) draw_y_tick(f, y, step);
    }
  }
}

static void draw_y_axis(const Frame *f) {
  if (f->chart->log_y) {
    draw_log_axis(f);
    return;
  }
  double step = tick_step(f->y1 - f->y0);
  for (double y = ceil(f->y0 / step) * step; y <= f->y1 + step * 1e-6; y += step) draw_y_tick(f, y, step);
}

static void draw_x_axis(const Frame *f) {
  SvgAxis kind = f->chart->x_axis;
  double step = tick_step(f->x1 - f->x0);
  if (kind != SVG_REAL) step = fmax(1, step);
  for (double x = ceil(f->x0 / step) * step; x <= f->x1 + step * 1e-6; x += step) {
    text_printf(f->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", at_x(f, x), f->bottom + 15);
    if (kind == SVG_POWERS)
      text_printf(f->out, "%g", pow(10, x));
    else
      add_tick_text(f->out, x, step);
    text_add(f->out, "</text>");
  }
  text_printf(f->out,
              "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
              f->left, f->bottom, f->right, f->right, f->bottom + 29, f->chart->x_name);
}

static void draw_guide(const Frame *f) {
  if (!(f->chart->guide > 0)) return;
  double y = at_y(f, scaled(f->chart, f->chart->guide));
  text_printf(f->out,
              "<path class=\"guide\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
              f->left, y, f->right, f->right - 4, y - 4, f->chart->guide_name);
}

// ---- series ---------------------------------------------------------------------------------------------------------

static void draw_line(const Frame *f, const SvgSeries *series) {
  bool pen_down = false;
  text_printf(f->out, "<path class=\"series k%d%s%s\" d=\"", series->colour % SVG_COLOURS,
              series->dashed ? " dashed" : "", series->faint ? " faint" : "");
  for (int k = 0; k < series->n; k++) {
    double y = isfinite(series->points[k].x) ? scaled(f->chart, series->points[k].y) : NAN;
    double x = at_x(f, series->points[k].x);
    if (isfinite(y)) text_printf(f->out, "%c%.1f %.1f", pen_down ? 'L' : 'M', x, at_y(f, fmin(y, f->y1)));
    pen_down = isfinite(y);
  }
  text_add(f->out, "\"><title>");
  svg_add_escaped(f->out, series->name);
  text_add(f->out, "</title></path>");
}

static void draw_dots(const Frame *f, const SvgSeries *series) {
  for (int k = 0; k < series->n; k++) {
    double y = isfinite(series->points[k].x) ? scaled(f->chart, series->points[k].y) : NAN;
    if (!isfinite(y)) continue;
    text_printf(f->out, "<circle class=\"f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"><title>", series->colour % SVG_COLOURS,
                at_x(f, series->points[k].x), at_y(f, y));
    svg_add_escaped(f->out, series->name);
    text_printf(f->out, ", %g: %.5g</title></circle>", series->points[k].x, series->points[k].y);
  }
}

static void draw_spreads(const Frame *f, const SvgSeries *series) {
  for (int k = 0; k < series->n; k++) {
    const SvgPoint *p = &series->points[k];
    if (!(p->spread > 0) || !isfinite(p->y)) continue;
    text_printf(f->out, "<path class=\"series k%d\" d=\"M%.1f %.1fV%.1f\"/>", series->colour % SVG_COLOURS,
                at_x(f, p->x), at_y(f, p->y - p->spread), at_y(f, p->y + p->spread));
  }
}

// Rows of names under the title; returns how many rows, drawn where `out` is not NULL.
static int legend(const SvgChart *chart, Text *out) {
  double x = LEFT;
  int rows = 1;
  for (int s = 0; s < chart->n_series; s++) {
    const SvgSeries *series = &chart->series[s];
    if (series->unlisted) continue;
    double width = 26 + LETTER * (double)strlen(series->name) + 10;
    if (x + width > SVG_CHART_WIDTH && x > LEFT) x = LEFT, rows++;
    if (out) {
      double y = TITLE + LEGEND_ROW * rows - 4;
      text_printf(out, "<path class=\"series k%d%s%s\" d=\"M%.1f %.1fh18\"/><text x=\"%.1f\" y=\"%.1f\">",
                  series->colour % SVG_COLOURS, series->dashed ? " dashed" : "", series->faint ? " faint" : "", x,
                  y - 4, x + 23, y);
      svg_add_escaped(out, series->name);
      text_add(out, "</text>");
    }
    x += width;
  }
  return rows;
}

void svg_chart(const SvgChart *chart, double y, Text *out) {
  Frame f = {.chart = chart, .out = out, .left = LEFT, .right = SVG_CHART_WIDTH - RIGHT};
  f.top = TITLE + LEGEND_ROW * legend(chart, NULL) + 8;
  f.bottom = SVG_CHART_HEIGHT - BOTTOM;
  find_range(&f);
  widen(&f);
  text_printf(out,
              "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" y=\"%.0f\" width=\"%d\" height=\"%d\" "
              "role=\"img\"><text class=\"title\" x=\"%d\" y=\"15\">",
              SVG_CHART_WIDTH, SVG_CHART_HEIGHT, y, SVG_CHART_WIDTH, SVG_CHART_HEIGHT, LEFT);
  svg_add_escaped(out, chart->title);
  text_add(out, "</text>");
  if (chart->note) {
    text_printf(out, "<text x=\"%.0f\" y=\"15\" text-anchor=\"end\">", f.right);
    svg_add_escaped(out, chart->note);
    text_add(out, "</text>");
  }
  (void)legend(chart, out);
  draw_y_axis(&f);
  draw_x_axis(&f);
  draw_guide(&f);
  for (int s = 0; s < chart->n_series; s++) {
    if (!chart->series[s].no_line) draw_line(&f, &chart->series[s]);
    draw_spreads(&f, &chart->series[s]);
    if (chart->series[s].dots) draw_dots(&f, &chart->series[s]);
  }
  text_add(out, "</svg>\n");
}

// ---- histograms -----------------------------------------------------------------------------------------------------

enum { BARS_WIDTH = 180, BARS_HEIGHT = 64, BARS_TEXT = 14 };

// One stroke along the tops of the bars. x: pixels per unit from `least` on.
static void add_outline(const SvgBars *bars, double least, double scale, Text *out) {
  double most = 1e-30, width = (bars->greatest - bars->least) / bars->n;
  for (int k = 0; k < bars->n; k++) most = fmax(most, bars->bins[k]);
  double bottom = BARS_HEIGHT - BARS_TEXT, from = (bars->least - least) * scale;
  text_printf(out, "M%.1f %.1f", from, bottom);
  for (int k = 0; k < bars->n; k++)
    text_printf(out, "V%.1fH%.1f", bottom - bars->bins[k] / most * (bottom - 3), from + (k + 1) * width * scale);
  text_printf(out, "V%.1f", bottom);
}

void svg_histogram(const SvgBars *now, const SvgBars *before, Text *out) {
  double least = now->least, greatest = now->greatest;
  if (before) least = fmin(least, before->least), greatest = fmax(greatest, before->greatest);
  if (greatest <= least) greatest = least + 1;
  double scale = BARS_WIDTH / (greatest - least);
  text_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-2 0 %d %d\" width=\"%d\" height=\"%d\">",
              BARS_WIDTH + 4, BARS_HEIGHT, BARS_WIDTH + 4, BARS_HEIGHT);
  text_add(out, "<path class=\"bars\" d=\"");
  add_outline(now, least, scale, out);
  text_add(out, "Z\"/>");
  if (before) {
    text_add(out, "<path class=\"before\" d=\"");
    add_outline(before, least, scale, out);
    text_add(out, "\"/>");
  }
  text_printf(out, "<text x=\"0\" y=\"%d\">%.2g</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.2g</text></svg>",
              BARS_HEIGHT - 2, least, BARS_WIDTH, BARS_HEIGHT - 2, greatest);
}

// ---- confusion ------------------------------------------------------------------------------------------------------

enum { NUMBERED = 20, MATRIX = 480, MARGIN = 34 };

static void draw_cell(int label, int said, int64_t count, double share, double size, bool numbers, Text *out) {
  double x = MARGIN + said * size, y = MARGIN + label * size;
  text_printf(out, "<rect class=\"cell\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill-opacity=\"%.3f\">",
              x, y, size - 1, size - 1, count ? 0.08 + 0.92 * share : 0);
  text_printf(out, "<title>label %d, said %d: %lld</title></rect>", label, said, (long long)count);
  if (numbers && count)
    text_printf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%lld</text>",
                share > 0.55 ? "many" : "few", x + size / 2, y + size / 2 + 4, (long long)count);
}

void svg_confusion(const int64_t *counts, int classes, Text *out) {
  double size = (double)MATRIX / classes;
  bool numbers = classes <= NUMBERED;
  text_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">",
              MATRIX + MARGIN + 4, MATRIX + MARGIN + 4, MATRIX + MARGIN + 4, MATRIX + MARGIN + 4);
  text_printf(out, "<text x=\"%d\" y=\"12\">said</text><text x=\"2\" y=\"%d\">label</text>", MARGIN + 24, MARGIN - 4);
  for (int label = 0; label < classes; label++) {
    int64_t total = 0;
    for (int said = 0; said < classes; said++) total += counts[label * classes + said];
    if (numbers) {
      double middle = MARGIN + label * size + size / 2;
      text_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d</text>", MARGIN - 6, middle + 4, label);
      text_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>", middle, MARGIN - 6, label);
    }
    for (int said = 0; said < classes; said++) {
      int64_t count = counts[label * classes + said];
      draw_cell(label, said, count, total ? (double)count / (double)total : 0, size, numbers, out);
    }
  }
  text_add(out, "</svg>\n");
}
