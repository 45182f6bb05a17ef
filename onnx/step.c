// Making the program's statements.
#include <string.h>

#include "inside.h"

Step *step_new(Im *m, StepKind kind, int n_out, int n_refs) {
  Step *step = arena_alloc(m->arena, sizeof *step);
  *step = (Step){.kind = kind, .n_out = n_out, .n_refs = n_refs};
  step->out = arena_array(m->arena, (size_t)n_out, sizeof *step->out);
  step->refs = arena_array(m->arena, (size_t)n_refs, sizeof *step->refs);
  for (int k = 0; k < n_out; k++) {
    step->out[k] = arena_alloc(m->arena, sizeof **step->out);
    *step->out[k] = (Var){.step = step};
  }
  m->steps = arena_grow(m->arena, m->steps, m->n_steps, &m->steps_capacity, sizeof *m->steps);
  m->steps[m->n_steps++] = step;
  return step;
}

static void declare(Im *m, Step *step, Known *tensor, bool state) {
  int n = step->n_params + step->n_states;
  Known **grown = arena_array(m->arena, (size_t)n + 1, sizeof *grown);
  if (n) memcpy(grown, step->tensors, (size_t)n * sizeof *grown);
  grown[n] = tensor;
  step->tensors = grown;
  if (state)
    step->n_states++;
  else
    step->n_params++;
}

void step_tensor(Im *m, Val *v, Known *tensor, bool state) { declare(m, v->var->step, tensor, state); }

// A known tensor in the program: what training may change is a parameter, everything else a state that nothing updates.
static Var *declare_known(Im *m, Val *v) {
  Known *k = known_permuted(m, v->known, v->axis);
  bool param = k->weight && k->type == ELEM_F32;
  Text shape = text_new(m->arena);
  for (int d = 0; d < k->rank; d++) text_printf(&shape, "%s%lld", d ? ", " : "[", (long long)k->dim[d]);
  if (k->rank) text_add(&shape, "]");
  Step *step = step_new(m, STEP_PARAM, 1, 0);
  step->text = shape.bytes;
  step->out[0]->name = name_clean(m, v->source, param ? "weight" : "table");
  declare(m, step, k, !param);
  if (k->type == ELEM_F32) return step->out[0];
  Step *convert = step_new(m, STEP_EXPR, 1, 1);
  convert->refs[0] = step->out[0];
  convert->text = k->type == ELEM_I32 ? "i32($0)" : "$0 != 0.0";
  return convert->out[0];
}

Var *use(Im *m, Val *v) {
  if (!v->var) v->var = declare_known(m, v);
  return v->var;
}

static Val *result_of(Im *m, Step *step, Elem type, int rank, const Size *dim) {
  Val *v = val_new(m, type, rank, dim);
  v->var = step->out[0];
  return v;
}

Val *make_call(Im *m, Val *x, const char *call, const char *args) {
  Var *subject = use(m, x);
  Step *step = step_new(m, STEP_CALL, 1, 1);
  step->refs[0] = subject;
  step->call = call;
  step->text = args ? args : "";
  Val *v = val_view(m, x);
  v->known = NULL;
  v->squeezed = NULL;
  v->var = step->out[0];
  return v;
}

static void refer(Im *m, Step *step, Val *const *in, int n) {
  for (int k = 0; k < n; k++) step->refs[k] = use(m, in[k]);
}

// The names come first: a parameter's statement stands before the one that uses it.
static void use_all(Im *m, Val *const *in, int n) {
  for (int k = 0; k < n; k++) use(m, in[k]);
}

Val *make_expr(Im *m, Elem type, int rank, const Size *dim, const char *text, Val *const *in, int n) {
  use_all(m, in, n);
  Step *step = step_new(m, STEP_EXPR, 1, n);
  refer(m, step, in, n);
  step->text = text;
  return result_of(m, step, type, rank, dim);
}

Val *make_formula(Im *m, Elem type, int rank, const Size *dim, const char *index, const char *text, Val *const *in,
                  int n) {
  Val *v = make_expr(m, type, rank, dim, text, in, n);
  v->var->step->kind = STEP_FORMULA;
  v->var->step->index = index;
  return v;
}

const char *index_name(int k) {
  static const char *const names[] = {"i", "j", "k", "l", "o", "p", "q", "r", "s", "t", "u", "v"};
  return names[k % 12];
}

const char *index_list(Im *m, int n) {
  Text text = text_new(m->arena);
  for (int k = 0; k < n; k++) text_printf(&text, "%s%s", k ? ", " : "", index_name(k));
  return text.bytes;
}

// ---- element by element
// -------------------------------------------------------------------------------------------------

// The broadcast shape of all, in `like`. False with m->why set where there is none.
static bool broadcast_shape(Im *m, Val *const *in, int n, Val *like) {
  for (int k = 0; k < n; k++)
    if (in[k]->rank > like->rank) like->rank = in[k]->rank;
  for (int d = 0; d < like->rank; d++) {
    like->dim[d] = size_of(1);
    like->axis[d] = d;
    for (int k = 0; k < n; k++) {
      int own = d - (like->rank - in[k]->rank);
      if (own < 0 || size_is_one(in[k]->dim[own])) continue;
      if (!size_is_one(like->dim[d]) && !size_equal(like->dim[d], in[k]->dim[own]))
        return refuse(m, "its operands' shapes do not broadcast");
      like->dim[d] = in[k]->dim[own];
    }
  }
  return true;
}

// The order of the first operand that has one of its own and all dimensions.
static void choose_order(Val *const *in, int n, Val *like) {
  for (int k = 0; k < n; k++) {
    if (in[k]->rank != like->rank || !in[k]->var || in[k]->known) continue;
    like->image |= in[k]->image;
    if (val_is_plain(in[k])) continue;
    memcpy(like->axis, in[k]->axis, sizeof like->axis);
    return;
  }
}

static bool all_ones(const Val *v) {
  for (int d = 0; d < v->rank; d++)
    if (!size_is_one(v->dim[d])) return false;
  return true;
}

// With ones in front, so that its dimensions are the result's.
static Val *with_rank(Im *m, Val *v, int rank) {
  Size dim[MAX_RANK];
  int more = rank - v->rank;
  if (!more) return v;
  v = val_plain(m, v);
  for (int d = 0; d < rank && d < MAX_RANK; d++) dim[d] = d < more ? size_of(1) : v->dim[d - more];
  return val_reshaped(m, v, rank, dim);
}

// A known tensor in the result's order, without the ones in front that broadcasting does not need.
static Val *trimmed(Im *m, Val *v) {
  int first = 0;
  while (first < v->rank && size_is_one(val_physical(v, first))) first++;
  Known *k = known_permuted(m, v->known, v->axis);
  return val_of_known(m, known_reshaped(m, k, k->rank - first, k->dim + first));
}

static Val *operand_in_order(Im *m, Val *v, const Val *like, bool alone) {
  bool plain = val_is_plain(like);
  if (all_ones(v) && !v->known) return v->rank > like->rank ? with_rank(m, v, like->rank) : v;
  if (v->rank < like->rank && (!plain || v->known)) v = with_rank(m, v, like->rank);
  if (v->rank == like->rank) v = val_ordered(m, v, like->axis);
  return v->known && !v->var && !alone ? trimmed(m, v) : v;
}

// Is the result's shape that of the other operands, without this one?
static bool adds_nothing(Im *m, Val *const *in, int n, int without, const Val *like) {
  Val rest = {0};
  Val *others[MAX_OPERANDS];
  int count = 0;
  for (int k = 0; k < n; k++)
    if (k != without && !(in[k]->known && !in[k]->var)) others[count++] = in[k];
  if (!count || !broadcast_shape(m, others, count, &rest) || rest.rank != like->rank) return false;
  for (int d = 0; d < rest.rank; d++)
    if (!size_equal(rest.dim[d], like->dim[d])) return false;
  return true;
}

static const char *literal(Im *m, const Known *k, double value) {
  if (k->type == ELEM_BOOL) return value != 0 ? "true" : "false";
  return k->type == ELEM_F32 ? float_text(m, value) : int_text(m, (int64_t)value);
}

// Puts what each operand is written as into the text: a name, or a number.
static const char *fill(Im *m, const char *text, const char *const *written) {
  Text out = text_new(m->arena);
  for (; *text; text++) {
    if (*text == '$')
      text_add(&out, written[*++text - '0']);
    else
      text_add_n(&out, text, 1);
  }
  return out.bytes;
}

Val *make_pointwise(Im *m, Elem type, const char *text, Val *const *in, int n) {
  Val like = {0};
  Val *ordered[MAX_OPERANDS] = {NULL}, *named[MAX_OPERANDS];
  const char *written[MAX_OPERANDS];
  int n_named = 0;
  if (n > MAX_OPERANDS) return refuse(m, "it has %d operands", n), NULL;
  for (int k = 0; k < n; k++) ordered[k] = in[k]->image_of && n > 1 ? val_plain(m, in[k]) : in[k];
  if (!broadcast_shape(m, ordered, n, &like)) return NULL;
  choose_order(ordered, n, &like);
  for (int k = 0; k < n; k++) {
    double value;
    bool alone = !adds_nothing(m, ordered, n, k, &like);
    if (!ordered[k]->var && !alone && known_uniform(ordered[k]->known, &value)) {
      written[k] = literal(m, ordered[k]->known, value);
      continue;
    }
    named[n_named] = operand_in_order(m, ordered[k], &like, alone);
    written[k] = text_of(m, "$%c", '0' + n_named++);
  }
  Val *v = make_expr(m, type, like.rank, like.dim, fill(m, text, written), named, n_named);
  memcpy(v->axis, like.axis, sizeof v->axis);
  v->image = like.image;
  if (n == 1) v->image_of = in[0]->image_of;
  return v;
}

Val *make_converted(Im *m, Val *v, Elem type) {
  static const char *const texts[] = {[ELEM_F32] = "f32($0)", [ELEM_I32] = "i32($0)", [ELEM_BOOL] = "$0 != 0"};
  if (v->type == type) return v;
  return make_pointwise(m, type, texts[type], &v, 1);
}
