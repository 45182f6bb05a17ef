// Where a step's time goes, kernel by kernel, against what the machine can do.
#pragma once
#include <cjson/cJSON.h>

#include "peak.h"
#include "steps.h"

typedef struct KernelFacts {
  int kernel;  // number in the plan; -1: the optimizer's update
  const char *name;
  const char *file;              // of the line below; "" where the kernel comes from no line
  uint32_t line;                 // where the model makes it; 0: none
  double ns;                     // of a step
  int64_t flops, read, written;  // operations; bytes, each tensor once
  const double *busy;            // [threads] nanoseconds that each was at it; NULL: not known
} KernelFacts;

typedef struct Profile {
  KernelFacts *kernels;  // [n] in the plan's order, the update last
  int n, threads;
  double ns;  // all of them
  Peak peak;
} Profile;

// From steps that were timed with steps->profiles set.
Profile profile_make(const Steps *steps, Peak peak);
double profile_gflops(const KernelFacts *facts);
double profile_gbytes(const KernelFacts *facts);  // read and written
// The share of the peak of multiply-adds.
double profile_fma_share(const Profile *profile, const KernelFacts *facts);

// A table, the slowest first.
void profile_print(const Profile *profile, Text *out);
void profile_json(const Profile *profile, cJSON *object);
