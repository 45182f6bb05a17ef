// A sweep of a micro-kernel's kernel as functions: one per residue class of its output indices.
#pragma once
#include <llvm-c/Core.h>

#include "contract.h"
#include "sweep.h"

typedef struct Tiled {
  const Sweep *sweep;
  Contract contract;
  const Phase *phase;
  Tile tile;
  Shares shares;
  Blocking blocking;
  SweepSum sums[SWEEP_SUMS_MOST];  // that the kernel carries
  int n_sums;
  int64_t local_bytes;  // working memory of a thread (DlcRt.local), a multiple of 64
} Tiled;

// The functions that a sweep becomes: 0 where it is not one for the micro-kernel (then it is a nest).
int tiled_list(Arena *arena, const Sweep *sweep, const Target *target, Tiled **tiled);
// Adds what determines the code: equal keys, equal code.
void tiled_key(Arena *arena, const Tiled *tiled, Text *out);
void tiled_emit(Arena *arena, LLVMModuleRef module, const char *symbol, const Tiled *tiled);
void tiled_print(Arena *arena, const Tiled *tiled, int indent, Text *out);
