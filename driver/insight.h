// What a training run notes of itself between its epochs' lines: at some 200 steps the loss, the learning rate, the
// size of the gradient and of each update against its weights; before the first step and after each epoch, how
// activations, weights and their gradients are spread. Into curves.jsonl of the run directory and into TensorBoard's
// events.
//
// Nothing here changes what is trained. Activations and their gradients come from a step of its own (a probe, probe.h),
// compiled beside the training step for a few rows; it is left out under a memory limit.
#pragma once
#include "checkpoint.h"
#include "runner.h"

typedef struct Insight Insight;

// Compiles the probe. `train`: the runner whose parameters and states are looked at. Never fails: without a probe the
// rest is noted.
Insight *insight_new(Pipeline *p, RunDir *run, const Runner *train, Team *team);
// NULL is allowed here and below: the trainings of a search note nothing.
void insight_release(Insight *insight);

// All of these do nothing where `insight` is NULL.

// Around the update of step number `step` (from 0, of `steps`): what the weights were before it.
void insight_before(Insight *insight, int64_t step, int64_t steps, double loss);
void insight_after(Insight *insight, int64_t step, double lr);
// How the model is at `step`, on the first rows of the batch that stands in the training runner's inputs. Overwrites
// the gradients, so it is called between steps.
void insight_look(Insight *insight, int64_t step, int64_t epoch, int64_t rows);
