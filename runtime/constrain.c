// Clipping of gradients, max-norm of weights.
#include "constrain.h"

#include <math.h>
#include <string.h>

enum { PIECE = 4096 };  // values whose squares are added up in one go

typedef struct Clip {
  const TensorTable *params;
  float *gradients;
  double *squares;  // [pieces] of the block
  float low, high;  // the interval
  float factor;
} Clip;

// Calls on what lies in begin..end of each tensor that is not frozen.
static void each_stretch(const Clip *c, int64_t begin, int64_t end,
                         void (*body)(const Clip *c, int64_t from, int64_t to)) {
  for (int k = 0; k < c->params->n_items; k++) {
    const TensorInfo *info = &c->params->items[k];
    int64_t from = begin > info->offset ? begin : info->offset, last = info->offset + info->count;
    int64_t to = end < last ? end : last;
    if (from < to && !info->frozen) body(c, from, to);
  }
}

static void bound_stretch(const Clip *c, int64_t from, int64_t to) {
  for (int64_t k = from; k < to; k++) {
    float g = c->gradients[k];
    c->gradients[k] = g < c->low ? c->low : g > c->high ? c->high : g;
  }
}

static void scale_stretch(const Clip *c, int64_t from, int64_t to) {
  for (int64_t k = from; k < to; k++) c->gradients[k] *= c->factor;
}

// A stretch lies within one piece.
static void square_stretch(const Clip *c, int64_t from, int64_t to) {
  double sum = 0;
  for (int64_t k = from; k < to; k++) sum += (double)c->gradients[k] * (double)c->gradients[k];
  c->squares[from / PIECE] += sum;
}

static void bound_part(void *state, int64_t begin, int64_t end) { each_stretch(state, begin, end, bound_stretch); }
static void scale_part(void *state, int64_t begin, int64_t end) { each_stretch(state, begin, end, scale_stretch); }
static void square_part(void *state, int64_t begin, int64_t end) {
  for (int64_t at = begin; at < end; at += PIECE)
    each_stretch(state, at, at + PIECE < end ? at + PIECE : end, square_stretch);
}

int64_t clip_pieces(const TensorTable *params) { return (params->block_floats + PIECE - 1) / PIECE; }

static double norm_of(Clip *c, Team *team) {
  int64_t pieces = clip_pieces(c->params);
  memset(c->squares, 0, (size_t)pieces * sizeof *c->squares);
  team_for(team, c->params->block_floats, PIECE, square_part, c);
  double sum = 0;
  for (int64_t k = 0; k < pieces; k++) sum += c->squares[k];
  return sqrt(sum);
}

void gradient_clip(const TrainSpec *spec, Team *team, const TensorTable *params, float *gradients, double *squares) {
  Clip c = {.params = params, .gradients = gradients, .squares = squares};
  if (spec->clip_value > 0) {
    c.high = (float)spec->clip_value;
    c.low = -c.high;
    team_for(team, params->block_floats, PIECE, bound_part, &c);
  }
  if (spec->clip_norm <= 0) return;
  double norm = norm_of(&c, team);
  c.factor = (float)(spec->clip_norm / norm);
  if (norm > spec->clip_norm) team_for(team, params->block_floats, PIECE, scale_part, &c);
}

// ---- max-norm -------------------------------------------------------------------------------------------------------

typedef struct MaxNorm {
  double limit;
  float *weights;  // of the tensor: [rows, units]
  int64_t rows, units;
} MaxNorm;

static void constrain_units(void *state, int64_t begin, int64_t end) {
  const MaxNorm *m = state;
  for (int64_t unit = begin; unit < end; unit++) {
    double squares = 0;
    for (int64_t row = 0; row < m->rows; row++) {
      double w = (double)m->weights[row * m->units + unit];
      squares += w * w;
    }
    if (!(squares > m->limit * m->limit)) continue;
    float factor = (float)(m->limit / sqrt(squares));
    for (int64_t row = 0; row < m->rows; row++) m->weights[row * m->units + unit] *= factor;
  }
}

void weights_constrain(const TrainSpec *spec, Team *team, const TensorTable *params, float *weights) {
  for (int k = 0; spec->max_norm > 0 && k < params->n_items; k++) {
    const TensorInfo *info = &params->items[k];
    if (info->rank < 2 || !info->decay || info->frozen) continue;
    int64_t units = info->dim[info->rank - 1];
    MaxNorm m = {spec->max_norm, weights + info->offset, info->count / units, units};
    team_for(team, units, 16, constrain_units, &m);
  }
}
