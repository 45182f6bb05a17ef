// A small writer of charts as SVG: lines over steps, histograms, a confusion matrix. Colours are classes and variables
// (svg_style), so that a chart follows the page's light or dark theme.
#pragma once
#include "text.h"

enum { SVG_COLOURS = 16 };

typedef struct SvgPoint {
  double x, y;
  double spread;  // > 0: a bar so far up and down
} SvgPoint;

typedef enum SvgAxis {
  SVG_STEPS,  // whole numbers
  SVG_REAL,
  SVG_POWERS  // the points' x are exponents of 10
} SvgAxis;

typedef struct SvgSeries {
  const char *name;
  SvgPoint *points;  // [n], by x; what is not finite leaves a gap
  int n;
  size_t capacity;
  int colour;     // 0.., taken modulo SVG_COLOURS
  bool dashed;    // of another split than train
  bool faint;     // thin and pale: what is noisy
  bool dots;      // a dot at each point
  bool no_line;   // and nothing between them
  bool unlisted;  // not in the legend
} SvgSeries;

typedef struct SvgChart {
  const char *title, *x_name;
  const char *note;  // behind the title, small: how to read it; NULL: nothing
  SvgAxis x_axis;
  SvgSeries *series;  // [n_series]
  int n_series;
  bool log_y;    // what is not positive is left out
  double guide;  // a horizontal line at this value; 0: none
  const char *guide_name;
} SvgChart;

void svg_series_add(Arena *arena, SvgSeries *series, double x, double y);
// Whether any series has a point that can be shown.
bool svg_chart_has_points(const SvgChart *chart);

enum { SVG_CHART_WIDTH = 560, SVG_CHART_HEIGHT = 300 };
// One <svg> element of that size, at `y` in what is around it.
void svg_chart(const SvgChart *chart, double y, Text *out);

typedef struct SvgBars {  // a histogram's bins, equally wide from least to greatest
  double least, greatest;
  const double *bins;
  int n;
} SvgBars;
// The histogram `now` filled and `before` (NULL: none) as an outline, on a common axis, each to its own height.
void svg_histogram(const SvgBars *now, const SvgBars *before, Text *out);

// counts[label * classes + said].
void svg_confusion(const int64_t *counts, int classes, Text *out);

// The rules that charts need, for a <style> element; light, and dark where the viewer prefers it.
const char *svg_style(void);
// Text inside an element or a quoted attribute.
void svg_add_escaped(Text *out, const char *text);
