// What compiled code and its host agree on. Plain C, no other dlc header: generated kernels, the runtime and libraries
// built ahead of time all see exactly this.
#pragma once
#include <stdint.h>

enum { DLC_MAX_SYMBOLS = 4 };

// Run-time values that every kernel may read. Layout is fixed: codegen addresses the fields by offset.
typedef struct DlcRt {
  int64_t symbol[DLC_MAX_SYMBOLS];  // value of symbol k+1 (the batch first)
  uint64_t seed, step;              // of the counter-based generator
  char *local;                      // the calling thread's own DlcStep.local_bytes, 64-byte aligned; holds nothing
} DlcRt;

// A kernel does the work items begin..end (exclusive). args[k] is the base of its k-th tensor.
typedef void (*DlcKernelFn)(char *const *args, const DlcRt *rt, int64_t begin, int64_t end);

// A number of work items: times * ceil(scale * symbol / divisor); symbol 0 means 1, times 0 means 1.
typedef struct DlcCount {
  int64_t scale;
  int32_t symbol;
  int64_t divisor;
  int64_t times;
} DlcCount;

typedef enum DlcRegion {
  DLC_ARENA,
  DLC_PARAM,
  DLC_GRAD,
  DLC_STATE,
  DLC_STATE_NEXT,
  DLC_INPUT,
  DLC_REGION_COUNT
} DlcRegion;

typedef struct DlcArg {
  DlcRegion region;
  int32_t input;   // DLC_INPUT: which
  int64_t offset;  // bytes from the region's base
} DlcArg;

typedef struct DlcLaunch {
  DlcKernelFn fn;
  DlcCount items;
  int32_t first_arg, n_args;  // into DlcStep.args
  int32_t kernel;             // number of the plan's kernel that it belongs to
  int64_t item_cost;          // rough nanoseconds of one item, to decide how many threads are worth it
  const char *name;           // "conv2d_1.relu"; not owned
  int32_t once;               // 1: what it stores follows from parameters and states alone, and stays until they change
} DlcLaunch;

typedef struct DlcTensor {  // an input or output of the step
  const char *name;
  int32_t kind;  // outputs: OutputKind of ir.h (result, loss, metric, state, grad); inputs: 0
  int32_t type;  // DType of ir.h
  int32_t rank;
  int64_t scale[8];  // dimension d is scale[d] * (symbol[d] ? symbol value : 1)
  int32_t symbol[8];
  DlcArg at;
} DlcTensor;

// One compiled step: launches in order; each launch needs all before it finished. Launches marked `once` may be left
// out while parameters and states, and the arena, are as they were.
typedef struct DlcStep {
  const DlcLaunch *launches;
  int32_t n_launches;
  const DlcArg *args;
  int32_t n_args;
  const DlcTensor *inputs;
  int32_t n_inputs;
  const DlcTensor *outputs;
  int32_t n_outputs;
  int64_t arena_bytes;
  int64_t local_bytes;                // working memory of each thread, a multiple of 64; 0: none
  int64_t capacity[DLC_MAX_SYMBOLS];  // largest symbol values that the arena is planned for
} DlcStep;
