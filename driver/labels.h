// Which inputs of a program are labels, and whether numbers are ones.
#pragma once
#include "ir.h"

// The number of classes that an input's values stand for: the range of the index that they are compared with, the
// smallest where there are several; 0 where they are compared with none. `graph` is as the frontend made it.
int64_t labels_classes(const Graph *graph, const char *input);
// Whether each of `count` values (DATA_U8 or DATA_I32) is from 0 to classes - 1; *outside is else the first that is
// not.
bool labels_fit(const void *values, int type, int64_t count, int64_t classes, int64_t *outside);
