// See grad_write.h.
#include "grad_write.h"

#include <stdlib.h>

Writer writer_new(Builder *b, const IndexDef *from, const ReadSolution *s) {
  Writer w = {.b = b, .from = from, .s = s, .body = body_new(b->graph, b->graph->arena)};
  for (int v = 0; v < SOLVE_COUNT; v++) w.index_of[v] = -1;
  return w;
}

void write_index(Writer *w, int variable, Dim extent, const char *name, bool reduced) {
  int k = w->def.n_out + w->def.n_red;
  if (k == IR_MAX_INDICES) {
    w->why = "too many indices";
    return;
  }
  w->def.extent[k] = extent;
  w->def.name[k] = name;
  w->index_of[variable] = k;
  if (reduced)
    w->def.n_red++;
  else
    w->def.n_out++;
}

IndexExpr writer_expr(Writer *w, const Form *form, DivKind kind) {
  IndexExpr e;
  if (w->why) return index_const(0);
  if (form_to_expr(form, kind, w->index_of, &e) && expr_fits(w->def.extent, &e)) return e;
  w->why = "too many terms in one index expression";
  return index_const(0);
}

static bool is_rounded(const Writer *w, const IndexExpr *e) {
  return e->n_terms == 1 && w->s->rounded[SOLVE_INDEX + e->term[0].index];
}

// What an expression has become, and how it is divided. A rounded value stands alone in it: solve_read sees to that.
static Form translate(Writer *w, const IndexExpr *e, DivKind *kind) {
  Form form;
  if (!form_of_expr(e, &w->s->value[SOLVE_INDEX], &form) || !form_divide(&form, e->divisor)) w->why = TOO_LARGE;
  *kind = e->kind == DIV_FLOOR || is_rounded(w, e) ? DIV_FLOOR : DIV_EXACT;
  return form;
}

int write_read(Writer *w, NodeId operand, const Read *read) {
  Read moved = {.rank = read->rank};
  for (int d = 0; d < read->rank; d++) {
    DivKind kind;
    Form form = translate(w, &read->at[d], &kind);
    moved.at[d] = writer_expr(w, &form, kind);
  }
  return body_read(&w->body, operand, &moved);
}

// ---- index values ---------------------------------------------------------------------------------------------------

static int write_number(Writer *w, int64_t number) {
  if (number < INT32_MIN || number > INT32_MAX) w->why = TOO_LARGE;
  return emit_i32(&w->body.emit, w->why ? 0 : (double)number);
}

// Do values in this range fit i32? What depends on the batch is believed to.
static void check_range(Writer *w, const IndexExpr *e) {
  int64_t low, high;
  IndexExpr whole = *e;
  whole.kind = DIV_NONE;
  whole.divisor = 1;
  if (!w->why && index_range(&whole, w->def.extent, NULL, &low, &high) && (low < INT32_MIN || high > INT32_MAX))
    w->why = TOO_LARGE;
}

static int write_term(Writer *w, const IndexTerm *term, int sum) {
  Emitter *e = &w->body.emit;
  int value = body_index(&w->body, term->index);
  int64_t size = llabs(term->coef);
  if (size != 1) value = emit_2(e, OP_mul, value, write_number(w, size));
  if (sum == NO_VALUE) return term->coef < 0 ? emit_1(e, OP_neg, value) : value;
  return emit_2(e, term->coef < 0 ? OP_sub : OP_add, sum, value);
}

// What stands before the division.
static int write_numerator(Writer *w, const IndexExpr *e) {
  check_range(w, e);
  int sum = e->n_terms == 0 ? write_number(w, e->offset) : NO_VALUE;
  for (int positive = 1; positive >= 0; positive--)  // what is subtracted comes last
    for (int k = 0; k < e->n_terms; k++)
      if ((e->term[k].coef > 0) == positive) sum = write_term(w, &e->term[k], sum);
  if (e->n_terms == 0 || e->offset == 0) return sum;
  return emit_2(&w->body.emit, e->offset < 0 ? OP_sub : OP_add, sum, write_number(w, llabs(e->offset)));
}

static int write_quotient(Writer *w, const IndexExpr *e) {
  int value = write_numerator(w, e);
  return e->divisor == 1 ? value : emit_2(&w->body.emit, OP_floordiv, value, write_number(w, e->divisor));
}

int write_form(Writer *w, const Form *form) {
  IndexExpr e = writer_expr(w, form, DIV_FLOOR);
  return write_quotient(w, &e);
}

int write_value(Writer *w, int index) {
  int v = SOLVE_INDEX + index, value = write_form(w, &w->s->value[v]);
  int64_t modulus = w->s->modulus[v];
  return modulus ? emit_2(&w->body.emit, OP_mod, value, write_number(w, modulus)) : value;
}

int write_extent(Writer *w, Dim extent) {
  if (dim_is_const(extent)) return write_number(w, extent.scale);
  Scalar one = {.kind = SCALAR_CONST, .type = DT_I32, .number = 1};  // a kernel knows the batch by counting
  IndexDef count = {.combine = COMBINE_SUM, .n_red = 1, .extent = {extent}, .name = {"n"}, .n_body = 1, .body = &one};
  Read scalar = {0};
  return body_read(&w->body, build_index(w->b, &count, NULL, 0), &scalar);
}

// ---- bodies ---------------------------------------------------------------------------------------------------------

static int write_call(Writer *w, const Scalar *s, const int *copy) {
  int args[3];
  for (int a = 0; a < op_info(s->op)->arity; a++) args[a] = copy[s->arg[a]];
  return w->body.emit.op(&w->body.emit, s->op, args);
}

void write_body(Writer *w, const Node *node, int *copy) {
  for (int k = 0; k < node->index->n_body; k++) {
    const Scalar *s = &node->index->body[k];
    int from = s->arg[0];
    switch (s->kind) {
      case SCALAR_READ:
        copy[k] = write_read(w, node->in[from], &node->index->reads[from]);
        break;
      case SCALAR_INDEX:
        copy[k] = write_value(w, from);
        break;
      case SCALAR_CONST:
        copy[k] = w->body.emit.number(&w->body.emit, s->type, s->number);
        break;
      case SCALAR_OP:
        copy[k] = write_call(w, s, copy);
        break;
    }
  }
}

// ---- conditions -----------------------------------------------------------------------------------------------------

bool writer_always_inside(Writer *w, const Form *form, DivKind kind, Dim extent) {
  Read read = {.rank = 1, .at = {writer_expr(w, form, kind)}};
  Shape line = {.rank = 1, .dim = {extent}};
  return read_in_bounds(&w->def, &read, &line, 0);
}

int write_inside(Writer *w, const Form *form, DivKind kind, Dim extent) {
  if (writer_always_inside(w, form, kind, extent)) return NO_VALUE;
  Emitter *e = &w->body.emit;
  IndexExpr expr = writer_expr(w, form, kind);
  int64_t low = -1, high = INT64_MAX;
  bool known = index_range(&expr, w->def.extent, NULL, &low, &high);
  int value = write_quotient(w, &expr), inside = NO_VALUE;
  if (expr.kind == DIV_EXACT) {
    int rest = emit_2(e, OP_mod, write_numerator(w, &expr), write_number(w, expr.divisor));
    inside = emit_2(e, OP_eq, rest, write_number(w, 0));
  }
  if (!known || low < 0) inside = emit_both(e, inside, emit_2(e, OP_le, write_number(w, 0), value));
  if (!known || !dim_is_const(extent) || high >= extent.scale)
    inside = emit_both(e, inside, emit_2(e, OP_lt, value, write_extent(w, extent)));
  return inside;
}

int write_expr_inside(Writer *w, const IndexExpr *e, Dim extent) {
  DivKind kind;
  Form form = translate(w, e, &kind);
  return write_inside(w, &form, kind, extent);
}
