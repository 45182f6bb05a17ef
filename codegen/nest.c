// Making loop nests: blocks, and values that find their own place.
#include "nest.h"

#include <string.h>

// ---- nests and blocks ---------------------------------------------------------------------------------------------

static Block *block_new(Nest *nest, Block *parent) {
  Block *block = arena_alloc(nest->arena, sizeof *block);
  block->parent = parent;
  block->depth = parent ? parent->depth + 1 : 0;
  return block;
}

static void append(Nest *nest, Block *block, Stmt stmt) {
  block->stmts = arena_grow(nest->arena, block->stmts, block->n, &block->capacity, sizeof *block->stmts);
  block->stmts[block->n++] = stmt;
}

static void note_var(Nest *nest, int var, Block *block) {
  while (nest->n_var_blocks <= (size_t)var) {
    nest->var_block = arena_grow(nest->arena, nest->var_block, nest->n_var_blocks, &nest->var_blocks_capacity,
                                 sizeof *nest->var_block);
    nest->n_var_blocks++;
  }
  nest->var_block[var] = block;
}

Nest *nest_new(Arena *arena, const Graph *graph, const NestArg *args, int n_args) {
  Nest *nest = arena_alloc(arena, sizeof *nest);
  *nest = (Nest){.arena = arena, .graph = graph, .pool = {.arena = arena}, .n_args = n_args};
  nest->args = arena_array(arena, (size_t)n_args, sizeof *args);
  if (n_args) memcpy(nest->args, args, (size_t)n_args * sizeof *args);
  nest->entry = nest->open = block_new(nest, NULL);
  nest->lane_var = -1;
  nest->lanes = nest->live = 1;
  nest->begin = expr_new_unbounded_var(&nest->pool, "begin");
  nest->end = expr_new_unbounded_var(&nest->pool, "end");
  note_var(nest, nest->begin, nest->entry);
  note_var(nest, nest->end, nest->entry);
  nest->items = (DlcCount){.scale = 1, .divisor = 1, .times = 1};
  return nest;
}

int nest_var(Nest *nest, const char *name, Size extent) {
  int var = expr_new_var(&nest->pool, name, extent);
  note_var(nest, var, NULL);
  return var;
}

int nest_unbounded_var(Nest *nest, const char *name) {
  int var = expr_new_unbounded_var(&nest->pool, name);
  note_var(nest, var, NULL);
  return var;
}

int nest_given_var(Nest *nest, const char *name, Size extent) {
  int var = nest_var(nest, name, extent);
  note_var(nest, var, nest->entry);
  return var;
}

static void open_block(Nest *nest, Stmt opener) {
  Block *body = block_new(nest, nest->open);
  opener.body = body;
  body->opener = opener;
  nest->open = body;
}

void nest_open_loop(Nest *nest, const Loop *loop) {
  open_block(nest, (Stmt){.kind = STMT_LOOP, .loop = *loop});
  note_var(nest, loop->var, nest->open);
  if (loop->lanes == 1) return;
  dlc_assert(nest->lane_var < 0);
  nest->lane_var = loop->var;
  nest->lanes = loop->lanes;
  nest->live = loop->live;
}

void nest_open_for(Nest *nest, int var, const Expr *from, const Expr *to, const Expr *limit) {
  nest_open_loop(nest, &(Loop){.var = var, .from = from, .to = to, .limit = limit, .step = 1, .lanes = 1, .live = 1});
}

static void know(Nest *nest, Fact fact) {
  nest->facts = arena_grow(nest->arena, nest->facts, nest->n_facts, &nest->facts_capacity, sizeof *nest->facts);
  nest->facts[nest->n_facts++] = fact;
}

void nest_open_if(Nest *nest, ValueId condition) {
  const Value *value = nest_value(nest, condition);
  dlc_assert(!value->vector);
  open_block(nest, (Stmt){.kind = STMT_IF, .value = condition});
  know(nest, (Fact){value->kind, value->at, value->limit, nest->open->depth});
}

void nest_know_inside(Nest *nest, const Expr *at, Size limit) {
  know(nest, (Fact){VALUE_INSIDE, at, limit, nest->open->depth});
}

void nest_close(Nest *nest) {
  Block *body = nest->open;
  nest->open = body->parent;
  append(nest, nest->open, body->opener);
  if (body->opener.kind == STMT_LOOP && body->opener.loop.lanes > 1) {
    nest->lane_var = -1;
    nest->lanes = nest->live = 1;
  }
  while (nest->n_facts > 0 && nest->facts[nest->n_facts - 1].depth >= body->depth) nest->n_facts--;
}

// ---- where a value belongs ----------------------------------------------------------------------------------------

static bool is_visible(const Nest *nest, const Block *block) {
  const Block *b = nest->open;
  while (b && b->depth > block->depth) b = b->parent;
  return b == block;
}

bool nest_is_visible(const Nest *nest, ValueId id) { return is_visible(nest, nest_value(nest, id)->block); }

static Block *deeper(Block *a, Block *b) { return !a || (b && b->depth > a->depth) ? b : a; }

// The block where the last of the expression's atoms is bound; NULL where one is not.
static Block *expr_block(const Nest *nest, const Expr *e) {
  Block *found = nest->entry;
  for (int k = 0; k < e->n; k++) {
    const Atom *atom = &e->term[k].atom;
    Block *block = nest->entry;
    if (atom->kind == ATOM_VAR)
      block = nest->var_block[atom->id];
    else if (atom->kind == ATOM_DATA)
      block = nest_value(nest, atom->id)->block;
    else if (atom->kind != ATOM_ONE)
      block = expr_block(nest, atom->of);
    if (!block || !is_visible(nest, block)) return NULL;
    found = deeper(found, block);
  }
  return found;
}

bool nest_expr_open(const Nest *nest, const Expr *e) { return expr_block(nest, e) != NULL; }

bool nest_expr_is_vector(const Nest *nest, const Expr *e) {
  for (int k = 0; k < e->n; k++) {
    const Atom *atom = &e->term[k].atom;
    if (atom->kind == ATOM_VAR && atom->id == nest->lane_var) return true;
    if (atom->kind == ATOM_DATA && nest_value(nest, atom->id)->vector) return true;
    if ((atom->kind == ATOM_DIV || atom->kind == ATOM_MOD) && nest_expr_is_vector(nest, atom->of)) return true;
  }
  return false;
}

static Block *innermost_if(const Nest *nest) {
  Block *b = nest->open;
  while (b && b->opener.kind != STMT_IF) b = b->parent;
  return b;
}

static void need(const Nest *nest, Value *v, ValueId operand) {
  if (operand == VALUE_NONE) return;
  v->block = deeper(v->block, nest_value(nest, operand)->block);
  v->vector |= nest_value(nest, operand)->vector;
}

// Is the element in memory whatever the run-time symbols (>= 1)?
static bool is_there(const Nest *nest, int slot, const Expr *at) {
  int64_t fixed, count = 1;
  if (!expr_is_const(at, &fixed)) return false;
  if (nest->args[slot].node == NODE_NONE) return true;
  const Shape *shape = &graph_node(nest->graph, nest->args[slot].node)->shape;
  for (int d = 0; d < shape->rank; d++) count *= shape->dim[d].scale;
  return fixed >= 0 && fixed < count;
}

static void find_place(const Nest *nest, Value *v) {
  v->block = nest->entry;
  v->vector = false;
  for (int k = 0; k < 3; k++) need(nest, v, v->arg[k]);
  need(nest, v, v->guard);
  if (v->at) {
    Block *at = expr_block(nest, v->at);
    dlc_assert(at);
    v->block = deeper(v->block, at);
    v->vector |= nest_expr_is_vector(nest, v->at);
  }
  // A load may not leave an IF, which can be what makes it safe.
  if (v->kind == VALUE_LOAD && !is_there(nest, v->slot, v->at)) v->block = deeper(v->block, innermost_if(nest));
}

static bool same_value(const Value *a, const Value *b) {
  return a->kind == b->kind && a->type == b->type && a->vector == b->vector && a->op == b->op &&
         !memcmp(a->arg, b->arg, sizeof a->arg) && !memcmp(&a->number, &b->number, sizeof a->number) &&
         a->at == b->at && a->slot == b->slot && a->guard == b->guard && size_equal(a->limit, b->limit) &&
         a->stream == b->stream;
}

static const Value VALUE_EMPTY = {.arg = {VALUE_NONE, VALUE_NONE, VALUE_NONE}, .guard = VALUE_NONE};

static ValueId put(Nest *nest, Block *block, const Value *value) {
  nest->values = arena_grow(nest->arena, nest->values, nest->n_values, &nest->values_capacity, sizeof *nest->values);
  ValueId id = (ValueId)nest->n_values++;
  nest->values[id] = *value;
  nest->values[id].block = block;
  append(nest, block, (Stmt){.kind = STMT_LET, .value = id});
  return id;
}

// The value, or its equal that is already there.
static ValueId find_or_put(Nest *nest, Value value) {
  find_place(nest, &value);
  for (size_t k = 0; k < nest->n_values; k++)
    if (same_value(&nest->values[k], &value) && is_visible(nest, nest->values[k].block)) return (ValueId)k;
  return put(nest, value.block, &value);
}

// ---- values -------------------------------------------------------------------------------------------------------

ValueId nest_const(Nest *nest, DType type, double number) {
  Value v = VALUE_EMPTY;
  v.kind = VALUE_CONST, v.type = type, v.number = number;
  return find_or_put(nest, v);
}

ValueId nest_index(Nest *nest, const Expr *at) {
  int64_t fixed;
  if (expr_is_const(at, &fixed)) return nest_const(nest, DT_I32, (double)(int32_t)fixed);
  Value v = VALUE_EMPTY;
  v.kind = VALUE_INDEX, v.type = DT_I32, v.at = at;
  return find_or_put(nest, v);
}

ValueId nest_load(Nest *nest, int slot, const Expr *at, ValueId guard) {
  Value v = VALUE_EMPTY;
  v.kind = VALUE_LOAD, v.type = nest->args[slot].type, v.at = at, v.slot = slot, v.guard = guard;
  return find_or_put(nest, v);
}

// Whole numbers and truth values are computed here where all are known; floats are left to the machine.
static bool folds(const Nest *nest, const ValueId *args, int n, double *numbers) {
  for (int k = 0; k < n; k++) {
    const Value *v = nest_value(nest, args[k]);
    if (v->kind != VALUE_CONST || v->type == DT_F32) return false;
    numbers[k] = v->number;
  }
  return true;
}

ValueId nest_op(Nest *nest, Op op, DType type, const ValueId *args, int n) {
  double numbers[3];
  if (type != DT_F32 && folds(nest, args, n, numbers)) {
    DType operands = nest_value(nest, args[n == 3 ? 1 : 0])->type;
    return nest_const(nest, type, eval_pointwise(op, operands, numbers));
  }
  Value v = VALUE_EMPTY;
  v.kind = VALUE_OP, v.type = type, v.op = op;
  for (int k = 0; k < n; k++) v.arg[k] = args[k];
  return find_or_put(nest, v);
}

ValueId nest_random(Nest *nest, uint64_t stream, const Expr *at) {
  Value v = VALUE_EMPTY;
  v.kind = VALUE_RANDOM, v.type = DT_F32, v.at = at, v.stream = stream;
  return find_or_put(nest, v);
}

ValueId nest_given(Nest *nest, DType type) {
  Value v = VALUE_EMPTY;
  v.kind = VALUE_GIVEN, v.type = type, v.vector = nest->lane_var >= 0;
  return put(nest, nest->open, &v);
}

static bool is_fact(const Nest *nest, ValueKind kind, const Expr *at, Size limit) {
  for (size_t k = 0; k < nest->n_facts; k++) {
    const Fact *f = &nest->facts[k];
    if (f->kind == kind && f->at == at && size_equal(f->limit, limit)) return true;
  }
  return false;
}

bool nest_is_false(const Nest *nest, ValueId condition) {
  return condition != VALUE_NONE && nest_value(nest, condition)->kind == VALUE_CONST &&
         nest_value(nest, condition)->number == 0;
}

ValueId nest_inside(Nest *nest, const Expr *at, Size limit) {
  if (is_fact(nest, VALUE_INSIDE, at, limit)) return VALUE_NONE;
  if (expr_never_negative(&nest->pool, at) && expr_below(&nest->pool, at, limit)) return VALUE_NONE;
  const Expr *beyond = expr_add(&nest->pool, at, expr_size(&nest->pool, size_times(limit, size_const(-1))));
  if (expr_below(&nest->pool, at, size_const(0)) || expr_never_negative(&nest->pool, beyond))
    return nest_const(nest, DT_BOOL, 0);
  Value v = VALUE_EMPTY;
  v.kind = VALUE_INSIDE, v.type = DT_BOOL, v.at = at, v.limit = limit;
  return find_or_put(nest, v);
}

ValueId nest_divides(Nest *nest, const Expr *at, int64_t by) {
  if (expr_divides(at, by) || is_fact(nest, VALUE_DIVIDES, at, size_const(by))) return VALUE_NONE;
  if (expr_never_divides(at, by)) return nest_const(nest, DT_BOOL, 0);
  Value v = VALUE_EMPTY;
  v.kind = VALUE_DIVIDES, v.type = DT_BOOL, v.at = at, v.limit = size_const(by);
  return find_or_put(nest, v);
}

ValueId nest_and(Nest *nest, ValueId a, ValueId b) {
  if (a == VALUE_NONE || a == b) return b;
  if (b == VALUE_NONE || nest_is_false(nest, a)) return a;
  if (nest_is_false(nest, b)) return b;
  return nest_op(nest, OP_and, DT_BOOL, (ValueId[]){a, b}, 2);
}

ValueId nest_or_zero(Nest *nest, ValueId condition, ValueId value) {
  if (condition == VALUE_NONE) return value;
  DType type = nest_value(nest, value)->type;
  if (nest_is_false(nest, condition)) return nest_const(nest, type, 0);
  // A load that is itself guarded by the condition is 0 elsewhere already.
  if (nest_value(nest, value)->kind == VALUE_LOAD && nest_value(nest, value)->guard == condition) return value;
  if (type == DT_BOOL) return nest_and(nest, condition, value);
  return nest_op(nest, OP_select, type, (ValueId[]){condition, value, nest_const(nest, type, 0)}, 3);
}

// ---- accumulators and stores --------------------------------------------------------------------------------------

int nest_given_acc(Nest *nest, Acc acc) {
  nest->accs = arena_grow(nest->arena, nest->accs, nest->n_accs, &nest->accs_capacity, sizeof *nest->accs);
  nest->accs[nest->n_accs] = acc;
  return (int)nest->n_accs++;
}

int nest_start(Nest *nest, Acc acc) {
  int slot = nest_given_acc(nest, acc);
  append(nest, nest->open, (Stmt){.kind = STMT_START, .slot = slot});
  return slot;
}

void nest_update(Nest *nest, const Stmt *update) {
  if (nest_is_false(nest, update->guard)) return;
  Stmt stmt = *update;
  stmt.kind = STMT_UPDATE;
  append(nest, nest->open, stmt);
}

ValueId nest_result(Nest *nest, int acc) {
  const Acc *a = &nest->accs[acc];
  bool position = a->combine == COMBINE_ARGMAX || a->combine == COMBINE_ARGMIN;
  Value v = VALUE_EMPTY;
  v.kind = VALUE_RESULT, v.type = position ? DT_I32 : a->type, v.slot = acc;
  v.vector = a->lanes > 1 && !a->reduced;
  return put(nest, nest->open, &v);
}

void nest_store(Nest *nest, int slot, const Expr *at, ValueId value, ValueId guard, bool adds) {
  Stmt stmt = {.kind = STMT_STORE, .value = value, .guard = guard, .slot = slot, .at = at, .adds = adds};
  append(nest, nest->open, stmt);
}
