// The loop nest: what a kernel does, as loops, guards, values, accumulators and stores. Target-independent, printable
// (`dlc dump --stage loops`), and translated to LLVM IR one statement at a time (emit.c).
//
// A nest is a tree of blocks, each a list of statements. A value is computed once, by a LET in the shallowest block
// where everything that it needs is known: what a loop does not change is outside it, and equal values are one value,
// by construction. So LLVM has nothing left to hoist or to merge.
//
// Inside a vector loop (at most one is open at a time) a value that depends on the loop's variable has `lanes`
// elements, those at variable + 0, + 1, ..; everything else is scalar. Lanes beyond `live` are not inside: never loaded
// nor stored.
#pragma once
#include "dlc_abi.h"
#include "expr.h"

typedef int32_t ValueId;
enum { VALUE_NONE = -1 };  // as a condition: true
typedef struct Block Block;

typedef enum ValueKind {
  VALUE_CONST,    // `number`
  VALUE_INDEX,    // `at` as i32
  VALUE_LOAD,     // argument `slot` at element `at`; 0, and no access, where `guard` is false
  VALUE_OP,       // a pointwise op of arg[..]
  VALUE_INSIDE,   // 0 <= at < limit
  VALUE_DIVIDES,  // limit divides at
  VALUE_RANDOM,   // element `at` of the random stream `stream`
  VALUE_RESULT,   // accumulator `slot` after its loops; its lanes joined where they went along the reduction
  VALUE_GIVEN     // comes from outside: the sum of a micro-kernel
} ValueKind;

typedef struct Value {
  ValueKind kind;
  DType type;
  bool vector;
  Block *block;  // where it is computed
  Op op;
  ValueId arg[3];
  double number;
  const Expr *at;
  int slot;
  ValueId guard;
  Size limit;
  uint64_t stream;
} Value;

// An accumulator: starts at the combination's neutral element.
typedef struct Acc {
  Combine combine;  // not MAP
  DType type;       // of the values combined
  int lanes;        // 1: scalar
  bool reduced;     // its lanes go along the reduction, and are joined at the end: 8 apart, 4, 2, 1
} Acc;

typedef enum StmtKind { STMT_LET, STMT_LOOP, STMT_IF, STMT_START, STMT_UPDATE, STMT_STORE } StmtKind;

// for (var = from; var < to && var < limit; var += step). In a vector loop `from` is a multiple of 4.
typedef struct Loop {
  int var;
  const Expr *from, *to, *limit;  // limit: NULL where there is none
  int64_t step;
  int lanes, live;  // 1, 1: not a vector loop
  bool turned;  // inside 16 lanes: rows of what is contiguous along `var` may be loaded whole and turned in registers
} Loop;

typedef struct Stmt {
  StmtKind kind;
  ValueId value;   // LET; IF: the condition; UPDATE, STORE: what
  ValueId factor;  // UPDATE: acc = fma(value, factor, acc); or VALUE_NONE
  ValueId guard;   // UPDATE, STORE: only where true
  Loop loop;       // LOOP
  Block *body;     // LOOP, IF
  int slot;        // START, UPDATE: accumulator. STORE: argument
  const Expr *at;  // STORE: element. UPDATE: position of the element (ARGMAX, ARGMIN), or lane (see lane)
  bool lane;       // UPDATE: of one lane of a vector accumulator, number at % its lanes
  bool adds;       // STORE: adds to what is there
} Stmt;

struct Block {
  Block *parent;
  int depth;
  Stmt opener;  // the LOOP or IF whose body it is: joins the parent's statements when the block is closed
  Stmt *stmts;
  size_t n, capacity;
};

typedef struct NestArg {
  DType type;
  NodeId node;  // whose memory; NODE_NONE: the scratch
} NestArg;

typedef struct Fact {  // holds in the blocks that are open
  ValueKind kind;      // INSIDE or DIVIDES
  const Expr *at;
  Size limit;
  int depth;  // of the IF's block
} Fact;

typedef struct Nest {
  Arena *arena;
  const Graph *graph;
  ExprPool pool;
  NestArg *args;
  int n_args;
  Value *values;
  size_t n_values, values_capacity;
  Acc *accs;
  size_t n_accs, accs_capacity;
  Block *entry;
  Block *open;        // where statements go
  Block **var_block;  // [variable] the body of its loop, the entry for begin and end; NULL: not open yet
  size_t n_var_blocks, var_blocks_capacity;
  Fact *facts;
  size_t n_facts, facts_capacity;
  int begin, end;   // variables: the work items to do
  int lane_var;     // of the open vector loop, or -1
  int lanes, live;  // 1, 1 outside vector loops
  DlcCount items;
  int64_t item_cost;  // nanoseconds, roughly
} Nest;

Nest *nest_new(Arena *arena, const Graph *graph, const NestArg *args, int n_args);
int nest_var(Nest *nest, const char *name, Size extent);
int nest_unbounded_var(Nest *nest, const char *name);
// A variable that is bound from outside, as begin and end are.
int nest_given_var(Nest *nest, const char *name, Size extent);

// Blocks: open puts what follows inside, until the matching close.
void nest_open_loop(Nest *nest, const Loop *loop);
void nest_open_for(Nest *nest, int var, const Expr *from, const Expr *to, const Expr *limit);  // plain, by 1
void nest_open_if(Nest *nest, ValueId condition);  // of INSIDE or DIVIDES: known to hold inside
void nest_close(Nest *nest);
// 0 <= at < limit by the bounds of the loops that are open: known to hold until the innermost block is closed.
void nest_know_inside(Nest *nest, const Expr *at, Size limit);
bool nest_expr_open(const Nest *nest, const Expr *e);  // are all its variables bound?

// Values.
ValueId nest_const(Nest *nest, DType type, double number);
ValueId nest_index(Nest *nest, const Expr *at);
ValueId nest_load(Nest *nest, int slot, const Expr *at, ValueId guard);
ValueId nest_op(Nest *nest, Op op, DType type, const ValueId *args, int n);
ValueId nest_random(Nest *nest, uint64_t stream, const Expr *at);
ValueId nest_given(Nest *nest, DType type);
// Conditions: VALUE_NONE where they are known to hold, nest_is_false where they are known not to.
ValueId nest_inside(Nest *nest, const Expr *at, Size limit);
ValueId nest_divides(Nest *nest, const Expr *at, int64_t by);
ValueId nest_and(Nest *nest, ValueId a, ValueId b);
bool nest_is_false(const Nest *nest, ValueId condition);
// condition ? value : 0
ValueId nest_or_zero(Nest *nest, ValueId condition, ValueId value);

// Is the value computed in a block that is open?
bool nest_is_visible(const Nest *nest, ValueId id);

// Accumulators and stores.
int nest_start(Nest *nest, Acc acc);
int nest_given_acc(Nest *nest, Acc acc);           // started, and taken up again, by whoever the nest is part of
void nest_update(Nest *nest, const Stmt *update);  // kind is set here
ValueId nest_result(Nest *nest, int acc);
void nest_store(Nest *nest, int slot, const Expr *at, ValueId value, ValueId guard, bool adds);

static inline const Value *nest_value(const Nest *nest, ValueId id) { return &nest->values[id]; }
bool nest_expr_is_vector(const Nest *nest, const Expr *e);

void nest_print(const Nest *nest, int indent, Text *out);
// Adds what determines the nest's code, as bytes: nests with equal keys are the same code (nest_key.c).
void nest_key(const Nest *nest, Text *out);
