// The doctor's look at the first weights: the first loss, its penalty, units that stay alike, saturated activations.
#include <math.h>
#include <string.h>

#include "doctor_inside.h"

enum { ALIKE_STEPS = 6 };

void doctor_first_loss(Doctor *d) {
  doctor_reset(d);
  d->first_loss = doctor_step(d, &d->whole, 0, d->batch);
  double loss = doctor_value(&d->whole, d->whole.data_loss);
  if (!isfinite(loss)) {
    doctor_find(d, "first loss", SICK, "look for a division by 0, a logarithm of 0, inputs that are too large",
                "it is not finite");
    return;
  }
  if (d->classes < 2) {
    doctor_find(d, "first loss", FINE, NULL, "%.4g (no class labels to compare with)", loss);
    return;
  }
  double expected = log((double)d->classes), ratio = loss / expected;
  bool sick = ratio > 2 || ratio < 0.5;
  const char *advice =
      ratio > 2 ? "the scores are too large: smaller first weights or inputs" : "is the answer among the inputs?";
  doctor_find(d, "first loss", sick ? SICK : FINE, sick ? advice : NULL,
              "%.3f; guessing among %d classes has ln %d = %.3f", loss, d->classes, d->classes, expected);
}

void doctor_penalty(Doctor *d) {
  if (d->whole.penalty < 0) {
    doctor_find(d, "regularisation", LEFT_OUT, NULL, "the loss has no penalty on weights");
    return;
  }
  doctor_reset(d);
  double loss = doctor_step(d, &d->whole, 0, d->batch), bare = doctor_value(&d->whole, d->whole.data_loss);
  bool rises = loss > bare;
  doctor_find(d, "regularisation", rises ? FINE : SICK, rises ? NULL : "a penalty has a positive factor",
              "the loss %s with it: %.4g without, %.4g with", rises ? "rises" : "does not rise", bare, loss);
}

// ---- units that stay alike ------------------------------------------------------------------------------------------

static bool starts_constant(const TensorInfo *tensor) {
  return tensor->decay && tensor->rank >= 2 && tensor->dim[tensor->rank - 1] > 1 &&
         (tensor->init.kind == INIT_ZEROS || tensor->init.kind == INIT_ONES || tensor->init.kind == INIT_CONSTANT);
}

// Every row of the block of units holds one number.
static bool units_alike(const TensorInfo *tensor, const float *values) {
  int64_t units = tensor->dim[tensor->rank - 1];
  for (int64_t k = 0; k < tensor->count; k++) {
    float first = values[k / units * units];
    if (fabsf(values[k] - first) > 1e-6f * fmaxf(fabsf(first), 1e-6f)) return false;
  }
  return true;
}

// Weights that start as one number are a mistake where training cannot tell their units apart.
void doctor_symmetry(Doctor *d) {
  const Runner *r = d->whole.runner;
  double losses[ALIKE_STEPS];
  doctor_train(d, &d->whole, &d->p->train->optimizer, ALIKE_STEPS, 0, -INFINITY, losses);
  int constant = 0, alike = 0;
  const char *first = NULL;
  for (int k = 0; k < r->params->n_items; k++) {
    const TensorInfo *tensor = &r->params->items[k];
    if (!starts_constant(tensor)) continue;
    constant++;
    if (!units_alike(tensor, r->param + tensor->offset)) continue;
    if (alike++ == 0) first = tensor->path;
  }
  if (alike)
    doctor_find(d, "first weights", SICK,
                "start them with random numbers: kaiming_normal before relu, xavier_normal before tanh",
                "%s starts as one number%s, and its units are still alike after %d steps", first,
                alike > 1 ? arena_printf(d->arena, " (and %d more)", alike - 1) : "", ALIKE_STEPS);
  else
    doctor_find(d, "first weights", FINE, NULL, constant ? "what starts as one number does not stay it" : "random");
}

// ---- saturation -----------------------------------------------------------------------------------------------------

static double saturated_share(const Doctor *d, const WatchedLayer *layer) {
  const Runner *r = d->whole.runner;
  const float *values = runner_output(r, layer->output);
  int64_t count = runner_elements(&r->step->outputs[layer->output], d->batch), at_end = 0;
  for (int64_t k = 0; k < count; k++) {
    float value = layer->kind == LAYER_TANH ? (values[k] + 1) / 2 : values[k];
    at_end += value < 0.01f || value > 0.99f;
  }
  return (double)at_end / (double)count;
}

void doctor_saturation(Doctor *d) {
  doctor_reset(d);
  doctor_step(d, &d->whole, 0, d->batch);
  const WatchedLayer *worst = NULL;
  double most = -1;
  for (int k = 0; k < d->whole.n_layers; k++) {
    const WatchedLayer *layer = &d->whole.layers[k];
    double share = layer->kind == LAYER_RELU ? -1 : saturated_share(d, layer);
    if (share > most) most = share, worst = layer;
  }
  if (!worst) {
    doctor_find(d, "saturation", LEFT_OUT, NULL, "no sigmoid and no tanh");
    return;
  }
  bool sick = most > 0.3;
  doctor_find(
      d, "saturation", sick ? SICK : FINE,
      sick
          ? "smaller first weights (xavier_normal) or normalised inputs, or relu: at their ends sigmoid and tanh have no slope"
          : NULL,
      "%s%s: %.0f %% of its values are within 1 %% of an end", sick ? "saturated: " : "", worst->name, 100 * most);
}
