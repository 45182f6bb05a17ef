// What the files that emit a nest share.
#pragma once
#include "emit.h"

typedef struct Emit {
  Irb irb;
  const Nest *nest;
  Arena *arena;
  LLVMValueRef function, rt;
  LLVMValueRef *base;     // [n_args]
  LLVMValueRef *vars;     // [n_vars] the variable's value; of a vector loop's, its first lane's
  LLVMValueRef *values;   // [n_values] scalar, or of the vector loop's lanes
  LLVMValueRef *acc;      // [n_accs] where the accumulators stand
  LLVMValueRef *where;    // [n_accs] the positions of extremes
  bool *empty;            // [n_accs] may an accumulator of positions still be without an element?
  LLVMValueRef *symbols;  // [IR_MAX_SYMBOLS] their run-time values
  LLVMValueRef *hoist;    // [max_depth] the instruction before which code of that block's beginning goes
  LLVMValueRef *memo;     // [n_exprs * max_depth] partial sums of expressions
  int max_depth;
  int lane_var, lanes, live;  // of the open vector loop; -1, 1, 1
  // Inside a turned loop: its variable, which of its 16 turns is being emitted, the rows turned so far.
  int turn_var, turn;     // -1, 0 outside
  LLVMValueRef **turned;  // [n_values][TURNS]; NULL: not loaded yet
} Emit;

enum { TURNS = 16 };

// emit_expr.c
LLVMValueRef emit_expr(Emit *e, const Expr *x);                   // i64; of the first lane
LLVMValueRef emit_expr_lanes(Emit *e, const Expr *x);             // <lanes x i64>
bool emit_varies(const Emit *e, const Expr *x);                   // between lanes
bool emit_moves_by(const Emit *e, const Expr *x, int64_t *step);  // linear in the lane variable, by a constant
LLVMValueRef emit_size(Emit *e, Size size);

// emit_value.c
void emit_let(Emit *e, ValueId id);
void emit_store(Emit *e, const Stmt *s);
LLVMTypeRef emit_memory_type(const Emit *e, DType type);
LLVMValueRef emit_load_at(const Emit *e, int slot, LLVMTypeRef type, LLVMValueRef offset);
LLVMValueRef emit_get(Emit *e, ValueId id, bool vector);  // scalars are spread over the lanes where asked

// emit_turn.c
// Is it a load that is contiguous along the turned loop and not along the lanes?
bool emit_can_turn(const Emit *e, ValueId id);
LLVMValueRef emit_turned_load(Emit *e, ValueId id);

// emit_acc.c
void emit_start(Emit *e, const Stmt *s);
void emit_update(Emit *e, const Stmt *s);
LLVMValueRef emit_result(Emit *e, const Value *v);
