// Passes: graph in, graph out. passes.def lists them in order; the manager runs the rows, verifying after each in debug
// and test builds, and checks what each row requires and ensures.
#pragma once
#include "ir.h"

typedef enum PassKind {
  PASS_DEFINES,   // gives the program its meaning (autodiff, stable forms): always runs
  PASS_PRESERVES  // keeps every bit of every output: can be switched off
} PassKind;

typedef enum PassMode { PASS_TRAIN = 1, PASS_INFER = 2, PASS_BOTH = 3 } PassMode;

typedef struct PassContext {
  Arena *arena;
  DiagSink *sink;
  bool fast;                       // --numerics fast: passes may reorder and fold
  const char *const *grad_inputs;  // names of the inputs whose gradients are wanted, besides every param's
  int n_grad_inputs;
  bool verify;  // verify after every pass
  bool direct;  // --conv direct: no convolution in transformed tiles
} PassContext;

// NULL after reporting to ctx->sink.
typedef Graph *(*PassFn)(PassContext *ctx, const Graph *g);

// The row's function: pass_<name>.
#define PASS(name, ...) Graph *pass_##name(PassContext *ctx, const Graph *g);
#include "passes.def"
#undef PASS

typedef struct PassInfo {
  const char *name;
  PassFn run;
  PassKind kind;
  PassMode mode;
  const char *meaning;
} PassInfo;

extern const PassInfo pass_table[];
extern const int pass_count;
const PassInfo *pass_find(const char *name);

// The standard sequence for a mode. `only`: NULL for all rows, or a comma-separated list of names to run instead, in
// that order; a name with a leading '-' in a list of only such names switches that row off. `stop_after`: NULL, or the
// row after which to stop (for dumps). NULL after reporting (an unknown name, E0601; whatever a pass reported).
Graph *passes_run(PassContext *ctx, const Graph *g, PassMode mode, const char *only, const char *stop_after);

// Gradient of the rank-0 f32 output of kind OUT_LOSS: adds an OUT_GRAD output for every param of the graph and for each
// input in ctx->grad_inputs. Reports E0305 at the loss for params that no gradient reaches, once for each op that
// blocks.
Graph *pass_autodiff(PassContext *ctx, const Graph *g);
