// Random `.dl` programs that are right: every layer, activation, loss, regulariser and optimizer of the standard
// library, formulas, loops, functions. Each in two ways of writing it that must compute the same bits.
#pragma once
#include "choice.h"
#include "tally.h"
#include "text.h"

typedef struct MadeProgram {
  Text text, twin;
  bool has_twin;  // they differ
} MadeProgram;

// Counts what it uses in the tally.
MadeProgram make_program(Arena *arena, Choice *chance, Tally *tally);
