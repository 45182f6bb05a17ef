// What is known after an epoch, and the lines that tell it: the log, TensorBoard, people.
#pragma once
#include "evaluate.h"

typedef struct EpochReport {
  int64_t epoch, step;  // epoch from 1
  Score *items;         // "train.loss", "test.accuracy": [n_items]
  int n_items;
  double lr, images_per_s;
} EpochReport;

// Room for so many items; then one split's, under its name.
EpochReport epoch_report_new(Arena *arena, int most_items);
void epoch_report_add(Arena *arena, EpochReport *report, const char *split, const Scores *scores);

// {"epoch":1,"step":938,"train.loss":0.41,...,"lr":0.001,"images_per_s":52000.0}; what is not finite is null.
void epoch_report_json(const EpochReport *report, Text *out);
// "train.loss 0.4103  test.accuracy 0.8452"
void epoch_report_line(const EpochReport *report, Text *out);
