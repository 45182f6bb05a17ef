// A tensor's numbers in a few: how they are spread.
#pragma once
#include "text.h"

enum { HISTOGRAM_BINS = 24 };

typedef struct Histogram {
  int64_t count, zeros;  // finite numbers, and those of them that are 0
  double least, greatest, sum, sum_of_squares;
  int64_t bins[HISTOGRAM_BINS];  // equally wide from least to greatest
} Histogram;

Histogram histogram_of(const float *values, int64_t count);
double histogram_mean(const Histogram *histogram);
double histogram_std(const Histogram *histogram);
// "least":-1.5,"greatest":2.0,"mean":0.1,"std":0.9,"zeros":12,"count":100,"bins":[1,5,..], without braces.
void histogram_json(const Histogram *histogram, Text *out);
