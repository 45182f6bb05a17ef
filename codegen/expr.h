// Index arithmetic of loop nests: 64-bit integers as sums of size * atom, in one canonical form, so that merging two
// loops, reading through a reshape or proving a read in bounds is algebra and not a special case.
//
// An atom is 1, a loop variable, a rounded-down quotient or remainder of another expression, or an i32 value computed
// at run time. Expressions are interned: equal ones are one pointer. Quotients and remainders that the variables'
// ranges decide are gone, and c*n*(x / n) + c*(x % n) has become c*x.
#pragma once
#include "ir.h"

// scale * product of symbol[k]^power[k].
typedef struct Size {
  int64_t scale;
  uint8_t power[IR_MAX_SYMBOLS];
} Size;

static inline Size size_const(int64_t n) { return (Size){.scale = n}; }
Size size_of(Dim dim);
Size size_times(Size a, Size b);
bool size_is_const(Size size);  // no symbol
bool size_equal(Size a, Size b);
bool size_same_symbols(Size a, Size b);
bool size_divide(Size a, Size b, Size *quotient);  // false where b does not divide a for all symbols
int64_t size_value(Size size, const int64_t *symbol_values);
void size_print(Size size, const char *const *symbols, Text *out);
// Row-major element strides of a shape; returns the number of elements.
Size shape_strides(const Shape *shape, Size *stride);

typedef struct Expr Expr;
typedef enum AtomKind { ATOM_ONE, ATOM_VAR, ATOM_DIV, ATOM_MOD, ATOM_DATA } AtomKind;
typedef struct Atom {
  AtomKind kind;
  int id;          // VAR: number of the variable. DATA: number of the value
  const Expr *of;  // DIV, MOD: of what
  Size by;         // DIV, MOD: the divisor, >= 1
} Atom;

typedef struct ExprTerm {
  Size coef;  // scale not 0
  Atom atom;
} ExprTerm;

struct Expr {
  int number;  // in order of making
  int n;
  ExprTerm *term;  // [n] sorted, no two alike
};

typedef struct ExprVar {
  const char *name;
  Size extent;     // the variable's value is in 0..extent
  bool unbounded;  // nothing is known of its upper end
} ExprVar;

typedef struct ExprPool {
  Arena *arena;
  Expr **items;
  size_t n, capacity;
  ExprVar *vars;
  size_t n_vars, vars_capacity;
} ExprPool;

int expr_new_var(ExprPool *pool, const char *name, Size extent);
int expr_new_unbounded_var(ExprPool *pool, const char *name);

const Expr *expr_size(ExprPool *pool, Size size);
const Expr *expr_const(ExprPool *pool, int64_t n);
const Expr *expr_var(ExprPool *pool, int var);
const Expr *expr_data(ExprPool *pool, int value);
const Expr *expr_add(ExprPool *pool, const Expr *a, const Expr *b);
const Expr *expr_scale(ExprPool *pool, const Expr *a, Size by);
const Expr *expr_offset(ExprPool *pool, const Expr *a, int64_t by);
const Expr *expr_div(ExprPool *pool, const Expr *a, Size by);  // rounded down, by >= 1
const Expr *expr_mod(ExprPool *pool, const Expr *a, Size by);  // a - by * (a / by)

bool expr_is_const(const Expr *e, int64_t *value);
Size expr_coef(const Expr *e, int var);             // of the variable itself; scale 0 where it does not stand there
bool expr_has_var(const Expr *e, int var);          // anywhere, inside quotients too (not: in what a value depends on)
bool expr_is_linear(const Expr *e, int var);        // no quotient or remainder holds the variable
bool expr_divides(const Expr *e, int64_t n);        // does n divide it for sure?
bool expr_never_divides(const Expr *e, int64_t n);  // never for sure?
// What can be proved from the variables' ranges, for all symbols >= 1.
bool expr_never_negative(const ExprPool *pool, const Expr *e);
bool expr_below(const ExprPool *pool, const Expr *e, Size limit);                    // e < limit
int64_t expr_value(const Expr *e, const int64_t *symbol_values, int64_t var_value);  // every variable at var_value
void expr_print(const ExprPool *pool, const Expr *e, const char *const *symbols, Text *out);
