// See grad_body.h.
#include "grad_body.h"

#include "traits.h"

static int args_of(const Scalar *s) { return s->kind == SCALAR_OP ? op_info(s->op)->arity : 0; }

// active[k]: instruction k depends on the reads in a way that has a gradient.
static bool *find_active(Arena *arena, const IndexDef *def, int operand) {
  bool *active = arena_array(arena, (size_t)def->n_body, sizeof *active);
  for (int k = 0; k < def->n_body; k++) {
    const Scalar *s = &def->body[k];
    if (s->type != DT_F32) continue;
    active[k] = s->kind == SCALAR_READ && s->arg[0] == operand;
    if (s->kind != SCALAR_OP || !grad_pointwise_passes(s->op)) continue;
    for (int a = 0; a < args_of(s); a++) active[k] |= active[s->arg[a]];
  }
  return active;
}

static void add_to(Emitter *e, int *sum, int term) {
  if (term != NO_VALUE) *sum = *sum == NO_VALUE ? term : emit_2(e, OP_add, *sum, term);
}

int grad_body(Body *body, const IndexDef *def, const int *copy, int operand, int seed) {
  Arena *arena = body->graph->arena;
  Emitter *e = &body->emit;
  bool *active = find_active(arena, def, operand);
  int *adjoint = arena_array(arena, (size_t)def->n_body, sizeof *adjoint), total = NO_VALUE;
  for (int k = 0; k < def->n_body; k++) adjoint[k] = NO_VALUE;
  if (active[def->n_body - 1]) adjoint[def->n_body - 1] = seed;
  for (int k = def->n_body - 1; k >= 0; k--) {
    const Scalar *s = &def->body[k];
    if (adjoint[k] == NO_VALUE) continue;
    if (s->kind == SCALAR_READ) add_to(e, &total, adjoint[k]);
    int in[3], d[3];
    GradSite site = {.in = in, .out = copy[k], .grad = adjoint[k]};
    for (int a = 0; a < args_of(s); a++) {
      in[a] = copy[s->arg[a]];
      site.want[a] = active[s->arg[a]];
    }
    if (s->kind == SCALAR_OP) grad_pointwise(e, s->op, &site, d);
    for (int a = 0; a < args_of(s); a++) add_to(e, &adjoint[s->arg[a]], d[a]);
  }
  return total;
}

bool grad_body_passes(Arena *arena, const IndexDef *def, int operand, Op *blocker) {
  bool *active = find_active(arena, def, operand), found = false;
  for (int k = 0; k < def->n_body; k++)
    for (int a = 0; a < args_of(&def->body[k]) && !active[k]; a++) {
      if (found || !active[def->body[k].arg[a]]) continue;
      *blocker = def->body[k].op;
      found = true;
    }
  return active[def->n_body - 1];
}

// ---- values ---------------------------------------------------------------------------------------------------------

typedef struct Known {
  bool finite, zero;
} Known;

// Of an op whose f32 operands are all 0: is it 0 whatever its other operands say?
static bool zero_of_zeros(const Body *body, const Scalar *s) {
  bool any = false;
  for (int a = 0; a < args_of(s); a++) any |= body->code[s->arg[a]].type == DT_F32;
  for (double other = 0; other <= 1; other++) {
    double in[3] = {0};
    for (int a = 0; a < args_of(s); a++)
      if (body->code[s->arg[a]].type != DT_F32) in[a] = other;
    any = any && eval_pointwise(s->op, DT_F32, in) == 0;
  }
  return any;
}

static Known know_call(const Body *body, const Scalar *s, const Known *known) {
  bool finite = op_has(s->op, TRAIT_TOTAL), all_zero = true, some_zero = false;
  for (int a = 0; a < args_of(s); a++) {
    finite &= known[s->arg[a]].finite;
    all_zero &= known[s->arg[a]].zero || body->code[s->arg[a]].type != DT_F32;
    some_zero |= known[s->arg[a]].zero;
  }
  bool zero = s->op == OP_mul ? some_zero : all_zero && zero_of_zeros(body, s);
  return (Known){finite, finite && zero};
}

bool body_vanishes(const Body *body, int value, const bool *zero) {
  Known *known = arena_array(body->graph->arena, (size_t)value + 1, sizeof *known);
  for (int k = 0; k <= value; k++) {
    const Scalar *s = &body->code[k];
    known[k].finite = true;
    if (s->kind == SCALAR_READ) known[k].zero = zero[s->arg[0]];
    if (s->kind == SCALAR_CONST) known[k].zero = s->number == 0;
    if (s->kind == SCALAR_CONST) known[k].finite = s->number - s->number == 0;
    if (s->kind == SCALAR_OP) known[k] = know_call(body, s, known);
  }
  return known[value].zero;
}
