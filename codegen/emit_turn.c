// Turned loops: where lanes go along one axis and memory along another, 16 rows are loaded whole and turned in
// registers, so that every cache line is read once, with one instruction.
#include "emit_inside.h"

static bool is_turned_type(DType type) { return type == DT_F32 || type == DT_I32; }

bool emit_can_turn(const Emit *e, ValueId id) {
  const Value *v = nest_value(e->nest, id);
  if (e->turn_var < 0 || v->kind != VALUE_LOAD || v->guard != VALUE_NONE || !is_turned_type(v->type)) return false;
  int64_t step = 0;
  bool along = expr_is_linear(v->at, e->turn_var) && size_equal(expr_coef(v->at, e->turn_var), size_const(1));
  return along && emit_moves_by(e, v->at, &step) && step != 0 && step != 1;
}

// Row k holds what lane k reads in the 16 turns.
static LLVMValueRef *load_rows(Emit *e, const Value *v) {
  LLVMValueRef *rows = arena_array(e->arena, TURNS, sizeof *rows), first = emit_expr(e, v->at);
  LLVMTypeRef type = irb_vector(emit_memory_type(e, v->type), TURNS);
  int64_t step = 0;
  emit_moves_by(e, v->at, &step);
  for (int k = 0; k < TURNS; k++) {
    LLVMValueRef offset = LLVMBuildAdd(e->irb.b, first, irb_i64(&e->irb, k * step), "");
    rows[k] = emit_load_at(e, v->slot, type, offset);
  }
  irb_transpose(&e->irb, rows, TURNS);
  return rows;
}

LLVMValueRef emit_turned_load(Emit *e, ValueId id) {
  if (e->turn == 0) e->turned[id] = load_rows(e, nest_value(e->nest, id));
  return e->turned[id][e->turn];
}
