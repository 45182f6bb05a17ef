// Statements and blocks of a nest, and the function around them.
//
// A loop of the nest becomes
//   entry:  br (from < bound), begin, done
//   begin:  phis of the variable and of the accumulators that the body updates; what the body hoists; br body
//   body:   ..; br (variable + step < bound), begin, done
// and a loop that runs at most once has no way back.
#include "emit_inside.h"
#include "llvm_shim.h"

static void emit_block(Emit *e, const Block *block);

// ---- accumulators that a block changes ----------------------------------------------------------------------------

typedef struct Changed {
  int n;
  int slot[16];
  LLVMValueRef before[32], phi[32];  // of acc and where
  bool empty[16];
} Changed;

static void find_changed(const Emit *e, const Block *block, Changed *c) {
  for (size_t k = 0; k < block->n; k++) {
    const Stmt *s = &block->stmts[k];
    if (s->kind == STMT_LOOP || s->kind == STMT_IF) find_changed(e, s->body, c);
    if (s->kind != STMT_UPDATE || !e->acc[s->slot]) continue;
    int at = 0;
    while (at < c->n && c->slot[at] != s->slot) at++;
    if (at < c->n) continue;
    dlc_assert(c->n < (int)(sizeof c->slot / sizeof *c->slot));
    c->slot[c->n++] = s->slot;
  }
}

// The two places of an accumulator, as one list: number 2k is slot k's acc, 2k + 1 its where (NULL for most).
static LLVMValueRef *changed_place(Emit *e, const Changed *c, int k) {
  return k % 2 ? &e->where[c->slot[k / 2]] : &e->acc[c->slot[k / 2]];
}

static Changed changed_by(Emit *e, const Block *block) {
  Changed c = {0};
  find_changed(e, block, &c);
  for (int k = 0; k < 2 * c.n; k++) c.before[k] = *changed_place(e, &c, k);
  for (int k = 0; k < c.n; k++) c.empty[k] = e->empty[c.slot[k]];
  return c;
}

// A phi for each, which becomes the accumulator's value; `from` is the block that the value before comes from.
static void open_phis(Emit *e, Changed *c, LLVMBasicBlockRef from) {
  for (int k = 0; k < 2 * c->n; k++) {
    if (!c->before[k]) continue;
    c->phi[k] = LLVMBuildPhi(e->irb.b, LLVMTypeOf(c->before[k]), "");
    LLVMAddIncoming(c->phi[k], &c->before[k], &from, 1);
    *changed_place(e, c, k) = c->phi[k];
  }
}

static void add_to_phis(Emit *e, Changed *c, LLVMBasicBlockRef from) {
  for (int k = 0; k < 2 * c->n; k++)
    if (c->before[k]) LLVMAddIncoming(c->phi[k], changed_place(e, c, k), &from, 1);
}

// At a join of the way around (`skipped`, values as before) and the way through (`last`, values as now).
static void join(Emit *e, Changed *c, LLVMBasicBlockRef skipped, LLVMBasicBlockRef last) {
  for (int k = 0; k < 2 * c->n; k++) {
    if (!c->before[k]) continue;
    LLVMValueRef now = *changed_place(e, c, k), phi = LLVMBuildPhi(e->irb.b, LLVMTypeOf(now), "");
    LLVMAddIncoming(phi, &c->before[k], &skipped, 1);
    LLVMAddIncoming(phi, &now, &last, 1);
    *changed_place(e, c, k) = phi;
  }
  for (int k = 0; k < c->n; k++) e->empty[c->slot[k]] = c->empty[k];
}

// ---- loops --------------------------------------------------------------------------------------------------------

static LLVMValueRef less(const Emit *e, LLVMValueRef a, LLVMValueRef b) {
  return LLVMBuildICmp(e->irb.b, LLVMIntSLT, a, b, "");
}

static LLVMValueRef bound_of(Emit *e, const Loop *loop) {
  LLVMValueRef to = emit_expr(e, loop->to);
  if (!loop->limit) return to;
  LLVMValueRef limit = emit_expr(e, loop->limit);
  return irb_select(&e->irb, less(e, to, limit), to, limit);
}

// Is the distance known not to exceed a step?
static bool runs_once(const Loop *loop) {
  int64_t from, to;
  return expr_is_const(loop->from, &from) && expr_is_const(loop->to, &to) && to - from <= loop->step;
}

static bool runs_for_sure(const Loop *loop) {
  int64_t from, to;
  return !loop->limit && expr_is_const(loop->from, &from) && expr_is_const(loop->to, &to) && from < to;
}

static bool never_runs(const Loop *loop) {
  int64_t from, to;
  return expr_is_const(loop->from, &from) && expr_is_const(loop->to, &to) && from >= to;
}

// The beginning of the body, where code is hoisted to: ends in a branch, and what follows goes behind that.
static void begin_body(Emit *e, const Block *body) {
  LLVMBasicBlockRef rest = irb_block(&e->irb, "body");
  e->hoist[body->depth] = LLVMBuildBr(e->irb.b, rest);
  LLVMPositionBuilderAtEnd(e->irb.b, rest);
}

static void fill_body(Emit *e, const Loop *loop, const Block *body, LLVMValueRef variable) {
  e->vars[loop->var] = variable;
  if (loop->lanes > 1) e->lane_var = loop->var, e->lanes = loop->lanes, e->live = loop->live;
  begin_body(e, body);
  emit_block(e, body);
  if (loop->lanes > 1) e->lane_var = -1, e->lanes = e->live = 1;
}

static void emit_once(Emit *e, const Stmt *s) {
  LLVMValueRef from = emit_expr(e, s->loop.from);
  if (runs_for_sure(&s->loop)) {
    fill_body(e, &s->loop, s->body, from);
    return;
  }
  Changed changed = changed_by(e, s->body);
  LLVMValueRef runs = less(e, from, bound_of(e, &s->loop));
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->irb.b), begin = irb_block(&e->irb, "once"),
                    done = irb_block(&e->irb, "done");
  LLVMBuildCondBr(e->irb.b, runs, begin, done);
  LLVMPositionBuilderAtEnd(e->irb.b, begin);
  fill_body(e, &s->loop, s->body, from);
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->irb.b);
  LLVMBuildBr(e->irb.b, done);
  LLVMPositionBuilderAtEnd(e->irb.b, done);
  join(e, &changed, before, last);
}

// The 16 turns of a turned loop, one after the other; nothing in them may be taken from the turn before.
static void emit_turns(Emit *e, const Stmt *s, LLVMValueRef from) {
  LLVMValueRef hoist = e->hoist[s->body->depth];
  e->hoist[s->body->depth] = NULL;
  e->turn_var = s->loop.var;
  for (e->turn = 0; e->turn < TURNS; e->turn++) {
    e->vars[s->loop.var] = LLVMBuildAdd(e->irb.b, from, irb_i64(&e->irb, e->turn), "");
    emit_block(e, s->body);
  }
  e->turn_var = -1;
  e->turn = 0;
  e->hoist[s->body->depth] = hoist;
}

static void emit_plain_loop(Emit *e, const Stmt *s);

// With all 16 turns there, or as any other loop.
static void emit_turned_loop(Emit *e, const Stmt *s) {
  LLVMValueRef from = emit_expr(e, s->loop.from), bound = bound_of(e, &s->loop);
  LLVMValueRef whole = less(e, LLVMBuildAdd(e->irb.b, from, irb_i64(&e->irb, TURNS - 1), ""), bound);
  LLVMBasicBlockRef turned = irb_block(&e->irb, "turned"), rest = irb_block(&e->irb, "rest"),
                    done = irb_block(&e->irb, "done");
  LLVMBuildCondBr(e->irb.b, whole, turned, rest);
  LLVMPositionBuilderAtEnd(e->irb.b, turned);
  emit_turns(e, s, from);
  LLVMBuildBr(e->irb.b, done);
  LLVMPositionBuilderAtEnd(e->irb.b, rest);
  emit_plain_loop(e, s);
  LLVMBuildBr(e->irb.b, done);
  LLVMPositionBuilderAtEnd(e->irb.b, done);
}

static void emit_loop(Emit *e, const Stmt *s) {
  if (s->loop.turned && e->lanes == TURNS && e->live == TURNS)
    emit_turned_loop(e, s);
  else
    emit_plain_loop(e, s);
}

static void emit_plain_loop(Emit *e, const Stmt *s) {
  const Loop *loop = &s->loop;
  if (never_runs(loop)) return;
  if (runs_once(loop)) {
    emit_once(e, s);
    return;
  }
  Changed changed = changed_by(e, s->body);
  LLVMValueRef from = emit_expr(e, loop->from), bound = bound_of(e, loop);
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->irb.b), begin = irb_block(&e->irb, "loop"),
                    done = irb_block(&e->irb, "done");
  if (runs_for_sure(loop))
    LLVMBuildBr(e->irb.b, begin);
  else
    LLVMBuildCondBr(e->irb.b, less(e, from, bound), begin, done);
  LLVMPositionBuilderAtEnd(e->irb.b, begin);
  LLVMValueRef variable = LLVMBuildPhi(e->irb.b, e->irb.i64, e->nest->pool.vars[loop->var].name);
  LLVMAddIncoming(variable, &from, &before, 1);
  open_phis(e, &changed, before);
  fill_body(e, loop, s->body, variable);
  LLVMValueRef next = LLVMBuildNSWAdd(e->irb.b, variable, irb_i64(&e->irb, loop->step), "");
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->irb.b);
  LLVMAddIncoming(variable, &next, &last, 1);
  add_to_phis(e, &changed, last);
  LLVMBuildCondBr(e->irb.b, less(e, next, bound), begin, done);
  LLVMPositionBuilderAtEnd(e->irb.b, done);
  if (!runs_for_sure(loop)) join(e, &changed, before, last);
}

static void emit_if(Emit *e, const Stmt *s) {
  Changed changed = changed_by(e, s->body);
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->irb.b), inside = irb_block(&e->irb, "inside"),
                    after = irb_block(&e->irb, "after");
  LLVMBuildCondBr(e->irb.b, e->values[s->value], inside, after);
  LLVMPositionBuilderAtEnd(e->irb.b, inside);
  emit_block(e, s->body);
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->irb.b);
  LLVMBuildBr(e->irb.b, after);
  LLVMPositionBuilderAtEnd(e->irb.b, after);
  join(e, &changed, before, last);
}

static void emit_block(Emit *e, const Block *block) {
  for (size_t k = 0; k < block->n; k++) {
    const Stmt *s = &block->stmts[k];
    switch (s->kind) {
      case STMT_LET:
        emit_let(e, s->value);
        break;
      case STMT_LOOP:
        emit_loop(e, s);
        break;
      case STMT_IF:
        emit_if(e, s);
        break;
      case STMT_START:
        emit_start(e, s);
        break;
      case STMT_UPDATE:
        emit_update(e, s);
        break;
      case STMT_STORE:
        emit_store(e, s);
        break;
    }
  }
}

// ---- functions ----------------------------------------------------------------------------------------------------

static int depth_of(const Block *block) {
  int most = block->depth + 1;
  for (size_t k = 0; k < block->n; k++) {
    const Stmt *s = &block->stmts[k];
    int depth = s->kind == STMT_LOOP || s->kind == STMT_IF ? depth_of(s->body) : 0;
    if (depth > most) most = depth;
  }
  return most;
}

static Emit emit_new(Arena *arena, const Nest *nest, Irb irb, LLVMValueRef function) {
  Emit e = {.irb = irb, .nest = nest, .arena = arena, .function = function, .rt = LLVMGetParam(function, 1)};
  e.max_depth = depth_of(nest->entry);
  e.lane_var = e.turn_var = -1;
  e.lanes = e.live = 1;
  e.turned = arena_array(arena, nest->n_values, sizeof *e.turned);
  e.base = arena_array(arena, (size_t)nest->n_args, sizeof *e.base);
  e.vars = arena_array(arena, nest->pool.n_vars, sizeof *e.vars);
  e.values = arena_array(arena, nest->n_values, sizeof *e.values);
  e.acc = arena_array(arena, nest->n_accs, sizeof *e.acc);
  e.where = arena_array(arena, nest->n_accs, sizeof *e.where);
  e.empty = arena_array(arena, nest->n_accs, sizeof *e.empty);
  e.symbols = arena_array(arena, IR_MAX_SYMBOLS, sizeof *e.symbols);
  e.hoist = arena_array(arena, (size_t)e.max_depth, sizeof *e.hoist);
  e.memo = arena_array(arena, nest->pool.n * (size_t)e.max_depth, sizeof *e.memo);
  return e;
}

LLVMValueRef emit_argument(LLVMBuilderRef builder, LLVMValueRef function, int slot) {
  LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
  LLVMTypeRef ptr = LLVMPointerTypeInContext(context, 0);
  LLVMValueRef at = LLVMConstInt(LLVMInt64TypeInContext(context), (unsigned long long)slot, false);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(builder, ptr, LLVMGetParam(function, 0), &at, 1, "");
  return LLVMBuildLoad2(builder, ptr, address, "");
}

static void load_symbols(Emit *e) {
  for (int k = 0; k < e->nest->graph->n_symbols; k++) {
    LLVMValueRef at = irb_i64(&e->irb, k);
    LLVMValueRef address = LLVMBuildInBoundsGEP2(e->irb.b, e->irb.i64, e->rt, &at, 1, "");
    e->symbols[k] = LLVMBuildLoad2(e->irb.b, e->irb.i64, address, e->nest->graph->symbols[k]);
  }
}

LLVMValueRef emit_nest(Arena *arena, LLVMModuleRef module, const char *name, const Nest *nest) {
  LLVMValueRef function = shim_kernel_function(module, name);
  Irb irb = irb_new(module);
  LLVMPositionBuilderAtEnd(irb.b, LLVMAppendBasicBlockInContext(irb.context, function, "entry"));
  Emit e = emit_new(arena, nest, irb, function);
  for (int k = 0; k < nest->n_args; k++) e.base[k] = emit_argument(irb.b, function, k);
  load_symbols(&e);
  e.vars[nest->begin] = LLVMGetParam(function, 2);
  e.vars[nest->end] = LLVMGetParam(function, 3);
  begin_body(&e, nest->entry);
  emit_block(&e, nest->entry);
  LLVMBuildRetVoid(irb.b);
  irb_free(&irb);
  return function;
}

void emit_given(Arena *arena, LLVMBuilderRef builder, LLVMModuleRef module, const Nest *nest, const EmitGiven *given) {
  Irb irb = irb_new(module);
  irb_free(&irb);
  irb.b = builder;
  Emit e = emit_new(arena, nest, irb, given->function);
  for (int k = 0; k < nest->n_args; k++) e.base[k] = given->base[k];
  for (size_t k = 0; k < nest->pool.n_vars; k++) e.vars[k] = given->vars[k];
  for (size_t k = 0; k < nest->n_values; k++)
    if (nest->values[k].kind == VALUE_GIVEN) e.values[k] = given->value;
  load_symbols(&e);
  e.lane_var = nest->lane_var, e.lanes = nest->lanes, e.live = nest->live;
  for (size_t k = 0; k < nest->n_accs; k++) e.acc[k] = given->acc[k];
  emit_block(&e, nest->entry);
  for (size_t k = 0; k < nest->n_accs; k++) given->acc[k] = e.acc[k];
}
