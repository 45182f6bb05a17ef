// Values: loads, conditions, ops; and stores.
#include "emit_inside.h"

#include "philox.h"
#include "scalar.h"

#include <stddef.h>

#include "llvm_shim.h"

// ---- types --------------------------------------------------------------------------------------------------------

// In registers a bool is i1, in memory a byte.
static LLVMTypeRef register_type(const Emit *e, DType type) {
  switch (type) {
    case DT_F32:
      return e->irb.f32;
    case DT_I32:
      return e->irb.i32;
    case DT_U8:
      return e->irb.i8;
    case DT_BOOL:
    case DT_COUNT:
      break;
  }
  return e->irb.i1;
}

LLVMTypeRef emit_memory_type(const Emit *e, DType type) { return type == DT_BOOL ? e->irb.i8 : register_type(e, type); }

static LLVMValueRef from_memory(const Emit *e, DType type, LLVMValueRef value) {
  if (type != DT_BOOL) return value;
  return LLVMBuildICmp(e->irb.b, LLVMIntNE, value, LLVMConstNull(LLVMTypeOf(value)), "");
}

static LLVMValueRef to_memory(const Emit *e, DType type, LLVMValueRef value) {
  return type == DT_BOOL ? LLVMBuildZExt(e->irb.b, value, irb_like(e->irb.i8, value), "") : value;
}

LLVMValueRef emit_get(Emit *e, ValueId id, bool vector) {
  LLVMValueRef value = e->values[id];
  return vector && irb_lanes(value) == 1 ? irb_splat(&e->irb, value, e->lanes) : value;
}

// ---- addresses ----------------------------------------------------------------------------------------------------

static LLVMValueRef element(const Emit *e, int slot, LLVMValueRef offset) {
  LLVMTypeRef type = emit_memory_type(e, e->nest->args[slot].type);
  return LLVMBuildInBoundsGEP2(e->irb.b, type, e->base[slot], &offset, 1, "");
}

static unsigned alignment(const Emit *e, int slot) { return (unsigned)dtype_size(e->nest->args[slot].type); }

LLVMValueRef emit_load_at(const Emit *e, int slot, LLVMTypeRef type, LLVMValueRef offset) {
  LLVMValueRef load = LLVMBuildLoad2(e->irb.b, type, element(e, slot, offset), "");
  LLVMSetAlignment(load, alignment(e, slot));
  return load;
}

static void store_at(const Emit *e, int slot, LLVMValueRef value, LLVMValueRef offset) {
  LLVMSetAlignment(LLVMBuildStore(e->irb.b, value, element(e, slot, offset)), alignment(e, slot));
}

// Element numbers of single lanes: the first lane's plus constants where the expression moves evenly.
typedef struct Lanes {
  LLVMValueRef first, all;
  int64_t step;
} Lanes;

static Lanes lanes_of(Emit *e, const Expr *at) {
  Lanes lanes = {0};
  if (emit_moves_by(e, at, &lanes.step))
    lanes.first = emit_expr(e, at);
  else
    lanes.all = emit_expr_lanes(e, at);
  return lanes;
}

static LLVMValueRef lane_offset(const Emit *e, const Lanes *lanes, int lane) {
  if (lanes->all) return irb_extract(&e->irb, lanes->all, lane);
  return LLVMBuildAdd(e->irb.b, lanes->first, irb_i64(&e->irb, lane * lanes->step), "");
}

// ---- loads --------------------------------------------------------------------------------------------------------

static LLVMValueRef gather(const Emit *e, int slot, const Lanes *lanes) {
  LLVMTypeRef type = emit_memory_type(e, e->nest->args[slot].type);
  LLVMValueRef vector = LLVMConstNull(irb_vector(type, e->lanes));
  for (int k = 0; k < e->live; k++)
    vector = irb_insert(&e->irb, vector, emit_load_at(e, slot, type, lane_offset(e, lanes, k)), k);
  return vector;
}

static LLVMValueRef live_mask(const Emit *e, LLVMValueRef condition) {
  LLVMValueRef live = e->live < e->lanes ? irb_mask(&e->irb, e->lanes, e->live) : NULL;
  if (!condition) return live;
  return live ? LLVMBuildAnd(e->irb.b, condition, live, "") : condition;
}

// Lanes where the condition does not hold read element 0, which is there, and are 0 then.
static LLVMValueRef gather_where(Emit *e, const Value *v, LLVMValueRef condition) {
  LLVMValueRef all = emit_expr_lanes(e, v->at);
  Lanes lanes = {.all = irb_select(&e->irb, condition, all, LLVMConstNull(LLVMTypeOf(all)))};
  LLVMValueRef value = gather(e, v->slot, &lanes);
  return irb_select(&e->irb, condition, value, LLVMConstNull(LLVMTypeOf(value)));
}

// The mask in i32 lanes, 0 or -1, and'ed as such.
static LLVMValueRef wide_mask(Emit *e, LLVMValueRef mask) {
  LLVMTypeRef wide = irb_vector(e->irb.i32, irb_lanes(mask));
  if (!LLVMIsAInstruction(mask) || LLVMGetInstructionOpcode(mask) != LLVMAnd)
    return LLVMBuildSExt(e->irb.b, mask, wide, "");
  LLVMValueRef a = wide_mask(e, LLVMGetOperand(mask, 0)), b = wide_mask(e, LLVMGetOperand(mask, 1));
  return LLVMBuildAnd(e->irb.b, a, b, "");
}

// LLVM 19 for AVX2 makes a plain load of the half of a vector in which no lane is asked for, where it sees that of an
// `and` of i1 with a constant: it reads beyond the tensor, and the lanes are not 0. An `and` of i32 it leaves alone.
static LLVMValueRef safe_mask(Emit *e, LLVMValueRef mask) {
  if (!LLVMIsAInstruction(mask) || LLVMGetInstructionOpcode(mask) != LLVMAnd) return mask;
  LLVMValueRef wide = wide_mask(e, mask);
  return LLVMBuildICmp(e->irb.b, LLVMIntNE, wide, LLVMConstNull(LLVMTypeOf(wide)), "");
}

// `condition`: NULL, or a vector of i1.
static LLVMValueRef load_lanes(Emit *e, const Value *v, LLVMValueRef condition) {
  LLVMTypeRef type = irb_vector(emit_memory_type(e, v->type), e->lanes);
  int64_t step = 0;
  bool even = emit_moves_by(e, v->at, &step);
  if (!even || step != 1) {
    if (condition) return gather_where(e, v, condition);
    Lanes lanes = lanes_of(e, v->at);
    return gather(e, v->slot, &lanes);
  }
  LLVMValueRef offset = emit_expr(e, v->at), mask = live_mask(e, condition);
  if (!mask) return emit_load_at(e, v->slot, type, offset);
  return shim_masked_load(e->irb.b, e->irb.module, type, element(e, v->slot, offset), safe_mask(e, mask),
                          alignment(e, v->slot));
}

static LLVMValueRef load_plain(Emit *e, const Value *v, LLVMValueRef condition) {
  bool vector = emit_varies(e, v->at) || condition;
  if (vector) return load_lanes(e, v, condition);
  return emit_load_at(e, v->slot, emit_memory_type(e, v->type), emit_expr(e, v->at));
}

// Behind a branch.
static LLVMValueRef load_if(Emit *e, const Value *v, LLVMValueRef condition) {
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->irb.b), inside = irb_block(&e->irb, "inside");
  LLVMBasicBlockRef after = irb_block(&e->irb, "after");
  LLVMBuildCondBr(e->irb.b, condition, inside, after);
  LLVMPositionBuilderAtEnd(e->irb.b, inside);
  LLVMValueRef value = load_plain(e, v, NULL), zero = LLVMConstNull(LLVMTypeOf(value));
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->irb.b);
  LLVMBuildBr(e->irb.b, after);
  LLVMPositionBuilderAtEnd(e->irb.b, after);
  LLVMValueRef phi = LLVMBuildPhi(e->irb.b, LLVMTypeOf(value), "");
  LLVMAddIncoming(phi, &value, &last, 1);
  LLVMAddIncoming(phi, &zero, &before, 1);
  return phi;
}

static LLVMValueRef emit_load(Emit *e, const Value *v) {
  LLVMValueRef condition = v->guard == VALUE_NONE ? NULL : e->values[v->guard];
  bool branch = condition && irb_lanes(condition) == 1;
  return from_memory(e, v->type, branch ? load_if(e, v, condition) : load_plain(e, v, condition));
}

// ---- conditions and indices ---------------------------------------------------------------------------------------

// 0 <= first + lane < limit as -first <= lane < limit - first, in 32 bits: both ends are cut to what lanes can be.
static LLVMValueRef lanes_inside(Emit *e, const Value *v) {
  LLVMValueRef first = emit_expr(e, v->at), zero = irb_i64(&e->irb, 0), most = irb_i64(&e->irb, e->lanes);
  LLVMValueRef ends[2] = {LLVMBuildNeg(e->irb.b, first, ""), LLVMBuildSub(e->irb.b, emit_size(e, v->limit), first, "")};
  for (int k = 0; k < 2; k++) {
    ends[k] = irb_call(&e->irb, "llvm.smin", (LLVMValueRef[]){ends[k], most}, 2);
    ends[k] = irb_call(&e->irb, "llvm.smax", (LLVMValueRef[]){ends[k], zero}, 2);
    ends[k] = irb_splat(&e->irb, LLVMBuildTrunc(e->irb.b, ends[k], e->irb.i32, ""), e->lanes);
  }
  LLVMValueRef lane = irb_iota(e->irb.i32, e->lanes, 1);
  LLVMValueRef from = LLVMBuildICmp(e->irb.b, LLVMIntSGE, lane, ends[0], "");
  return LLVMBuildAnd(e->irb.b, from, LLVMBuildICmp(e->irb.b, LLVMIntSLT, lane, ends[1], ""), "");
}

static LLVMValueRef position(Emit *e, const Value *v) {
  return v->vector ? emit_expr_lanes(e, v->at) : emit_expr(e, v->at);
}

// Negative numbers are large unsigned ones.
static LLVMValueRef emit_inside(Emit *e, const Value *v) {
  int64_t step = 0;
  if (v->vector && emit_moves_by(e, v->at, &step) && step == 1) return lanes_inside(e, v);
  LLVMValueRef at = position(e, v), limit = irb_splat(&e->irb, emit_size(e, v->limit), irb_lanes(at));
  return LLVMBuildICmp(e->irb.b, LLVMIntULT, at, limit, "");
}

static LLVMValueRef emit_divides(Emit *e, const Value *v) {
  LLVMValueRef at = position(e, v), by = irb_int(LLVMTypeOf(at), v->limit.scale), zero = LLVMConstNull(LLVMTypeOf(at));
  bool power = (v->limit.scale & (v->limit.scale - 1)) == 0;
  LLVMValueRef rest = power ? LLVMBuildAnd(e->irb.b, at, irb_int(LLVMTypeOf(at), v->limit.scale - 1), "")
                            : LLVMBuildSRem(e->irb.b, at, by, "");
  return LLVMBuildICmp(e->irb.b, LLVMIntEQ, rest, zero, "");
}

static LLVMValueRef emit_index(Emit *e, const Value *v) {
  int64_t step = 0;
  if (!v->vector || !emit_moves_by(e, v->at, &step))
    return LLVMBuildTrunc(e->irb.b, position(e, v), v->vector ? irb_vector(e->irb.i32, e->lanes) : e->irb.i32, "");
  LLVMValueRef first = LLVMBuildTrunc(e->irb.b, emit_expr(e, v->at), e->irb.i32, "");
  return LLVMBuildAdd(e->irb.b, irb_splat(&e->irb, first, e->lanes), irb_iota(e->irb.i32, e->lanes, step), "");
}

// ---- random numbers and ops ---------------------------------------------------------------------------------------

static LLVMValueRef rt_field(const Emit *e, size_t offset) {
  LLVMValueRef at = irb_i64(&e->irb, (int64_t)offset);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(e->irb.b, e->irb.i8, e->rt, &at, 1, "");
  return LLVMBuildLoad2(e->irb.b, e->irb.i64, address, "");
}

// Do the lanes have neighbouring numbers from a multiple of 4 on? A lane variable is a multiple of 4 in its first lane.
static bool is_run_of_blocks(const Emit *e, const Value *v) {
  int64_t step = 0;
  if (!v->vector || e->lanes % 4 != 0 || !emit_moves_by(e, v->at, &step) || step != 1) return false;
  for (int k = 0; k < v->at->n; k++) {
    const ExprTerm *term = &v->at->term[k];
    bool lane = term->atom.kind == ATOM_VAR && term->atom.id == e->lane_var;
    if (!lane && term->coef.scale % 4 != 0) return false;
  }
  return true;
}

// The stream of this step: random_step_stream() of ir.h.
static LLVMValueRef emit_random(Emit *e, const Value *v) {
  LLVMValueRef step = rt_field(e, offsetof(DlcRt, step)), seed = rt_field(e, offsetof(DlcRt, seed));
  LLVMValueRef mixed = LLVMBuildMul(e->irb.b, step, irb_i64(&e->irb, (int64_t)0x9E3779B97F4A7C15u), "");
  LLVMValueRef stream = LLVMBuildXor(e->irb.b, irb_i64(&e->irb, (int64_t)v->stream), mixed, "");
  if (is_run_of_blocks(e, v)) return philox_uniform_run(&e->irb, seed, stream, emit_expr(e, v->at), e->lanes);
  return philox_uniform(&e->irb, seed, stream, position(e, v));
}

static LLVMValueRef emit_op(Emit *e, const Value *v) {
  LLVMValueRef args[3] = {0};
  int n = 0;
  for (; n < 3 && v->arg[n] != VALUE_NONE; n++) args[n] = emit_get(e, v->arg[n], v->vector);
  return scalar_emit(&e->irb, v->op, nest_value(e->nest, v->arg[n == 3 ? 1 : 0])->type, args);
}

static LLVMValueRef emit_const(const Emit *e, const Value *v) {
  LLVMTypeRef type = register_type(e, v->type);
  return v->type == DT_F32 ? irb_float(type, v->number) : irb_int(type, (int64_t)v->number);
}

static LLVMValueRef compute(Emit *e, const Value *v) {
  switch (v->kind) {
    case VALUE_CONST:
      return emit_const(e, v);
    case VALUE_INDEX:
      return emit_index(e, v);
    case VALUE_LOAD:
      return emit_load(e, v);
    case VALUE_OP:
      return emit_op(e, v);
    case VALUE_INSIDE:
      return emit_inside(e, v);
    case VALUE_DIVIDES:
      return emit_divides(e, v);
    case VALUE_RANDOM:
      return emit_random(e, v);
    case VALUE_RESULT:
      return emit_result(e, v);
    case VALUE_GIVEN:
      break;
  }
  dlc_bug("a given value has no code");
}

void emit_let(Emit *e, ValueId id) {
  const Value *v = nest_value(e->nest, id);
  if (v->kind == VALUE_GIVEN) return;
  e->values[id] = emit_can_turn(e, id) ? emit_turned_load(e, id) : compute(e, v);
}

// ---- stores -------------------------------------------------------------------------------------------------------

static LLVMValueRef sum_with(const Emit *e, DType type, LLVMValueRef a, LLVMValueRef b) {
  return type == DT_F32 ? LLVMBuildFAdd(e->irb.b, a, b, "") : LLVMBuildAdd(e->irb.b, a, b, "");
}

static void store_scalar(Emit *e, const Stmt *s) {
  DType type = e->nest->args[s->slot].type;
  LLVMValueRef offset = emit_expr(e, s->at), value = to_memory(e, type, e->values[s->value]);
  if (s->adds) value = sum_with(e, type, emit_load_at(e, s->slot, emit_memory_type(e, type), offset), value);
  store_at(e, s->slot, value, offset);
}

static void scatter(Emit *e, const Stmt *s, LLVMValueRef value) {
  Lanes lanes = lanes_of(e, s->at);
  for (int k = 0; k < e->live; k++) store_at(e, s->slot, irb_extract(&e->irb, value, k), lane_offset(e, &lanes, k));
}

static void store_lanes(Emit *e, const Stmt *s) {
  DType type = e->nest->args[s->slot].type;
  LLVMValueRef value = to_memory(e, type, emit_get(e, s->value, true)), mask = live_mask(e, NULL);
  int64_t step = 0;
  if (!emit_moves_by(e, s->at, &step) || step != 1) {
    dlc_assert(!s->adds);
    scatter(e, s, value);
    return;
  }
  LLVMValueRef offset = emit_expr(e, s->at), address = element(e, s->slot, offset);
  LLVMTypeRef vector = LLVMTypeOf(value);
  if (s->adds) {
    LLVMValueRef old = mask ? shim_masked_load(e->irb.b, e->irb.module, vector, address, mask, alignment(e, s->slot))
                            : emit_load_at(e, s->slot, vector, offset);
    value = sum_with(e, type, old, value);
  }
  if (mask)
    shim_masked_store(e->irb.b, e->irb.module, value, address, mask, alignment(e, s->slot));
  else
    store_at(e, s->slot, value, offset);
}

void emit_store(Emit *e, const Stmt *s) {
  dlc_assert(s->guard == VALUE_NONE);
  if (e->lanes > 1)
    store_lanes(e, s);
  else
    store_scalar(e, s);
}
