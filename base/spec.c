// The table of data sources.
#include "spec.h"

#include <string.h>

static const SourceInfo sources[] = {
#define SOURCE(KIND, name, splits, ...) [SOURCE_##KIND] = {#name, splits, {__VA_ARGS__}},
#include "sources.def"
#undef SOURCE
};

const SourceInfo *source_info(SourceKind kind) { return &sources[kind]; }

int source_find_field(SourceKind kind, const char *name) {
  for (int k = 0; k < SOURCE_MOST_FIELDS && sources[kind].fields[k]; k++)
    if (strcmp(sources[kind].fields[k], name) == 0) return k;
  return -1;
}
