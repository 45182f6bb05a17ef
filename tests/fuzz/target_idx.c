// IDX files, plain and gzipped.
#include "fuzz.h"

void fuzz_target(Fuzz *f) { fuzz_open(f, &(SourceSpec){.kind = SOURCE_IDX}); }
