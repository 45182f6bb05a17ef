// What the page of dlc report is made of. Private to report_page.c, report_curves.c, report_layers.c, predictions.c.
#pragma once
#include "run_log.h"
#include "svg.h"

// ---- report_curves.c ----

// The charts of runs: loss, each metric, learning rate, gradient; of one run also update-to-weight ratios. [*count],
// those without points left out.
SvgChart *report_curves(Arena *arena, const RunLog *runs, int n_runs, int *count);

// ---- report_layers.c ----

// Histograms, a card a layer: activations and their gradients, weights and theirs; at the end of the run, with
// the start as an outline.
void report_histograms(const RunLog *run, Text *out);

// ---- report_predictions.c ----

// A classifier's confusion matrix and worst mistakes, of the newest weights on a split, as HTML; else a sentence that
// says why there are none. Loads the program as it was trained, and its data (--data, else where training found it).
void report_predictions(Session *session, const RunLog *run, Text *out);
