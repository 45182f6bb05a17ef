// Accumulators: the start, the update and the end of a reduction. Strict numerics: a plain product-sum is acc = fma(a,
// b, acc), every other sum one rounded addition an element, in the order of the nest.
#include "emit_inside.h"
#include "scalar.h"

#include <math.h>

static bool finds_position(const Acc *acc) { return acc->combine == COMBINE_ARGMAX || acc->combine == COMBINE_ARGMIN; }
static bool takes_least(const Acc *acc) { return acc->combine == COMBINE_MIN || acc->combine == COMBINE_ARGMIN; }

// ---- start --------------------------------------------------------------------------------------------------------

static LLVMValueRef neutral_int(LLVMTypeRef type, DType dtype, const Acc *acc) {
  if (acc->combine == COMBINE_SUM) return irb_int(type, 0);
  if (acc->combine == COMBINE_PROD) return irb_int(type, 1);
  if (dtype == DT_I32) return irb_int(type, takes_least(acc) ? INT32_MAX : INT32_MIN);
  return takes_least(acc) ? LLVMConstAllOnes(type) : LLVMConstNull(type);  // unsigned
}

static LLVMValueRef neutral_float(LLVMTypeRef type, const Acc *acc) {
  if (acc->combine == COMBINE_SUM) return irb_float(type, 0);
  if (acc->combine == COMBINE_PROD) return irb_float(type, 1);
  return irb_float(type, takes_least(acc) ? INFINITY : -INFINITY);
}

void emit_start(Emit *e, const Stmt *s) {
  const Acc *acc = &e->nest->accs[s->slot];
  const LLVMTypeRef types[DT_COUNT] = {
      [DT_F32] = e->irb.f32, [DT_I32] = e->irb.i32, [DT_BOOL] = e->irb.i1, [DT_U8] = e->irb.i8};
  LLVMTypeRef type = irb_vector(types[acc->type], acc->lanes);
  e->acc[s->slot] = acc->type == DT_F32 ? neutral_float(type, acc) : neutral_int(type, acc->type, acc);
  // No element yet: less than every position.
  if (finds_position(acc)) e->where[s->slot] = irb_int(irb_vector(e->irb.i32, acc->lanes), -1);
  e->empty[s->slot] = true;
}

// ---- combinations ---------------------------------------------------------------------------------------------------

static LLVMValueRef combined(const Emit *e, const Acc *acc, LLVMValueRef a, LLVMValueRef b) {
  bool is_float = acc->type == DT_F32;
  switch (acc->combine) {
    case COMBINE_SUM:
      return is_float ? LLVMBuildFAdd(e->irb.b, a, b, "") : LLVMBuildAdd(e->irb.b, a, b, "");
    case COMBINE_PROD:
      return is_float ? LLVMBuildFMul(e->irb.b, a, b, "") : LLVMBuildMul(e->irb.b, a, b, "");
    case COMBINE_MAX:
      return scalar_max(&e->irb, acc->type, a, b);
    case COMBINE_MIN:
      return scalar_min(&e->irb, acc->type, a, b);
    default:
      break;
  }
  dlc_bug("an accumulator that combines by %s", combine_name(acc->combine));
}

typedef struct Found {
  LLVMValueRef value, at;
} Found;

static LLVMValueRef either(const Emit *e, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildOr(e->irb.b, a, b, ""); }
static LLVMValueRef both(const Emit *e, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildAnd(e->irb.b, a, b, ""); }

// Is b more extreme than a? A NaN is more so than every number, and not than a NaN.
static LLVMValueRef beats(const Emit *e, const Acc *acc, LLVMValueRef b, LLVMValueRef a) {
  bool least = takes_least(acc);
  if (acc->type == DT_F32) {
    LLVMValueRef better = LLVMBuildFCmp(e->irb.b, least ? LLVMRealULT : LLVMRealUGT, b, a, "");
    return both(e, better, LLVMBuildFCmp(e->irb.b, LLVMRealORD, a, a, ""));
  }
  return scalar_emit(&e->irb, OP_lt, acc->type, (LLVMValueRef[]){least ? b : a, least ? a : b});
}

static LLVMValueRef is_none(const Emit *e, LLVMValueRef at) {
  return LLVMBuildICmp(e->irb.b, LLVMIntSLT, at, LLVMConstNull(LLVMTypeOf(at)), "");
}

// Of an earlier and a later element.
static Found later_if_better(const Emit *e, const Acc *acc, Found a, Found b, bool may_be_none) {
  LLVMValueRef better = beats(e, acc, b.value, a.value);
  if (may_be_none) better = either(e, better, is_none(e, a.at));
  return (Found){irb_select(&e->irb, better, b.value, a.value), irb_select(&e->irb, better, b.at, a.at)};
}

// Of two elements in any order; of equals the one before the other.
static Found better_or_first(const Emit *e, const Acc *acc, Found a, Found b) {
  LLVMValueRef worse = beats(e, acc, a.value, b.value), before = LLVMBuildICmp(e->irb.b, LLVMIntSLT, b.at, a.at, "");
  LLVMValueRef equal_before = both(e, LLVMBuildNot(e->irb.b, worse, ""), before);
  LLVMValueRef better = either(e, beats(e, acc, b.value, a.value), equal_before);
  better = both(e, either(e, better, is_none(e, a.at)), LLVMBuildNot(e->irb.b, is_none(e, b.at), ""));
  return (Found){irb_select(&e->irb, better, b.value, a.value), irb_select(&e->irb, better, b.at, a.at)};
}

// ---- update -------------------------------------------------------------------------------------------------------

// One lane of a vector accumulator, its number known at run time.
static void update_lane(Emit *e, const Stmt *s, const Acc *acc) {
  LLVMValueRef lane = emit_expr(e, s->at), lanes = e->acc[s->slot];
  lane = LLVMBuildAnd(e->irb.b, lane, irb_i64(&e->irb, acc->lanes - 1), "");
  LLVMValueRef old = LLVMBuildExtractElement(e->irb.b, lanes, lane, ""), value = e->values[s->value], updated;
  if (s->factor != VALUE_NONE)
    updated = irb_fma(&e->irb, value, e->values[s->factor], old);
  else
    updated = combined(e, acc, old, value);
  if (s->guard != VALUE_NONE) updated = irb_select(&e->irb, e->values[s->guard], updated, old);
  e->acc[s->slot] = LLVMBuildInsertElement(e->irb.b, lanes, updated, lane, "");
}

// Which lanes an update may touch; NULL: all. Lanes along an output that are not inside may hold anything.
static LLVMValueRef updated_lanes(Emit *e, const Stmt *s, const Acc *acc) {
  LLVMValueRef guard = s->guard == VALUE_NONE ? NULL : e->values[s->guard];
  if (!acc->reduced || e->lanes == 1 || e->live == e->lanes) return guard;
  LLVMValueRef live = irb_mask(&e->irb, e->lanes, e->live);
  return guard ? both(e, irb_splat(&e->irb, guard, irb_lanes(guard) > 1 ? 1 : e->lanes), live) : live;
}

static LLVMValueRef where_kept(Emit *e, LLVMValueRef guard, LLVMValueRef updated, LLVMValueRef old) {
  return guard ? irb_select(&e->irb, guard, updated, old) : updated;
}

static void update_position(Emit *e, const Stmt *s, const Acc *acc) {
  Found old = {e->acc[s->slot], e->where[s->slot]}, now = {emit_get(e, s->value, acc->lanes > 1), NULL};
  LLVMTypeRef i32s = irb_vector(e->irb.i32, acc->lanes);
  if (irb_lanes(now.value) < acc->lanes) now.value = irb_splat(&e->irb, now.value, acc->lanes);
  bool varies = e->lanes > 1 && emit_varies(e, s->at);
  if (varies)
    now.at = LLVMBuildTrunc(e->irb.b, emit_expr_lanes(e, s->at), i32s, "");
  else
    now.at = irb_splat(&e->irb, LLVMBuildTrunc(e->irb.b, emit_expr(e, s->at), e->irb.i32, ""), acc->lanes);
  LLVMValueRef guard = updated_lanes(e, s, acc);
  Found next = later_if_better(e, acc, old, now, e->empty[s->slot]);
  e->empty[s->slot] &= guard != NULL;
  e->acc[s->slot] = where_kept(e, guard, next.value, old.value);
  e->where[s->slot] = where_kept(e, guard, next.at, old.at);
}

void emit_update(Emit *e, const Stmt *s) {
  const Acc *acc = &e->nest->accs[s->slot];
  if (finds_position(acc)) {
    update_position(e, s, acc);
    return;
  }
  if (s->lane) {
    update_lane(e, s, acc);
    return;
  }
  LLVMValueRef old = e->acc[s->slot], value = emit_get(e, s->value, acc->lanes > 1), updated;
  if (s->factor != VALUE_NONE)
    updated = irb_fma(&e->irb, value, emit_get(e, s->factor, acc->lanes > 1), old);
  else
    updated = combined(e, acc, old, value);
  e->acc[s->slot] = where_kept(e, updated_lanes(e, s, acc), updated, old);
}

// ---- result -------------------------------------------------------------------------------------------------------

// Halves of the lanes, 8 apart, then 4, 2, 1.
static Found join_lanes(const Emit *e, const Acc *acc, Found f) {
  for (int half = acc->lanes / 2; half >= 1; half /= 2) {
    Found low = {irb_part(&e->irb, f.value, 0, half), NULL}, high = {irb_part(&e->irb, f.value, half, half), NULL};
    if (finds_position(acc)) {
      low.at = irb_part(&e->irb, f.at, 0, half);
      high.at = irb_part(&e->irb, f.at, half, half);
      f = better_or_first(e, acc, low, high);
    } else {
      f.value = combined(e, acc, low.value, high.value);
    }
  }
  f.value = irb_extract(&e->irb, f.value, 0);
  if (f.at) f.at = irb_extract(&e->irb, f.at, 0);
  return f;
}

LLVMValueRef emit_result(Emit *e, const Value *v) {
  const Acc *acc = &e->nest->accs[v->slot];
  Found f = {e->acc[v->slot], e->where[v->slot]};
  if (acc->reduced) f = join_lanes(e, acc, f);
  if (!finds_position(acc)) return f.value;
  return irb_select(&e->irb, is_none(e, f.at), LLVMConstNull(LLVMTypeOf(f.at)), f.at);
}
