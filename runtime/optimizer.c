// Optimizers. Each update is PyTorch's formula in single precision, operation by operation; factors that
// depend on the step alone (bias corrections) are computed in double and rounded once, as PyTorch does.
#include "optimizer.h"

#include <math.h>
#include <string.h>

enum { GRAIN = 4096 };

int optimizer_slots(OptimizerKind kind) {
  static const int slots[] = {
#define OPTIMIZER(name, n_slots, ...) n_slots,
#include "optimizers.def"
#undef OPTIMIZER
  };
  return slots[kind];
}

const char *optimizer_name(OptimizerKind kind) {
  static const char *const names[] = {
#define OPTIMIZER(name, ...) #name,
#include "optimizers.def"
#undef OPTIMIZER
  };
  return names[kind];
}

const char *optimizer_slot_name(OptimizerKind kind, int slot) {
  if (optimizer_slots(kind) == 2) return slot == 0 ? "m" : "v";
  return kind == OPTIMIZER_momentum ? "momentum" : "squares";
}

void optimizer_init(Optimizer *optimizer, const OptimizerSpec *spec, const TensorTable *params, Arena *arena) {
  *optimizer = (Optimizer){.spec = *spec, .n_slots = optimizer_slots(spec->kind)};
  for (int k = 0; k < optimizer->n_slots; k++)
    optimizer->slot[k] = arena_pages(arena, (size_t)params->block_floats * sizeof(float));
}

// ---- updates
// ----------------------------------------------------------------------------------------------------------

// What an update of one stretch of the block sees: weights, gradients, slots, and the factors as floats.
typedef struct Sweep {
  float *restrict w;
  const float *restrict g;
  float *restrict s, *restrict v;
  float lr, mu, decay, beta1, beta2;
  float eps_in, eps;             // inside the root, and outside: one of them is 0
  float rest, rest1, rest2;      // 1 - decay, 1 - beta1, 1 - beta2
  float step_size, correction2;  // Adam: lr / (1 - beta1^t), sqrt(1 - beta2^t)
  float keep;                    // AdamW: 1 - lr decay; 1 for parameters that are not to decay
  bool nesterov;
} Sweep;

// Elementwise loops: as many lanes as the machine has, the same rounded operations on all of them.
// Inside a built library (DLC_EMBED) that is the CPU which the library is for.
#if defined(__x86_64__) && !defined(DLC_SANITIZED) && !defined(DLC_EMBED)
#define ON_EVERY_X86 __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ON_EVERY_X86
#endif

ON_EVERY_X86 static void optimizer_sgd(const Sweep *o, int64_t n) {
  for (int64_t k = 0; k < n; k++) o->w[k] -= o->lr * o->g[k];
}

ON_EVERY_X86 static void optimizer_plain_momentum(const Sweep *o, int64_t n) {
  for (int64_t k = 0; k < n; k++) {
    float v = o->mu * o->s[k] + o->g[k];
    o->s[k] = v;
    o->w[k] -= o->lr * v;
  }
}

ON_EVERY_X86 static void optimizer_nesterov(const Sweep *o, int64_t n) {
  for (int64_t k = 0; k < n; k++) {
    float v = o->mu * o->s[k] + o->g[k];
    o->s[k] = v;
    o->w[k] -= o->lr * (o->g[k] + o->mu * v);
  }
}

// Sutskever et al. 2013, in PyTorch's form: v = mu v + g, w -= lr v.
static void optimizer_momentum(const Sweep *o, int64_t n) {
  if (o->nesterov)
    optimizer_nesterov(o, n);
  else
    optimizer_plain_momentum(o, n);
}

// Duchi, Hazan, Singer 2011.
ON_EVERY_X86 static void optimizer_adagrad(const Sweep *o, int64_t n) {
  for (int64_t k = 0; k < n; k++) {
    float sum = o->s[k] + o->g[k] * o->g[k];
    o->s[k] = sum;
    o->w[k] -= o->lr * o->g[k] / (__builtin_sqrtf(sum + o->eps_in) + o->eps);
  }
}

// Tieleman and Hinton 2012.
ON_EVERY_X86 static void optimizer_rmsprop(const Sweep *o, int64_t n) {
  for (int64_t k = 0; k < n; k++) {
    float mean = o->decay * o->s[k] + o->rest * o->g[k] * o->g[k];
    o->s[k] = mean;
    o->w[k] -= o->lr * o->g[k] / (__builtin_sqrtf(mean + o->eps_in) + o->eps);
  }
}

// Kingma and Ba 2015, in PyTorch's order: w -= step_size m / (sqrt(v) / sqrt(1 - beta2^t) + eps). Inside the
// root, eps_in is eps (1 - beta2^t): sqrt(v + eps_in) / sqrt(1 - beta2^t) = sqrt(v / (1 - beta2^t) + eps).
ON_EVERY_X86 static void optimizer_adam(const Sweep *o, int64_t n) {
  for (int64_t k = 0; k < n; k++) {
    float m = o->s[k] + o->rest1 * (o->g[k] - o->s[k]);
    float v = o->beta2 * o->v[k] + o->rest2 * o->g[k] * o->g[k];
    o->s[k] = m;
    o->v[k] = v;
    o->w[k] -= o->step_size * m / (__builtin_sqrtf(v + o->eps_in) / o->correction2 + o->eps);
  }
}

// Loshchilov and Hutter 2019: the decay is of the weights themselves, before Adam's step.
static void optimizer_adamw(const Sweep *o, int64_t n) {
  for (int64_t k = 0; k < n; k++) o->w[k] *= o->keep;
  optimizer_adam(o, n);
}

typedef void (*UpdateFn)(const Sweep *o, int64_t n);
static const UpdateFn updates[] = {
#define OPTIMIZER(name, ...) optimizer_##name,
#include "optimizers.def"
#undef OPTIMIZER
};

// ---- the sweep over the block
// -----------------------------------------------------------------------------------------

typedef struct Update {
  Sweep whole;
  UpdateFn fn;
  const TensorTable *params;
  bool alike;  // nothing is frozen, and decay is the same for all: the block is one stretch
} Update;

static void update_stretch(const Update *u, int64_t begin, int64_t end, bool decays) {
  Sweep part = u->whole;
  part.w += begin;
  part.g += begin;
  if (part.s) part.s += begin;
  if (part.v) part.v += begin;
  if (!decays) part.keep = 1;
  u->fn(&part, end - begin);
}

static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

// What lies in begin..end of each tensor that is not frozen.
static void update_part(void *state, int64_t begin, int64_t end) {
  const Update *u = state;
  if (u->alike) {
    update_stretch(u, begin, end, true);
    return;
  }
  for (int k = 0; k < u->params->n_items; k++) {
    const TensorInfo *info = &u->params->items[k];
    int64_t first = at_least(begin, info->offset), last = at_most(end, info->offset + info->count);
    if (first < last && !info->frozen) update_stretch(u, first, last, info->decay);
  }
}

static bool all_alike(const TensorTable *params, OptimizerKind kind) {
  for (int k = 0; k < params->n_items; k++)
    if (params->items[k].frozen || (kind == OPTIMIZER_adamw && !params->items[k].decay)) return false;
  return true;
}

static Sweep make_sweep(const Optimizer *o, float *weights, const float *gradients, double lr) {
  const OptimizerSpec *s = &o->spec;
  double t = (double)o->step;
  bool adam = s->kind == OPTIMIZER_adam || s->kind == OPTIMIZER_adamw;
  double eps_in = s->eps_inside ? s->eps * (adam ? 1 - pow(s->beta2, t) : 1) : 0;
  return (Sweep){
      .w = weights,
      .g = gradients,
      .s = o->slot[0],
      .v = o->slot[1],
      .lr = (float)lr,
      .mu = (float)s->mu,
      .decay = (float)s->decay,
      .beta1 = (float)s->beta1,
      .beta2 = (float)s->beta2,
      .eps_in = (float)eps_in,
      .eps = s->eps_inside ? 0 : (float)s->eps,
      .rest = (float)(1 - s->decay),
      .rest1 = (float)(1 - s->beta1),
      .rest2 = (float)(1 - s->beta2),
      .step_size = (float)(lr / (1 - pow(s->beta1, t))),
      .correction2 = (float)sqrt(1 - pow(s->beta2, t)),
      .keep = (float)(1 - lr * s->decay),
      .nesterov = s->nesterov,
  };
}

void optimizer_update(Optimizer *optimizer, Team *team, const TensorTable *params, float *weights,
                      const float *gradients, double lr) {
  optimizer->step++;
  Update u = {.whole = make_sweep(optimizer, weights, gradients, lr),
              .fn = updates[optimizer->spec.kind],
              .params = params,
              .alike = all_alike(params, optimizer->spec.kind)};
  team_for(team, params->block_floats, GRAIN, update_part, &u);
}
