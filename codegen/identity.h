// What compiled this: the part of a cached object's key that is the same for all of a run.
#pragma once
#include "codegen.h"

// Adds the builds of dlc and LLVM and the target. False where they cannot be told apart from other builds; then nothing
// may be kept.
bool identity_add(const Target *target, Text *out);
