// dlc grad --at x=-2,y=5: every value of a small model at a point, and the derivative of its result by each.
#pragma once
#include "pipeline.h"

// Evaluates in double at the point that --at gives and prints to session->out, a line a value: inputs first, then the
// user's own names in order, then the result. With --check compares with central differences. An exit status.
int grad_at(Pipeline *p);
