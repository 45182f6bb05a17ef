// The keys of train blocks, one row each (blocks_keys.c), and the table of optimizers as options. Private to blocks*.c.
#pragma once
#include "blocks.h"

typedef struct TrainKey {
  const char *name;
  // Reads the key's value into the spec; false after reporting.
  bool (*read)(Program *p, Scope *scope, const Expr *value, TrainSpec *spec);
} TrainKey;

const TrainKey *train_key_find(const char *name);  // NULL where it is no key
const char *train_key_nearest(const char *word);   // for did-you-mean, `loss` and `metric` included; or NULL
// Of everything that --set may name: keys and the models' hyperparameters; or NULL.
const char *blocks_nearest_setting(const Program *p, const char *word);

bool train_optimizer_has(const char *optimizer, const char *option);
// The call's arguments with that option set to `value`.
Arg *train_optimizer_set(Arena *arena, const char *optimizer, const Arg *args, const char *option, Expr *value,
                         Span span);

// A schedule: pieces joined by >> (blocks_schedule.c).
bool read_schedule(Program *p, Scope *scope, const Expr *value, TrainSpec *spec);
// Reports a value that is none of those that `what` takes; returns false.
bool blocks_report_unknown(Program *p, const Expr *value, const char *what, const char *const *names, size_t n);
