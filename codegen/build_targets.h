// The targets of `dlc build`: another machine, or several CPUs of one.
#pragma once
#include "codegen.h"

enum { BUILD_MOST_VARIANTS = 4 };

typedef struct BuildTarget {
  Target target;     // what decides widths and tiles
  int level;         // of x86-64 that its code needs; 0: any CPU of the machine
  const char *tune;  // the CPU to schedule for, or NULL
} BuildTarget;

typedef struct BuildTargets {
  const char *name, *triple;
  bool is_host;
  BuildTarget items[BUILD_MOST_VARIANTS];  // from the lowest level up
  int n;
  const char *runtime;  // [runtime_bytes] LLVM bitcode of runtime/embed for this machine
  size_t runtime_bytes;
} BuildTargets;

// --target (NULL: this machine) and --cpu (a list). False after reporting E0603.
bool build_targets(Arena *arena, DiagSink *sink, const char *target, const char *cpus, BuildTargets *out);
