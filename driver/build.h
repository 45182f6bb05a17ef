// What `dlc build` writes: the header of a library, static archives. Private to build*.c and archive.c.
#pragma once
#include "codegen.h"
#include "pipeline.h"

typedef struct BuildNames {
  const char *path;    // as given by -o, without an ending
  const char *prefix;  // its last part: of every function
  const char *upper;   // the same in capitals: of every macro
  const char *link;    // what to link: "lenet5.o", "-llenet5"
} BuildNames;

// The C header: what every function takes and gives, C99 and C++.
void build_header(Pipeline *p, const BuildNames *names, const Built *built, const BuildInput *input, Text *out);
// Is the word taken in C99 or C++17?
bool build_is_keyword(const char *word);
// Do results of a row depend on other rows? Then all rows must be in one step.
bool build_mixes_rows(const Graph *graph);

// A System V archive of one object file whose public functions are `symbols`: [n].
void archive_write(const char *member, const char *object, size_t size, const char *const *symbols, int n, Text *out);
// The functions that build_header declares: [*n].
const char **build_functions(Arena *arena, const BuildNames *names, const BuildInput *input, int *n);
