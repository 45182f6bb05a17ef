// See grad_solve.h. Elimination, one dimension at a time: those with the fewest unknowns first, rounded divisions last,
// since those may bring in a remainder.
#include "grad_solve.h"

#include <stdlib.h>

typedef struct Solver {
  const Node *node;
  const IndexDef *def;  // the node's
  int operand;
  const SolveTarget *target;
  ReadSolution *s;
} Solver;

// ---- windows side by side -------------------------------------------------------------------------------------------

// Would this expression still be one if index k had a rounded value (may_round), or none that can be used in it?
static bool expr_allows(const IndexExpr *e, int k, bool may_round) {
  if (index_coef(e, k) == 0) return true;
  return may_round && e->n_terms == 1 && e->term[0].coef == 1 && e->kind != DIV_EXACT;
}

// The same for all that is read besides dimension d of the target.
static bool others_allow(const Solver *solver, int d, int k, bool may_round) {
  const Read *own = &solver->target->read;
  for (int q = 0; q < own->rank; q++)
    if (q != d && index_coef(&own->at[q], k)) return false;
  for (int r = 0; r < solver->node->n_in; r++)
    for (int q = 0; r != solver->operand && q < solver->def->reads[r].rank; q++)
      if (!expr_allows(&solver->def->reads[r].at[q], k, may_round)) return false;
  return true;
}

// Is dimension d read at size * block + inner + offset, with inner in 0..size?
static bool find_blocks(const Solver *solver, int d, int *block, int *inner, int64_t *size) {
  const IndexExpr *e = &solver->target->read.at[d];
  if (e->n_terms != 2 || e->kind != DIV_NONE || solver->def->combine == COMBINE_PROD) return false;
  *block = e->term[0].index;  // sorted: results' indices come first
  *inner = e->term[1].index;
  *size = e->term[0].coef;
  bool fits = *size > 1 && e->term[1].coef == 1 && dim_equal(solver->def->extent[*inner], dim_const(*size));
  bool kinds = *block < solver->def->n_out && *inner >= solver->def->n_out;
  return fits && kinds && others_allow(solver, d, *block, true) && others_allow(solver, d, *inner, false);
}

static bool solve_blocks(Solver *solver, int d) {
  int block, inner;
  int64_t size;
  if (!find_blocks(solver, d, &block, &inner, &size)) return true;
  Form within = form_variable(d), offset = form_number(solver->target->read.at[d].offset);
  if (!form_add(&within, -1, &offset)) return false;
  Form count = within;
  if (!form_divide(&count, size)) return false;
  ReadSolution *s = solver->s;
  s->value[SOLVE_INDEX + block] = count;
  s->value[SOLVE_INDEX + inner] = within;
  s->rounded[SOLVE_INDEX + block] = true;
  s->modulus[SOLVE_INDEX + inner] = size;
  s->solved[SOLVE_INDEX + block] = s->solved[SOLVE_INDEX + inner] = true;
  s->role[d] = DIM_SOLVED;
  return true;
}

// ---- elimination ----------------------------------------------------------------------------------------------------

static bool is_free(const ReadSolution *s, int variable) { return s->present[variable] && !s->solved[variable]; }

static int count_free(const ReadSolution *s, const Form *form) {
  int count = 0;
  for (int v = SOLVE_INDEX; v < SOLVE_COUNT; v++) count += form->coef[v] && is_free(s, v);
  return count;
}

// What stands before the division in dimension d, with the values found so far.
static bool numerator(const Solver *solver, int d, Form *form) {
  return form_of_expr(&solver->target->read.at[d], &solver->s->value[SOLVE_INDEX], form);
}

// numerator - D u = 0, or with a rounded division numerator - D u - m = 0.
static bool equation(Solver *solver, int d, Form *form) {
  const IndexExpr *e = &solver->target->read.at[d];
  Form u = form_variable(d), m = form_variable(SOLVE_REMAINDER + d);
  if (!numerator(solver, d, form)) return false;
  bool rounded = e->kind == DIV_FLOOR;
  if (rounded) solver->s->present[SOLVE_REMAINDER + d] = true;
  return form_add(form, -e->divisor, &u) && (!rounded || form_add(form, -1, &m));
}

// Is variable v better to solve for than `best`?
static bool better(const Solver *solver, const Form *form, int v, int best) {
  if (best < 0) return true;
  int outputs = SOLVE_INDEX + solver->def->n_out;
  bool out = v < outputs, best_out = best < outputs;
  if (out != best_out) return out;
  return llabs(form->coef[v]) < llabs(form->coef[best]);
}

static int choose(const Solver *solver, const Form *form) {
  int best = -1;
  for (int v = SOLVE_INDEX; v < SOLVE_COUNT; v++)
    if (form->coef[v] && is_free(solver->s, v) && better(solver, form, v, best)) best = v;
  return best;
}

static bool solve_dim(Solver *solver, int d) {
  ReadSolution *s = solver->s;
  Form form, value;
  if (!equation(solver, d, &form)) return false;
  int v = choose(solver, &form);
  if (!form_solve(&form, v, &value)) return false;
  for (int k = SOLVE_INDEX; k < SOLVE_COUNT; k++)
    if (!form_substitute(&s->value[k], v, &value)) return false;
  s->solved[v] = true;
  s->role[d] = DIM_SOLVED;
  return true;
}

static bool reads_all_of_one(const Solver *solver, int d) {
  const IndexExpr *e = &solver->target->read.at[d];
  return e->n_terms == 0 && e->offset == 0 && dim_equal(solver->target->shape.dim[d], dim_const(1));
}

// The open dimension to solve next; those in which nothing is free become guards. -1 where none is left, and on failure
// (*fits false).
static int next_dim(Solver *solver, bool *fits) {
  int best = -1, least = 0;
  for (int d = 0; d < solver->target->read.rank; d++) {
    Form form;
    if (solver->s->role[d] != DIM_OPEN) continue;
    if (!numerator(solver, d, &form)) return *fits = false, -1;
    int unknowns = count_free(solver->s, &form);
    if (unknowns == 0) {
      solver->s->role[d] = reads_all_of_one(solver, d) ? DIM_WHOLE : DIM_GUARD;
      continue;
    }
    if (solver->target->read.at[d].kind == DIV_FLOOR) unknowns += FORM_VARIABLES;
    if (best < 0 || unknowns < least) best = d, least = unknowns;
  }
  return best;
}

ReadSolution solution_empty(const IndexDef *def) {
  ReadSolution s = {0};
  for (int v = 0; v < SOLVE_COUNT; v++) s.value[v] = form_variable(v);
  for (int k = 0; k < def->n_out + def->n_red; k++) s.present[SOLVE_INDEX + k] = true;
  return s;
}

// ---- targets --------------------------------------------------------------------------------------------------------

// Is the dimension read at size * a + b, and is it all of that?
static bool find_halves(const IndexDef *def, const IndexExpr *e, Dim dim, int *a, int *b) {
  if (e->n_terms != 2 || e->kind != DIV_NONE || e->offset != 0) return false;
  int high = e->term[1].coef == 1 ? 0 : 1;
  int64_t size = e->term[high].coef, whole;
  *a = e->term[high].index;
  *b = e->term[1 - high].index;
  Dim extent = def->extent[*a];
  if (size < 2 || e->term[1 - high].coef != 1 || !dim_equal(def->extent[*b], dim_const(size))) return false;
  return !__builtin_mul_overflow(size, extent.scale, &whole) && dim_equal(dim, (Dim){whole, extent.symbol});
}

static void add_dim(SolveTarget *t, const IndexExpr *e, Dim dim) {
  t->read.at[t->read.rank++] = *e;
  t->shape.dim[t->shape.rank++] = dim;
}

SolveTarget solve_target(const Node *node, int operand, const Shape *shape) {
  const IndexDef *def = node->index;
  SolveTarget whole = {def->reads[operand], *shape}, apart = {0};
  Solver solver = {.node = node, .def = def, .operand = operand, .target = &whole};
  int spare = IR_MAX_RANK - shape->rank;  // dimensions that may be added
  for (int d = 0; d < shape->rank; d++) {
    int a, b, block, inner;
    int64_t size;
    const IndexExpr *e = &whole.read.at[d];
    if (spare == 0 || find_blocks(&solver, d, &block, &inner, &size) || !find_halves(def, e, shape->dim[d], &a, &b)) {
      add_dim(&apart, e, shape->dim[d]);
      continue;
    }
    IndexExpr high = index_of(a), low = index_of(b);
    add_dim(&apart, &high, def->extent[a]);
    add_dim(&apart, &low, def->extent[b]);
    spare--;
  }
  return apart;
}

// An index of one value need not be summed over: it is 0.
static bool solve_ones(ReadSolution *s, const IndexDef *def) {
  Form zero = form_number(0);
  for (int k = 0; k < def->n_out + def->n_red; k++) {
    int v = SOLVE_INDEX + k;
    if (s->solved[v] || !dim_equal(def->extent[k], dim_const(1))) continue;
    for (int other = SOLVE_INDEX; other < SOLVE_COUNT; other++)
      if (!form_substitute(&s->value[other], v, &zero)) return false;
    s->solved[v] = true;
  }
  return true;
}

bool solve_read(const Node *node, int operand, const SolveTarget *target, ReadSolution *s) {
  Solver solver = {node, node->index, operand, target, s};
  *s = solution_empty(node->index);
  bool fits = true;
  for (int d = 0; d < target->shape.rank; d++) fits = fits && solve_blocks(&solver, d);
  for (int d = fits ? next_dim(&solver, &fits) : -1; d >= 0; d = next_dim(&solver, &fits))
    if (!solve_dim(&solver, d)) return false;
  return fits && solve_ones(s, node->index);
}
