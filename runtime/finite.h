// Looking for what must not enter a parameter.
#pragma once
#include "threads.h"

// Index of the first NaN or infinity of values[count], or -1.
int64_t finite_first_bad(Team *team, const float *values, int64_t count);
