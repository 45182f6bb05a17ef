// What dlc doctor is made of. Private to doctor*.c.
#pragma once
#include "data_bind.h"
#include "runner.h"

typedef enum Verdict { FINE, SICK, LEFT_OUT } Verdict;

typedef struct Finding {
  const char *check;  // "first loss"
  Verdict verdict;
  const char *text, *advice;  // advice NULL: none
} Finding;

typedef enum LayerKind { LAYER_RELU, LAYER_SIGMOID, LAYER_TANH } LayerKind;
typedef struct WatchedLayer {  // an activation whose values a step gives out
  LayerKind kind;
  const char *name;
  int output;  // of the step
} WatchedLayer;

// A training step of the whole loss, or of the loss without its penalty: the addends that no input reaches.
typedef struct Bench {
  Unit *unit;
  Runner *runner;
  int data_loss, penalty;  // outputs of the step; penalty -1: none
  WatchedLayer *layers;
  int n_layers;
} Bench;

typedef struct Doctor {
  Session *session;
  Pipeline *p;
  Arena *arena;
  Team *team;
  Bench whole;  // the loss as written
  Bench bare;   // without its penalty; the same as `whole` where there is none; runner NULL: no gradient reaches a
                // parameter
  BoundSplit *split;
  char **sample;       // [inputs of the step]: rows of the training split, in random order
  int64_t *row_bytes;  // [inputs]; 0: memory fills it
  int64_t rows;        // of the sample
  int64_t batch;       // rows of a step
  int classes;         // 0: no classifier
  int label;           // input of the step that holds a label a row, -1
  double first_loss;   // of the whole loss before the first step
  bool learnt;         // some rows by heart, at some rate
  Finding *findings;
  int n_findings;
  size_t capacity;
} Doctor;

// ---- doctor.c ----
void doctor_find(Doctor *d, const char *check, Verdict verdict, const char *advice, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

// ---- doctor_bench.c ----

// Compiles both steps, opens the training split and takes the sample. False after reporting.
bool doctor_open(Doctor *d);
void doctor_close(Doctor *d);
// The first weights of the run's seed again.
void doctor_reset(const Doctor *d);
// A forward and backward step on rows first..first+count of the sample; the loss.
double doctor_step(const Doctor *d, const Bench *bench, int64_t first, int64_t count);
double doctor_value(const Bench *bench, int output);  // of the last step
// Trains from the first weights for `steps` with the program's optimizer at this rate: batches in turn, or always the
// first `heart` rows where that is not 0. losses[steps]: before each update. Ends early when a number is not finite, or
// the loss falls below `enough`; returns the steps done.
int doctor_train(const Doctor *d, const Bench *bench, const OptimizerSpec *optimizer, int steps, int64_t heart,
                 double enough, double *losses);

// ---- the checks, in their order ----
void doctor_inputs(Doctor *d);         // doctor_data.c
void doctor_labels(Doctor *d);         // doctor_data.c
void doctor_first_loss(Doctor *d);     // doctor_start.c
void doctor_penalty(Doctor *d);        // doctor_start.c
void doctor_steps_without(Doctor *d);  // doctor_gradient.c: operations that pass no gradient
void doctor_gradients(Doctor *d);      // doctor_gradient.c
void doctor_symmetry(Doctor *d);       // doctor_start.c: zero initialisation
void doctor_saturation(Doctor *d);     // doctor_start.c
void doctor_heart(Doctor *d);          // doctor_train.c: 20 samples, without and with the penalty
void doctor_rates(Doctor *d);          // doctor_train.c
void doctor_after(Doctor *d);          // doctor_train.c: after some steps, dead ReLUs and update to weight ratios
