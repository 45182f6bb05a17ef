// What determines the code of a nest, as bytes: every field that emission reads, without names and without the graph's
// numbers. A field that is added to nest.h or expr.h belongs here too; tests/unit/test_cache.c compares the code of
// nests with equal keys.
#include <string.h>

#include "nest.h"

static void put(Text *out, int64_t number) { text_add_n(out, (const char *)&number, sizeof number); }

// Small numbers, one after the other: fewer bytes.
static void put_small(Text *out, int number) {
  int32_t narrow = number;
  text_add_n(out, (const char *)&narrow, sizeof narrow);
}

static void put_size(Text *out, Size size) {
  put(out, size.scale);
  text_add_n(out, (const char *)size.power, sizeof size.power);
}

static void put_expr(Text *out, const Expr *e) {
  if (!e) return put_small(out, -1);
  put_small(out, e->n);
  for (int k = 0; k < e->n; k++) {
    const Atom *atom = &e->term[k].atom;
    put_size(out, e->term[k].coef);
    put_small(out, (int)atom->kind);
    if (atom->kind == ATOM_VAR || atom->kind == ATOM_DATA) put_small(out, atom->id);
    if (atom->kind != ATOM_DIV && atom->kind != ATOM_MOD) continue;
    put_expr(out, atom->of);
    put_size(out, atom->by);
  }
}

static void put_value(Text *out, const Value *v) {
  int small[] = {(int)v->kind, (int)v->type, v->vector, (int)v->op, v->arg[0], v->arg[1], v->arg[2], v->slot, v->guard};
  text_add_n(out, (const char *)small, sizeof small);
  text_add_n(out, (const char *)&v->number, sizeof v->number);
  put_expr(out, v->at);
  put_size(out, v->limit);
  put(out, (int64_t)v->stream);
}

static void put_loop(Text *out, const Loop *loop) {
  int small[] = {loop->var, loop->lanes, loop->live, loop->turned};
  text_add_n(out, (const char *)small, sizeof small);
  put_expr(out, loop->from);
  put_expr(out, loop->to);
  put_expr(out, loop->limit);
  put(out, loop->step);
}

static void put_block(Text *out, const Block *block);

static void put_stmt(Text *out, const Stmt *s) {
  int small[] = {(int)s->kind, s->value, s->factor, s->guard, s->slot, s->lane, s->adds};
  text_add_n(out, (const char *)small, sizeof small);
  put_expr(out, s->at);
  if (s->kind == STMT_LOOP) put_loop(out, &s->loop);
  if (s->body) put_block(out, s->body);
}

static void put_block(Text *out, const Block *block) {
  put_small(out, (int)block->n);
  for (size_t k = 0; k < block->n; k++) put_stmt(out, &block->stmts[k]);
}

static void put_variables(Text *out, const ExprPool *pool) {
  put_small(out, (int)pool->n_vars);
  for (size_t k = 0; k < pool->n_vars; k++) {
    put_size(out, pool->vars[k].extent);
    put_small(out, pool->vars[k].unbounded);
  }
}

static void put_accumulators(Text *out, const Nest *nest) {
  put_small(out, (int)nest->n_accs);
  for (size_t k = 0; k < nest->n_accs; k++) {
    const Acc *acc = &nest->accs[k];
    int small[] = {(int)acc->combine, (int)acc->type, acc->lanes, acc->reduced};
    text_add_n(out, (const char *)small, sizeof small);
  }
}

void nest_key(const Nest *nest, Text *out) {
  int small[] = {nest->n_args, nest->graph->n_symbols, nest->begin, nest->end, nest->lane_var, nest->lanes, nest->live};
  text_add_n(out, (const char *)small, sizeof small);
  for (int k = 0; k < nest->n_args; k++) put_small(out, (int)nest->args[k].type);
  put_variables(out, &nest->pool);
  put_accumulators(out, nest);
  put_small(out, (int)nest->n_values);
  for (size_t k = 0; k < nest->n_values; k++) put_value(out, &nest->values[k]);
  put_block(out, nest->entry);
}
