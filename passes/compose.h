// Reads in their simplest form, and reads through movements.
#pragma once
#include "ir.h"

// Divides out what all of a division's numbers have in common. True where that changed anything.
bool read_reduce(Read *read);
// Where the operand is itself a movement (index_is_movement), makes the reader of `def` read what that moves, if every
// point reads the same element afterwards, or 0 (or is left out) as before. True where that changed anything.
bool read_compose(const Graph *g, const IndexDef *def, NodeId *operand, Read *read);
