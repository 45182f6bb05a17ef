// Idioms: what exporters spell out, as the layer that it is.
//
// On entry: statements that count are marked, their uses counted. On exit: a matrix product and the bias added to it
// are a dense layer with its bias, and an activation that was written as arithmetic is called by its name. What an
// idiom is made of must be used by nothing else.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

// A term in prefix order: X the operand, the same at each place; * + - / of two terms (the first two in any order); a
// lower-case letter a function of a term; #number; a number.
static const struct Idiom {
  const char *term, *call;
} idioms[] = {
    {"**X+e/X#1.4142135;#1;#0.5;", "gelu"},
    {"*X*+e/X#1.4142135;#1;#0.5;", "gelu"},
    {"**X#0.5;+e/X#1.4142135;#1;", "gelu"},
    {"**X+e*X#0.70710678;#1;#0.5;", "gelu"},
    {"*X*+e*X#0.70710678;#1;#0.5;", "gelu"},
    {"**X#0.5;+e*X#0.70710678;#1;", "gelu"},
    {"*XsX", "silu"},
};

static const char *function_name(char letter) { return letter == 'e' ? "erf" : letter == 's' ? "sigmoid" : NULL; }

enum { MOST_MATCHED = 8 };
typedef struct Match {
  Var *subject;  // X
  int n_subject;
  Step *inside[MOST_MATCHED];
  int n_inside;
} Match;

static const char *match_term(const char *term, const char *operand, Var *const *refs, Match *match);

static bool is_ref(const char *operand) { return operand[0] == '$'; }

// An operand, "$1" or a number, against a number of the term. Returns the rest of the term, or NULL.
static const char *match_number(const char *term, const char *operand) {
  char *end, *rest;
  double want = strtod(term + 1, &rest);
  if (is_ref(operand)) return NULL;
  double got = strtod(operand, &end);
  return end != operand && fabs(got - want) <= 1e-6 * fabs(want) ? rest + 1 : NULL;
}

// The two operands of an expression of this operator, "$0 * 0.5", as texts of their own.
static bool split(const Step *step, char sign, char left[32], char right[32]) {
  const char *middle = strchr(step->text, ' ');
  if (step->kind != STEP_EXPR || !middle || middle[1] != sign || middle[2] != ' ') return false;
  if (middle - step->text > 31 || strlen(middle + 3) > 31 || strchr(middle + 3, ' ')) return false;
  memcpy(left, step->text, (size_t)(middle - step->text));
  left[middle - step->text] = '\0';
  memcpy(right, middle + 3, strlen(middle + 3) + 1);
  return true;
}

static const char *match_both(const char *term, const char *first, const char *second, const Step *step, Match *match) {
  const Match before = *match;
  const char *rest = match_term(term, first, step->refs, match);
  if (rest) rest = match_term(rest, second, step->refs, match);
  if (!rest) *match = before;
  return rest;
}

static const char *match_step(const char *term, Step *step, Match *match) {
  char left[32], right[32];
  const Match before = *match;
  if (match->n_inside == MOST_MATCHED) return NULL;
  match->inside[match->n_inside++] = step;
  const char *call = function_name(*term), *rest = NULL;
  if (call && step->kind == STEP_CALL && !strcmp(step->call, call) && !*step->text)
    rest = match_term(term + 1, "$0", step->refs, match);
  else if (!call && split(step, *term, left, right)) {
    rest = match_both(term + 1, left, right, step, match);
    if (!rest && (*term == '*' || *term == '+')) rest = match_both(term + 1, right, left, step, match);
  }
  if (!rest) *match = before;
  return rest;
}

static const char *match_term(const char *term, const char *operand, Var *const *refs, Match *match) {
  if (*term == '#') return match_number(term, operand);
  if (!is_ref(operand)) return NULL;
  Var *v = refs[operand[1] - '0'];
  if (*term == 'X') {
    if (match->subject && match->subject != v) return NULL;
    match->subject = v;
    match->n_subject++;
    return term + 1;
  }
  return v->step && v->uses == 1 && !v->output ? match_step(term, v->step, match) : NULL;
}

static void call_by_name(Step *step, const Match *match, const char *call) {
  for (int k = 0; k < match->n_inside; k++) match->inside[k]->live = false;
  match->subject->uses -= match->n_subject - 1;
  match->subject->user = step;
  step->live = true;
  step->kind = STEP_CALL;
  step->call = call;
  step->text = "";
  step->refs[0] = match->subject;
  step->n_refs = 1;
}

static void find_activation(Step *step) {
  for (size_t k = 0; k < sizeof idioms / sizeof *idioms && step->kind == STEP_EXPR; k++) {
    Match match = {0};
    const char *rest = match_step(idioms[k].term, step, &match);
    if (rest && !*rest) call_by_name(step, &match, idioms[k].call);
  }
}

// ---- dense layers ---------------------------------------------------------------------------------------------------

static const char without[] = ", bias = false";

// A dense layer without bias, whose result is used once, or NULL.
static Step *product_behind(const Var *v) {
  Step *step = v->step;
  bool dense = step && step->kind == STEP_CALL && v->uses == 1 && !v->output && !strcmp(step->call, "dense");
  size_t length = dense ? strlen(step->text) : 0;
  return length > sizeof without - 1 && !strcmp(step->text + length - (sizeof without - 1), without) ? step : NULL;
}

// The vector of so many parameters that nothing else uses, or NULL.
static const Known *vector_behind(const Var *v, int64_t units) {
  const Step *step = v->step;
  if (!step || step->kind != STEP_PARAM || step->n_params != 1 || v->uses != 1 || v->output) return NULL;
  const Known *k = step->tensors[0];
  return k->rank == 1 && k->count == units ? k : NULL;
}

static const Known *uniform_vector(Im *m, const char *number, int64_t units) {
  char *end;
  float value = strtof(number, &end);
  if (end == number || *end) return NULL;
  Known *k = known_new(m, ELEM_F32, 1, &units);
  float *elements = arena_array(m->arena, (size_t)units, sizeof *elements);
  for (int64_t n = 0; n < units; n++) elements[n] = value;
  k->f = elements;
  return k;
}

// What is added to the product, its operand k: parameters, or one number to all.
static const Known *bias_of(Im *m, const Step *sum, const char *other, int64_t units) {
  if (is_ref(other)) return vector_behind(sum->refs[other[1] - '0'], units);
  return units > 0 && units <= MOST_FOLDED ? uniform_vector(m, other, units) : NULL;
}

static void add_bias(Im *m, Step *product, Step *sum, const Known *bias) {
  Known **tensors = arena_array(m->arena, 2, sizeof *tensors);
  tensors[0] = product->tensors[0];
  tensors[1] = (Known *)bias;
  product->tensors = tensors;
  product->n_params = 2;
  product->text = arena_strndup(m->arena, product->text, strlen(product->text) - (sizeof without - 1));
  product->out[0] = sum->out[0];
  product->out[0]->step = product;
  sum->live = false;
}

static void find_bias(Im *m, Step *step) {
  char part[2][32];
  if (!split(step, '+', part[0], part[1])) return;
  for (int k = 0; k < 2; k++) {
    Step *product = is_ref(part[k]) ? product_behind(step->refs[part[k][1] - '0']) : NULL;
    const Known *bias = product ? bias_of(m, step, part[1 - k], strtoll(product->text, NULL, 10)) : NULL;
    if (!bias) continue;
    if (is_ref(part[1 - k])) step->refs[part[1 - k][1] - '0']->step->live = false;
    add_bias(m, product, step, bias);
    return;
  }
}

void idioms_find(Im *m) {
  for (size_t k = 0; k < m->n_steps; k++)
    if (m->steps[k]->live) find_bias(m, m->steps[k]);
  for (size_t k = 0; k < m->n_steps; k++)
    if (m->steps[k]->live) find_activation(m->steps[k]);
}
