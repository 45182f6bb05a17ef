// A model as the words that the runtime inside a built library reads (runtime/embed/embed.h).
#pragma once
#include "build_targets.h"
#include "embed.h"
#include "launches.h"

// The code of one CPU: its launches, and at which number its functions begin among all of the library.
typedef struct VariantCode {
  Launches *infer, *train;  // train: NULL where the model is not to be trained
  int first_infer, first_train;
} VariantCode;

typedef struct Description {
  int64_t *words;
  size_t n_words;
  Text names;
  EmbedModel model;  // as it stands at the words' beginning
} Description;

Description describe_model(Arena *arena, const BuildInput *input, const BuildTargets *targets, const VariantCode *code);
