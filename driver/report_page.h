// What the page of dlc report is made of. Private to report_page.c, report_curves.c, report_layers.c, predictions.c.
#pragma once
#include "run_log.h"
#include "svg.h"

// ---- report_curves.c ----

// The charts of runs: loss, each metric, learning rate, gradient, the spread of activations and gradients by layer; of
// one run also update-to-weight ratios. [*count], those without points left out.
SvgChart *report_curves(Arena *arena, const RunLog *runs, int n_runs, int *count);

// ---- report_layers.c ----

// Histograms, a card a layer: activations and their gradients, weights and theirs; at the end of the run, with
// the start as an outline.
void report_histograms(const RunLog *run, Text *out);
// The activations of several runs before the first step: a row a run, a column a layer (of many, every n-th).
void report_first_layers(const RunLog *runs, int n_runs, Text *out);
// Adds a point for each layer, (its number from 1, the standard deviation of `what`): "activation" or "gradient",
// before the first step, or as they were noted last.
void report_depth(Arena *arena, const RunLog *run, bool before, const char *what, SvgSeries *series);

// ---- report_runs.c ----

// The last scores of a run and what it was started with, as a list; of several, what differs as a table, a row a run.
void report_facts(const RunLog *run, Text *out);
void report_runs(const RunLog *runs, int n_runs, Text *out);

// ---- report_predictions.c ----

// A classifier's confusion matrix and worst mistakes, of the newest weights on a split, as HTML; else a sentence that
// says why there are none. Loads the program as it was trained, and its data (--data, else where training found it).
void report_predictions(Session *session, const RunLog *run, Text *out);
