// Index arithmetic. The terms of an expression are added from the outermost loop inwards, each partial sum at the
// beginning of the innermost loop that it depends on, once.
#include "emit_inside.h"

// ---- where code goes ----------------------------------------------------------------------------------------------

enum { HERE = -1 };  // a depth: depends on a value, so it is computed where it is used

static int deeper(int a, int b) { return a == HERE || b == HERE ? HERE : a > b ? a : b; }

static int atom_depth(const Emit *e, const Atom *atom) {
  if (atom->kind == ATOM_ONE) return 0;
  if (atom->kind == ATOM_DATA) return HERE;
  if (atom->kind == ATOM_VAR) return e->nest->var_block[atom->id]->depth;
  int depth = 0;
  for (int k = 0; k < atom->of->n; k++) depth = deeper(depth, atom_depth(e, &atom->of->term[k].atom));
  return depth;
}

// To the beginning of the loop at this depth; returns what emit_back needs.
static LLVMBasicBlockRef go_to(const Emit *e, int depth) {
  LLVMBasicBlockRef here = LLVMGetInsertBlock(e->irb.b);
  if (e->hoist[depth]) LLVMPositionBuilderBefore(e->irb.b, e->hoist[depth]);
  return here;
}

// Blocks that are being filled have no terminator yet; beginnings of loops are filled before theirs.
static void go_back(const Emit *e, LLVMBasicBlockRef here) {
  LLVMValueRef terminator = LLVMGetBasicBlockTerminator(here);
  if (terminator)
    LLVMPositionBuilderBefore(e->irb.b, terminator);
  else
    LLVMPositionBuilderAtEnd(e->irb.b, here);
}

// ---- scalars ------------------------------------------------------------------------------------------------------

LLVMValueRef emit_size(Emit *e, Size size) {
  LLVMValueRef product = irb_i64(&e->irb, size.scale);
  for (int k = 0; k < IR_MAX_SYMBOLS && size.scale; k++)
    for (int p = 0; p < size.power[k]; p++) product = LLVMBuildMul(e->irb.b, product, e->symbols[k], "");
  return product;
}

static LLVMValueRef times(Emit *e, LLVMValueRef value, Size coef) {
  if (size_equal(coef, size_const(1))) return value;
  return LLVMBuildMul(e->irb.b, value, irb_splat(&e->irb, emit_size(e, coef), irb_lanes(value)), "");
}

static int power_of_two(Size by) {
  if (!size_is_const(by) || (by.scale & (by.scale - 1))) return -1;
  return __builtin_ctzll((unsigned long long)by.scale);
}

// Quotient or remainder, rounded toward minus infinity.
static LLVMValueRef divide(Emit *e, const Atom *atom, LLVMValueRef x) {
  LLVMTypeRef type = LLVMTypeOf(x);
  LLVMBuilderRef b = e->irb.b;
  bool quotient = atom->kind == ATOM_DIV;
  int shift = power_of_two(atom->by);
  if (shift >= 0 && quotient) return LLVMBuildAShr(b, x, irb_int(type, shift), "");
  if (shift >= 0) return LLVMBuildAnd(b, x, irb_int(type, atom->by.scale - 1), "");
  LLVMValueRef by = irb_splat(&e->irb, emit_size(e, atom->by), irb_lanes(x));
  if (expr_never_negative(&e->nest->pool, atom->of))
    return quotient ? LLVMBuildUDiv(b, x, by, "") : LLVMBuildURem(b, x, by, "");
  LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, x, LLVMConstNull(type), "");
  LLVMValueRef down = irb_select(&e->irb, negative, LLVMBuildSub(b, by, irb_int(type, 1), ""), LLVMConstNull(type));
  LLVMValueRef rounded = LLVMBuildSDiv(b, LLVMBuildSub(b, x, down, ""), by, "");
  return quotient ? rounded : LLVMBuildSub(b, x, LLVMBuildMul(b, rounded, by, ""), "");
}

static LLVMValueRef atom_value(Emit *e, const Atom *atom) {
  switch (atom->kind) {
    case ATOM_ONE:
      return irb_i64(&e->irb, 1);
    case ATOM_VAR:
      return e->vars[atom->id];
    case ATOM_DATA: {
      LLVMValueRef value = e->values[atom->id];
      if (irb_lanes(value) > 1) value = irb_extract(&e->irb, value, 0);
      return LLVMBuildSExt(e->irb.b, value, e->irb.i64, "");
    }
    case ATOM_DIV:
    case ATOM_MOD:
      break;
  }
  return divide(e, atom, emit_expr(e, atom->of));
}

static LLVMValueRef term_value(Emit *e, const ExprTerm *term) {
  if (term->atom.kind == ATOM_ONE) return emit_size(e, term->coef);
  return times(e, atom_value(e, &term->atom), term->coef);
}

static LLVMValueRef plus(Emit *e, LLVMValueRef a, LLVMValueRef b) { return a ? LLVMBuildAdd(e->irb.b, a, b, "") : b; }

// The deepest loop of a term that is not below `limit`; -1: there is none.
static int deepest(const Emit *e, const Expr *x, int limit) {
  int found = -1;
  for (int k = 0; k < x->n; k++) {
    int depth = atom_depth(e, &x->term[k].atom);
    if (depth != HERE && depth <= limit && depth > found) found = depth;
  }
  return found;
}

// The sum of the terms of depth 0..limit. NULL: there is none.
static LLVMValueRef partial_sum(Emit *e, const Expr *x, int limit) {
  int depth = deepest(e, x, limit);
  if (depth < 0) return NULL;
  LLVMValueRef *memo = &e->memo[x->number * e->max_depth + depth];
  if (*memo && e->hoist[depth]) return *memo;  // without a beginning to be hoisted to: good here only
  LLVMBasicBlockRef here = go_to(e, depth);
  LLVMValueRef sum = partial_sum(e, x, depth - 1);
  for (int k = 0; k < x->n; k++)
    if (atom_depth(e, &x->term[k].atom) == depth) sum = plus(e, sum, term_value(e, &x->term[k]));
  go_back(e, here);
  if (e->hoist[depth]) *memo = sum;
  return sum;
}

LLVMValueRef emit_expr(Emit *e, const Expr *x) {
  LLVMValueRef sum = partial_sum(e, x, e->max_depth - 1);
  for (int k = 0; k < x->n; k++)
    if (atom_depth(e, &x->term[k].atom) == HERE) sum = plus(e, sum, term_value(e, &x->term[k]));
  return sum ? sum : irb_i64(&e->irb, 0);
}

// ---- lanes --------------------------------------------------------------------------------------------------------

static bool atom_varies(const Emit *e, const Atom *atom) {
  switch (atom->kind) {
    case ATOM_ONE:
      return false;
    case ATOM_VAR:
      return atom->id == e->lane_var;
    case ATOM_DATA:
      return nest_value(e->nest, atom->id)->vector;
    case ATOM_DIV:
    case ATOM_MOD:
      break;
  }
  return emit_varies(e, atom->of);
}

bool emit_varies(const Emit *e, const Expr *x) {
  for (int k = 0; k < x->n; k++)
    if (atom_varies(e, &x->term[k].atom)) return true;
  return false;
}

bool emit_moves_by(const Emit *e, const Expr *x, int64_t *step) {
  for (int k = 0; k < x->n; k++) {
    const Atom *atom = &x->term[k].atom;
    if (!atom_varies(e, atom)) continue;
    if (atom->kind != ATOM_VAR || !size_is_const(x->term[k].coef)) return false;
  }
  *step = expr_coef(x, e->lane_var).scale;
  return true;
}

static LLVMValueRef atom_lanes(Emit *e, const Atom *atom) {
  if (!atom_varies(e, atom)) return irb_splat(&e->irb, atom_value(e, atom), e->lanes);
  LLVMTypeRef i64s = irb_vector(e->irb.i64, e->lanes);
  if (atom->kind == ATOM_DATA) return LLVMBuildSExt(e->irb.b, e->values[atom->id], i64s, "");
  if (atom->kind != ATOM_VAR) return divide(e, atom, emit_expr_lanes(e, atom->of));
  LLVMValueRef first = irb_splat(&e->irb, e->vars[atom->id], e->lanes);
  return LLVMBuildAdd(e->irb.b, first, irb_iota(e->irb.i64, e->lanes, 1), "");
}

LLVMValueRef emit_expr_lanes(Emit *e, const Expr *x) {
  int64_t step;
  if (!emit_varies(e, x)) return irb_splat(&e->irb, emit_expr(e, x), e->lanes);
  if (emit_moves_by(e, x, &step)) {
    LLVMValueRef first = irb_splat(&e->irb, emit_expr(e, x), e->lanes);
    return LLVMBuildAdd(e->irb.b, first, irb_iota(e->irb.i64, e->lanes, step), "");
  }
  LLVMValueRef sum = NULL;
  for (int k = 0; k < x->n; k++) {
    Size coef = x->term[k].coef;
    if (x->term[k].atom.kind == ATOM_ONE)
      sum = plus(e, sum, irb_splat(&e->irb, emit_size(e, coef), e->lanes));
    else
      sum = plus(e, sum, times(e, atom_lanes(e, &x->term[k].atom), coef));
  }
  return sum;
}
