// Optimizers: one sweep over the flat parameter block. Elementwise in single precision with every operation rounded, so
// the bits do not depend on the instruction set or the number of threads.
#pragma once
#include "spec.h"
#include "tensors.h"
#include "threads.h"

enum { OPTIMIZER_MAX_SLOTS = 2 };

typedef struct Optimizer {
  OptimizerSpec spec;
  int n_slots;
  float *slot[OPTIMIZER_MAX_SLOTS];  // [block_floats] each: momentum; sum of squares; Adam's m and v
  int64_t step;                      // updates done
} Optimizer;

int optimizer_slots(OptimizerKind kind);
const char *optimizer_name(OptimizerKind kind);
const char *optimizer_slot_name(OptimizerKind kind, int slot);  // "momentum", "m", "v": in checkpoints
// Zeroed slots of the table's size.
void optimizer_init(Optimizer *optimizer, const OptimizerSpec *spec, const TensorTable *params, Arena *arena);
// One update of all parameters that are not frozen, with this learning rate. PyTorch's formulas: eps outside the root
// unless the spec's eps_inside;
// momentum v = mu*v + g, w -= lr*v (Nesterov: w -= lr*(g + mu*v)). adamw leaves parameters with decay = false
// undecayed.
void optimizer_update(Optimizer *optimizer, Team *team, const TensorTable *params, float *weights,
                      const float *gradients, double lr);
