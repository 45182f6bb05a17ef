// The table of traits. max and min do not commute: of +0 and -0 they return their first.
//
// Exact: a double holds more than twice a float's digits and two more, so rounding the double result of + - * / and
// sqrt of floats to float gives the correctly rounded float (Figueroa, "When is double rounding innocuous?", 1995).
// What dlc computes by several roundings or by polynomials of its own (rsqrt, mod, pow, exp, ..) is not.
#include "traits.h"

enum { C = TRAIT_COMMUTES, E = TRAIT_EXACT, T = TRAIT_TOTAL };

static const unsigned char traits[OP_COUNT] = {
    [OP_neg] = E | T,     [OP_abs] = E | T,    [OP_sign] = E | T,    [OP_floor] = E | T,  [OP_exp] = T,
    [OP_sqrt] = E,        [OP_tanh] = T,       [OP_sigmoid] = T,     [OP_erf] = T,        [OP_detach] = E | T,
    [OP_add] = C | E | T, [OP_sub] = E | T,    [OP_mul] = C | E | T, [OP_div] = E,        [OP_max] = E | T,
    [OP_min] = E | T,     [OP_eq] = C | E | T, [OP_ne] = C | E | T,  [OP_lt] = E | T,     [OP_le] = E | T,
    [OP_and] = C | E | T, [OP_or] = C | E | T, [OP_not] = E | T,     [OP_select] = E | T, [OP_to_f32] = E | T,
    [OP_to_i32] = E | T,
};

bool op_has(Op op, Trait trait) { return traits[op] & trait; }

bool op_folds(Op op, DType operand_type) { return op_has(op, TRAIT_EXACT) || operand_type != DT_F32; }
