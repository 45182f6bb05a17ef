// What is done to gradients before an update and to weights after it. The bits do not depend on the number of threads:
// norms are sums in double over pieces of fixed length, added in order.
#pragma once
#include "spec.h"
#include "tensors.h"
#include "threads.h"

// Clips the gradients of all parameters that are not frozen: to an interval (clip_value), then scaled as a whole so
// that their common Euclidean norm is at most clip_norm. Does nothing where the spec asks for neither.
// squares: [clip_pieces], to work with.
int64_t clip_pieces(const TensorTable *params);  // how many doubles gradient_clip works with
void gradient_clip(const TrainSpec *spec, Team *team, const TensorTable *params, float *gradients, double *squares);
// Scales each unit's weights down to the norm spec->max_norm where they are longer: of every decayed parameter of two
// or more dimensions that is not frozen, the values under one place of the last axis.
void weights_constrain(const TrainSpec *spec, Team *team, const TensorTable *params, float *weights);
