// Everything that must hold of a `.dl` program: it is accepted; `dlc fmt` leaves what it means and, the second time,
// every byte; what it lowers to holds what check_graph.h says, in training and in inference; and written another way it
// computes the same bits.
#pragma once
#include "check_graph.h"
#include "make_program.h"

// The graph that it is trained as, or, with `inference`, runs as; NULL where it is refused.
const Graph *program_graph(Check *check, const MadeProgram *program, bool inference);
Fault check_program(Check *check, const MadeProgram *program);
