// TensorBoard's event files: TFRecords (length, masked CRC-32C, data, masked CRC-32C) of protocol-buffer Events.
#pragma once
#include "text.h"

void events_start(Text *out, double unix_seconds);  // the record that a file begins with
void events_scalar(Text *out, const char *tag, int64_t step, double unix_seconds, float value);

typedef struct EventHistogram {
  double least, greatest;
  int64_t count;
  double sum, sum_of_squares;
  const int64_t *bins;  // [n_bins], equally wide from least to greatest
  int n_bins;
} EventHistogram;
void events_histogram(Text *out, const char *tag, int64_t step, double unix_seconds, const EventHistogram *histogram);
