// Histograms.
#include "histogram.h"

#include <math.h>

static void find_range(Histogram *h, const float *values, int64_t count) {
  h->least = INFINITY;
  h->greatest = -INFINITY;
  for (int64_t k = 0; k < count; k++) {
    double value = (double)values[k];
    if (!isfinite(value)) continue;
    h->count++;
    h->zeros += value == 0;
    h->least = fmin(h->least, value);
    h->greatest = fmax(h->greatest, value);
    h->sum += value;
    h->sum_of_squares += value * value;
  }
  if (h->count == 0) h->least = h->greatest = 0;
}

Histogram histogram_of(const float *values, int64_t count) {
  Histogram h = {0};
  find_range(&h, values, count);
  double width = (h.greatest - h.least) / HISTOGRAM_BINS;
  for (int64_t k = 0; k < count; k++) {
    double value = (double)values[k];
    if (!isfinite(value)) continue;
    int bin = width > 0 ? (int)((value - h.least) / width) : 0;
    h.bins[bin < HISTOGRAM_BINS ? bin : HISTOGRAM_BINS - 1]++;
  }
  return h;
}

double histogram_mean(const Histogram *h) { return h->count ? h->sum / (double)h->count : 0; }

double histogram_std(const Histogram *h) {
  double mean = histogram_mean(h);
  return h->count ? sqrt(fmax(0, h->sum_of_squares / (double)h->count - mean * mean)) : 0;
}

void histogram_json(const Histogram *h, Text *out) {
  text_printf(out,
              "\"least\":%.6g,\"greatest\":%.6g,\"mean\":%.6g,\"std\":%.6g,\"zeros\":%lld,\"count\":%lld,\"bins\":[",
              h->least, h->greatest, histogram_mean(h), histogram_std(h), (long long)h->zeros, (long long)h->count);
  for (int k = 0; k < HISTOGRAM_BINS; k++) text_printf(out, k ? ",%lld" : "%lld", (long long)h->bins[k]);
  text_add(out, "]");
}
