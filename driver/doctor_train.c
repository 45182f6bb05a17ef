// The doctor's short trainings: some samples by heart, a range of learning rates, what the program's own rate does.
#include <math.h>
#include <string.h>

#include "doctor_inside.h"

enum { HEART_ROWS = 20, HEART_STEPS = 400, RATE_STEPS = 40, LAST = 8, RATES = 7, OWN = 4 };

static const double rate_factor[RATES] = {1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100};  // of the program's own
static const double UNEVEN = 1e-4;  // the least update to weight ratio over the greatest
static const double LEARNT = 0.15;  // of the first loss: what is left when samples are learnt by heart

// ---- by heart -------------------------------------------------------------------------------------------------------

typedef struct Heart {
  double first, last;
  int steps;
  double lr;
} Heart;

static Heart learn(const Doctor *d, const Bench *bench, const OptimizerSpec *spec, int64_t rows, double enough) {
  double losses[HEART_STEPS];
  Heart heart = {.lr = spec->lr};
  heart.steps = doctor_train(d, bench, spec, HEART_STEPS, rows, enough, losses);
  heart.first = losses[0];
  heart.last = doctor_value(bench, bench->data_loss);
  return heart;
}

// The program's optimizer at its own rate, at smaller ones, and Adam: which of them learns is not asked here.
static bool learn_somehow(const Doctor *d, int64_t rows, Heart *best) {
  OptimizerSpec spec = d->p->train->optimizer;
  *best = (Heart){.last = INFINITY};
  doctor_reset(d);
  doctor_step(d, &d->bare, 0, rows);
  double enough = LEARNT * doctor_value(&d->bare, d->bare.data_loss);
  for (int n = 0; n < 4; n++) {
    if (n == 3) spec = (OptimizerSpec){.kind = OPTIMIZER_adam, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    Heart heart = learn(d, &d->bare, &spec, rows, enough);
    if (isfinite(heart.last) && heart.last < best->last) *best = heart;
    if (best->last < enough) return true;
    spec.lr /= 10;
  }
  return false;
}

// With the penalty the same samples must still be learnt, if not as well.
static void with_penalty(Doctor *d, int64_t rows, const Heart *without) {
  OptimizerSpec spec = d->p->train->optimizer;
  spec.lr = without->lr;
  double first = without->first, left = INFINITY;
  for (int n = 0; n < 3 && !(left < 0.5 * first); n++, spec.lr /= 10) {
    Heart heart = learn(d, &d->whole, &spec, rows, LEARNT * first);
    if (isfinite(heart.last)) left = fmin(left, heart.last);
  }
  bool sick = !(left < 0.5 * first);
  doctor_find(d, "penalty", sick ? SICK : FINE,
              sick ? "regularisation is too strong: divide its factor by 10, and again" : NULL,
              "with the penalty the same samples come to a loss of %.3g from the data%s", left,
              sick ? "; without it they are learnt" : "");
}

void doctor_heart(Doctor *d) {
  if (!d->bare.runner) {
    doctor_find(d, "by heart", LEFT_OUT, NULL, "without gradients nothing is learnt");
    return;
  }
  int64_t rows = d->rows < HEART_ROWS ? d->rows : HEART_ROWS;
  Heart heart;
  bool learnt = d->learnt = learn_somehow(d, rows, &heart);
  doctor_find(
      d, "by heart", learnt ? FINE : SICK,
      learnt ? NULL
             : "a network that cannot learn a few rows has a mistake: look at the other findings, its size, its labels",
      learnt ? "%lld samples are learnt: loss %.3g to %.3g in %d steps"
             : "%lld samples are not learnt: loss %.3g to %.3g in %d steps",
      (long long)rows, heart.first, heart.last, heart.steps);
  if (learnt && d->whole.penalty >= 0) with_penalty(d, rows, &heart);
}

// ---- learning rates -------------------------------------------------------------------------------------------------

// The mean of the last losses; infinite where one was not finite.
static double end_loss(const Doctor *d, const OptimizerSpec *spec, double *first) {
  double losses[RATE_STEPS], sum = 0;
  int done = doctor_train(d, &d->whole, spec, RATE_STEPS, 0, -INFINITY, losses);
  *first = losses[0];
  if (done < RATE_STEPS || !isfinite(losses[done - 1])) return INFINITY;
  for (int k = 0; k < LAST; k++) sum += losses[done - 1 - k];
  return isfinite(sum) ? sum / LAST : INFINITY;
}

// A short training at each of a range of rates around the program's own; which ends lowest.
static int try_rates(const Doctor *d, double *first, double *loss, Text *table) {
  OptimizerSpec spec = d->p->train->optimizer;
  int best = OWN;
  for (int k = 0; k < RATES; k++) {
    spec.lr = d->p->train->optimizer.lr * rate_factor[k];
    loss[k] = end_loss(d, &spec, first);
    text_printf(table, isfinite(loss[k]) ? "%s%.3g: %.3g" : "%s%.3g: diverges", k ? ", " : "", spec.lr, loss[k]);
  }
  for (int k = 0; k < RATES; k++)
    if (loss[k] < loss[best]) best = k;
  return best;
}

// Does none of the rates change the loss, of a network that can learn?
static bool all_alike(const Doctor *d, const double *loss) {
  double least = INFINITY, most = -INFINITY;
  for (int k = 0; k < RATES; k++) {
    least = fmin(least, loss[k]);
    most = fmax(most, loss[k]);
  }
  return d->learnt && most - least < 0.005 * fabs(most);
}

void doctor_rates(Doctor *d) {
  double loss[RATES], first = 0;
  Text table = text_new(d->arena);
  int best = try_rates(d, &first, loss, &table);
  double gain = first - loss[OWN], possible = first - loss[best];
  bool helps = possible > 0.02 * fabs(first), alike = all_alike(d, loss);
  bool high = !alike && helps && best < OWN && !(gain > 0.3 * possible);
  bool low = alike || (helps && best > OWN && gain < 0.1 * possible);
  if (alike) best = RATES - 1;
  const char *try = arena_printf(d->arena, "%.3g", d->p->train->optimizer.lr * rate_factor[best]);
  doctor_find(d, "learning rate", high || low ? SICK : FINE,
              high || low ? arena_printf(d->arena, "a %s rate: try %s%s", high ? "smaller" : "larger", try,
                                         alike ? ", and on from there" : "")
                          : NULL,
              "%sloss %.3g before, after %d steps at %s",
              high  ? "too high: "
              : low ? "too low: "
                    : "",
              first, RATE_STEPS, table.bytes);
}

// ---- after some steps -----------------------------------------------------------------------------------------------

// Of a layer's units (its last dimension) those that are 0 on every row and place.
static double dead_share(const Doctor *d, const WatchedLayer *layer) {
  const Runner *r = d->whole.runner;
  const DlcTensor *output = &r->step->outputs[layer->output];
  const float *values = runner_output(r, layer->output);
  int64_t count = runner_elements(output, d->batch), units = output->scale[output->rank - 1], dead = 0;
  for (int64_t unit = 0; unit < units; unit++) {
    bool alive = false;
    for (int64_t k = unit; k < count && !alive; k += units) alive = values[k] > 0;
    dead += !alive;
  }
  return (double)dead / (double)units;
}

static void find_dead(Doctor *d) {
  const WatchedLayer *worst = NULL;
  double most = -1;
  for (int k = 0; k < d->whole.n_layers; k++) {
    const WatchedLayer *layer = &d->whole.layers[k];
    double share = layer->kind == LAYER_RELU ? dead_share(d, layer) : -1;
    if (share > most) most = share, worst = layer;
  }
  if (!worst) {
    doctor_find(d, "relus", LEFT_OUT, NULL, "no relu");
    return;
  }
  bool sick = most > 0.5;
  doctor_find(
      d, "relus", sick ? SICK : FINE,
      sick
          ? "a smaller learning rate, kaiming_normal for the first weights, biases that are not negative; or leaky_relu"
          : NULL,
      "%s%s: %.0f %% of its units are 0 on every row of a batch, after %d steps", sick ? "dead: " : "", worst->name,
      100 * most, RATE_STEPS);
}

// One more step: the length of each weight's update over its own.
static void find_ratios(Doctor *d, const float *before) {
  const Runner *r = d->whole.runner;
  double least = INFINITY, most = 0;
  const char *most_name = "", *least_name = "";
  for (int k = 0; k < r->params->n_items; k++) {
    const TensorInfo *tensor = &r->params->items[k];
    double change = 0, size = 0;
    for (int64_t e = 0; e < tensor->count; e++) {
      double old = (double)before[tensor->offset + e], difference = (double)r->param[tensor->offset + e] - old;
      change += difference * difference;
      size += old * old;
    }
    if (!tensor->decay || tensor->rank < 2 || size == 0) continue;
    double ratio = sqrt(change / size);
    if (ratio > most || !*most_name) most = ratio, most_name = tensor->path;
    if (ratio < least) least = ratio, least_name = tensor->path;
  }
  if (!isfinite(least)) {
    doctor_find(d, "updates", LEFT_OUT, NULL, "no weights that are not 0");
    return;
  }
  bool high = most > 0.1, low = most < 1e-6, uneven = !high && !low && least < UNEVEN * most;
  doctor_find(d, "updates", high || low || uneven ? SICK : FINE,
              high     ? "a smaller learning rate"
              : low    ? "a larger learning rate"
              : uneven ? "the gradient vanishes between them: kaiming_normal before relu, xavier_normal before tanh, "
                         "batch_norm, no sigmoid in many layers"
                       : NULL,
              "an update is %.1g of its weight (%s) to %.1g (%s); 0.001 is usual", least, least_name, most, most_name);
}

void doctor_after(Doctor *d) {
  const Runner *r = d->whole.runner;
  const OptimizerSpec *spec = &d->p->train->optimizer;
  double losses[RATE_STEPS];
  float *before = arena_array(d->arena, (size_t)r->params->block_floats, sizeof *before);
  doctor_train(d, &d->whole, spec, RATE_STEPS - 1, 0, -INFINITY, losses);
  memcpy(before, r->param, (size_t)r->params->block_floats * sizeof *before);
  int done = doctor_train(d, &d->whole, spec, RATE_STEPS, 0, -INFINITY, losses);
  if (done < RATE_STEPS || !isfinite(losses[done - 1])) {
    doctor_find(d, "updates", LEFT_OUT, NULL, "training diverges at the program's learning rate");
    return;
  }
  find_ratios(d, before);
  doctor_step(d, &d->whole, 0, d->batch);
  find_dead(d);
}
