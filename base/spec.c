// The table of data sources.
#include "spec.h"

#include <string.h>

static const SourceInfo sources[] = {
#define SOURCE(KIND, name, splits, ...) [SOURCE_##KIND] = {#name, splits, {__VA_ARGS__}},
#include "sources.def"
#undef SOURCE
};

const SourceInfo *source_info(SourceKind kind) { return &sources[kind]; }

bool split_part_equal(const SplitPart *a, const SplitPart *b) {
  if (!a->is_part || !b->is_part) return a->is_part == b->is_part;
  if (a->from != b->from || a->to != b->to || a->seed != b->seed) return false;
  return a->base && b->base ? split_part_equal(a->base, b->base) : a->base == b->base;
}

int source_find_field(SourceKind kind, const char *name) {
  for (int k = 0; k < SOURCE_MOST_FIELDS && sources[kind].fields[k]; k++)
    if (strcmp(sources[kind].fields[k], name) == 0) return k;
  return -1;
}
