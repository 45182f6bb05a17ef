// Loop nests as text. A value that is used once, by a later statement of its own block, is printed where it is used.
#include "nest.h"

#include <string.h>

typedef struct Print {
  const Nest *nest;
  const char *const *symbols;
  int *uses;        // [n_values]
  Block **used_in;  // [n_values] the block of the last use
  bool *bound;      // [n_values] printed as a line of its own
  Text *out;
} Print;

// ---- where values are used ----------------------------------------------------------------------------------------

static void use(Print *p, ValueId id, Block *block) {
  if (id == VALUE_NONE) return;
  p->uses[id]++;
  p->used_in[id] = block;
}

static void use_expr(Print *p, const Expr *e) {
  for (int k = 0; k < e->n; k++) {
    const Atom *atom = &e->term[k].atom;
    if (atom->kind == ATOM_DATA) p->uses[atom->id] += 2;  // needs its name
    if (atom->kind == ATOM_DIV || atom->kind == ATOM_MOD) use_expr(p, atom->of);
  }
}

static void use_operands(Print *p, const Value *v) {
  for (int k = 0; k < 3; k++) use(p, v->arg[k], v->block);
  use(p, v->guard, v->block);
  if (v->at) use_expr(p, v->at);
}

static void count_uses(Print *p, Block *block) {
  for (size_t k = 0; k < block->n; k++) {
    const Stmt *s = &block->stmts[k];
    if (s->kind == STMT_LET) use_operands(p, nest_value(p->nest, s->value));
    if (s->kind == STMT_LOOP || s->kind == STMT_IF) count_uses(p, s->body);
    if (s->kind == STMT_IF) use(p, s->value, block);
    if (s->kind != STMT_UPDATE && s->kind != STMT_STORE) continue;
    use(p, s->value, block);
    use(p, s->guard, block);
    if (s->kind == STMT_UPDATE) use(p, s->factor, block);
    if (s->at) use_expr(p, s->at);
  }
}

// ---- expressions --------------------------------------------------------------------------------------------------

static void print_expr(const Print *p, const Expr *e) { expr_print(&p->nest->pool, e, p->symbols, p->out); }

static void print_value(const Print *p, ValueId id);

static void print_number(const Print *p, const Value *v) {
  if (v->type == DT_F32)
    text_add_float(p->out, (float)v->number);
  else if (v->type == DT_BOOL)
    text_add(p->out, v->number != 0 ? "true" : "false");
  else
    text_printf(p->out, "%.0f", v->number);
}

static void print_load(const Print *p, const Value *v) {
  text_printf(p->out, "a%d[", v->slot);
  print_expr(p, v->at);
  text_add(p->out, "]");
  if (v->guard == VALUE_NONE) return;
  text_add(p->out, " where ");
  print_value(p, v->guard);
}

static void print_op(const Print *p, const Value *v) {
  text_printf(p->out, "%s(", op_info(v->op)->name);
  for (int k = 0; k < 3 && v->arg[k] != VALUE_NONE; k++) {
    if (k) text_add(p->out, ", ");
    print_value(p, v->arg[k]);
  }
  text_add(p->out, ")");
}

static void print_computation(const Print *p, const Value *v) {
  switch (v->kind) {
    case VALUE_CONST:
      return print_number(p, v);
    case VALUE_LOAD:
      return print_load(p, v);
    case VALUE_OP:
      return print_op(p, v);
    case VALUE_RESULT:
      return text_printf(p->out, "s%d%s", v->slot, p->nest->accs[v->slot].reduced ? " joined" : "");
    case VALUE_GIVEN:
      return text_add(p->out, "given");
    case VALUE_INDEX:
      text_add(p->out, "i32(");
      break;
    case VALUE_INSIDE:
      text_add(p->out, "(0 <= ");
      break;
    case VALUE_DIVIDES:
      text_add(p->out, "((");
      break;
    case VALUE_RANDOM:
      text_printf(p->out, "random(stream %llu, ", (unsigned long long)v->stream);
      break;
  }
  print_expr(p, v->at);
  if (v->kind == VALUE_INSIDE) text_add(p->out, " < ");
  if (v->kind == VALUE_DIVIDES) text_add(p->out, ") % ");
  if (v->kind == VALUE_INSIDE || v->kind == VALUE_DIVIDES) size_print(v->limit, p->symbols, p->out);
  text_add(p->out, v->kind == VALUE_DIVIDES ? " == 0)" : ")");
}

static void print_value(const Print *p, ValueId id) {
  if (p->bound[id])
    text_printf(p->out, "v%d", id);
  else
    print_computation(p, nest_value(p->nest, id));
}

// ---- statements ---------------------------------------------------------------------------------------------------

static void print_block(const Print *p, Block *block, int indent);

static void print_loop(const Print *p, const Stmt *s, int indent) {
  const Loop *loop = &s->loop;
  text_printf(p->out, "%s %s in ", loop->lanes > 1 ? "vector" : "for", p->nest->pool.vars[loop->var].name);
  print_expr(p, loop->from);
  text_add(p->out, loop->limit ? " .. min(" : " .. ");
  print_expr(p, loop->to);
  if (loop->limit) {
    text_add(p->out, ", ");
    print_expr(p, loop->limit);
    text_add(p->out, ")");
  }
  if (loop->step != 1) text_printf(p->out, " by %lld", (long long)loop->step);
  if (loop->turned) text_add(p->out, " turned");
  if (loop->live < loop->lanes) text_printf(p->out, " (%d of %d lanes)", loop->live, loop->lanes);
  text_add(p->out, "\n");
  print_block(p, s->body, indent + 2);
}

static void print_start(const Print *p, const Stmt *s) {
  const Acc *acc = &p->nest->accs[s->slot];
  text_printf(p->out, "s%d = %s of %s", s->slot, combine_name(acc->combine), dtype_name(acc->type));
  if (acc->lanes > 1) text_printf(p->out, " x %d%s", acc->lanes, acc->reduced ? " along the reduction" : "");
  text_add(p->out, "\n");
}

static void print_where(const Print *p, ValueId guard) {
  if (guard != VALUE_NONE) {
    text_add(p->out, " where ");
    print_value(p, guard);
  }
  text_add(p->out, "\n");
}

static void print_update(const Print *p, const Stmt *s) {
  const Acc *acc = &p->nest->accs[s->slot];
  text_printf(p->out, "s%d", s->slot);
  if (s->lane) {
    text_add(p->out, "{");
    print_expr(p, s->at);
    text_printf(p->out, " %% %d}", acc->lanes);
  }
  text_printf(p->out, " %s= ", acc->combine == COMBINE_SUM ? "+" : combine_name(acc->combine));
  print_value(p, s->value);
  if (s->factor != VALUE_NONE) {
    text_add(p->out, " * ");
    print_value(p, s->factor);
  }
  if (s->at && !s->lane) {
    text_add(p->out, " at ");
    print_expr(p, s->at);
  }
  print_where(p, s->guard);
}

static void print_store(const Print *p, const Stmt *s) {
  text_printf(p->out, "a%d[", s->slot);
  print_expr(p, s->at);
  text_add(p->out, s->adds ? "] += " : "] = ");
  print_value(p, s->value);
  print_where(p, s->guard);
}

static void print_stmt(const Print *p, const Stmt *s, int indent) {
  if (s->kind == STMT_LET && !p->bound[s->value]) return;
  text_printf(p->out, "%*s", indent, "");
  switch (s->kind) {
    case STMT_LET:
      text_printf(p->out, "v%d = ", s->value);
      print_computation(p, nest_value(p->nest, s->value));
      return text_add(p->out, "\n");
    case STMT_LOOP:
      return print_loop(p, s, indent);
    case STMT_IF:
      text_add(p->out, "if ");
      print_value(p, s->value);
      text_add(p->out, "\n");
      return print_block(p, s->body, indent + 2);
    case STMT_START:
      return print_start(p, s);
    case STMT_UPDATE:
      return print_update(p, s);
    case STMT_STORE:
      return print_store(p, s);
  }
}

static void print_block(const Print *p, Block *block, int indent) {
  for (size_t k = 0; k < block->n; k++) print_stmt(p, &block->stmts[k], indent);
}

void nest_print(const Nest *nest, int indent, Text *out) {
  Arena *arena = out->arena;
  Print p = {.nest = nest, .symbols = nest->graph->symbols, .out = out};
  p.uses = arena_array(arena, nest->n_values, sizeof *p.uses);
  p.used_in = arena_array(arena, nest->n_values, sizeof *p.used_in);
  p.bound = arena_array(arena, nest->n_values, sizeof *p.bound);
  count_uses(&p, nest->entry);
  for (size_t k = 0; k < nest->n_values; k++) {
    const Value *v = &nest->values[k];
    p.bound[k] = v->kind != VALUE_CONST && (p.uses[k] != 1 || p.used_in[k] != v->block);
  }
  print_block(&p, nest->entry, indent);
}
