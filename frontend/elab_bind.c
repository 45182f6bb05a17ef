// Arguments meet a signature: which argument is which parameter, defaults, and types with their free dimensions.
//
// True on entry: the callee's frame is the current one, so that its names are looked up where it was written. Mistakes
// stand at the call.
#include "elab_inside.h"

#include <string.h>

static const char *callee(const Call *call) { return call->decl->name->text; }

// ---- which argument is which parameter -----------------------------------------------------------------------------

static int count_params(const Decl *decl) {
  int n = 0;
  for (const Param *p = decl->params; p; p = p->next) n++;
  return n;
}

static int find_param(const Decl *decl, const char *name) {
  int k = 0;
  for (const Param *p = decl->params; p; p = p->next, k++)
    if (!strcmp(p->name->text, name)) return k;
  return -1;
}

// Parameters that are sizes and options, not tensors.
static const char **option_names(Elab *e, const Decl *decl, size_t *count) {
  const char **names = arena_array(e->arena, (size_t)count_params(decl), sizeof *names);
  *count = 0;
  for (const Param *p = decl->params; p; p = p->next)
    if (!p->type) names[(*count)++] = p->name->text;
  return names;
}

const char *bind_option_list(Elab *e, const Decl *decl) {
  size_t n;
  const char **names = option_names(e, decl, &n);
  if (!n) return "it has none";
  Text out = text_new(e->arena);
  text_add(&out, "its options are ");
  for (size_t k = 0; k < n; k++) text_printf(&out, "%s%s", k ? ", " : "", names[k]);
  return out.bytes;
}

static void report_unknown_option(Elab *e, const Call *call, const CallArg *arg) {
  size_t n;
  const char **names = option_names(e, call->decl, &n);
  const char *nearest = text_nearest(arg->name, names, n);
  if (nearest)
    elab_error(e, DIAG_E0102, call->span, "%s has no option '%s'; did you mean '%s'?", callee(call), arg->name,
               nearest);
  else
    elab_error(e, DIAG_E0102, call->span, "%s has no option '%s'; %s", callee(call), arg->name,
               bind_option_list(e, call->decl));
}

static bool fill_named(Elab *e, const Call *call, const CallArg *arg, const CallArg **slots) {
  int k = find_param(call->decl, arg->name);
  if (k < 0) {
    report_unknown_option(e, call, arg);
    return false;
  }
  if (slots[k]) {
    elab_error(e, DIAG_E0103, call->span, "%s: '%s' is given twice", callee(call), arg->name);
    return false;
  }
  slots[k] = arg;
  return true;
}

// How many arguments may be given without a name: all parameters but a model's hyperparameters.
static int count_positional(const Decl *decl) {
  int n = 0;
  for (const Param *p = decl->params; p; p = p->next) n += !p->hyper;
  return n;
}

static bool fill_slots(Elab *e, const Call *call, const CallArg **slots) {
  int most = count_positional(call->decl), n = 0;
  for (int k = 0; k < call->n_args; k++) n += !call->args[k].name;
  if (n > most) {
    elab_error(e, DIAG_E0103, call->span, "%s takes %d argument%s, but %d are given", callee(call), most,
               most == 1 ? "" : "s", n);
    return false;
  }
  int at = 0;
  bool ok = true;
  for (int k = 0; k < call->n_args; k++)
    if (!call->args[k].name) slots[at++] = &call->args[k];
  for (int k = 0; k < call->n_args; k++)
    if (call->args[k].name) ok &= fill_named(e, call, &call->args[k], slots);
  return ok;
}

// A hyperparameter's value from outside (train m(k = 3), --set k=3), or NULL.
static const NamedValue *outside_value(const Elab *e, const Decl *decl, const Param *p) {
  if (!p->hyper || decl != e->model) return NULL;
  for (int k = 0; k < e->n_hyper; k++)
    if (!strcmp(e->hyper[k].name, p->name->text)) return &e->hyper[k];
  return NULL;
}

static bool nothing_missing(Elab *e, const Call *call, const CallArg *const *slots) {
  Text out = text_new(e->arena);
  int n = 0, k = 0;
  for (const Param *p = call->decl->params; p; p = p->next, k++) {
    if (slots[k] || p->fallback || outside_value(e, call->decl, p)) continue;
    text_printf(&out, "%s'%s'", n ? " and " : "", p->name->text);
    n++;
  }
  if (!n) return true;
  Diag *diag =
      elab_error(e, DIAG_E0104, call->span, "%s: %s %s missing", callee(call), out.bytes, n == 1 ? "is" : "are");
  const Param *first = call->decl->params;
  bool lacks_tensor = first->type && (!slots[0] || slots[0]->value.kind == VALUE_INT);
  if (lacks_tensor && call->n_args)
    diag_line(e->sink, diag, DIAG_HELP, "%s takes its tensor first: x |> %s", callee(call), call->text);
  return false;
}

// ---- types ---------------------------------------------------------------------------------------------------------

static bool is_free(Elab *e, Scope *scope, const TypeDim *d) {
  if (d->kind != TYPE_DIM_EXPR || d->value->kind != EXPR_PATH || d->value->path->next) return false;
  const char *name = d->value->path->text;
  if (scope_find(scope, name)) return false;
  const Global *global = elab_global(e, name);
  return !global || global->decl->kind != DECL_CONST;
}

static int count_dims(const Type *type, bool *rest) {
  int n = 0;
  *rest = false;
  for (const TypeDim *d = type->dims; d; d = d->next) {
    if (d->kind == TYPE_DIM_REST)
      *rest = true;
    else
      n++;
  }
  return n;
}

// One dimension against the type's: binds a free name, compares anything else.
static bool bind_dim(Elab *e, Scope *scope, const TypeDim *d, Dim dim, bool *mistake) {
  if (is_free(e, scope, d)) {
    scope_define(scope, d->value->path->text, d->span, value_dim(dim));
    return true;
  }
  Dim want;
  if (!elab_dim(e, scope, d->value, &want)) {
    *mistake = true;
    return false;
  }
  return dim_equal(want, dim);
}

typedef struct Misfit {
  const TypeDim *dim;  // the first that does not fit; NULL: the rank
  bool reported;
} Misfit;

// What the first `...` of a signature stood for: no check, but what a field beside it must be.
static const char leading[] = "...";

static void bind_leading(Elab *e, Scope *scope, const Shape *shape, int n) {
  if (scope_find(scope, leading)) return;
  Value *items = arena_array(e->arena, (size_t)n, sizeof *items);
  for (int k = 0; k < n; k++) items[k] = value_dim(shape->dim[k]);
  scope_define(scope, leading, SPAN_NONE, (Value){.kind = VALUE_LIST, .items = items, .n = n});
}

static bool bind_dims(Elab *e, Scope *scope, const Type *type, const Shape *shape, Misfit *misfit) {
  bool rest;
  int n = count_dims(type, &rest), at = 0;
  *misfit = (Misfit){0};
  if (rest ? shape->rank < n : shape->rank != n) return false;
  for (const TypeDim *d = type->dims; d; d = d->next) {
    if (d->kind == TYPE_DIM_REST) {
      at = shape->rank - n;
      bind_leading(e, scope, shape, at);
    } else if (!bind_dim(e, scope, d, shape->dim[at++], &misfit->reported)) {
      misfit->dim = d;
      return false;
    }
  }
  return true;
}

static void report_misfit(Elab *e, Scope *scope, const Type *type, Value v, Span span, const char *what,
                          const Misfit *misfit) {
  Diag *diag = elab_error(e, DIAG_E0200, span, "%s must be %s, but it is %s", what, elab_source_text(e, type->span),
                          elab_type_text(e, elab_dtype(e, v), elab_shape(e, v)));
  elab_history_line(e, diag, v);
  const Expr *dim = misfit->dim ? misfit->dim->value : NULL;
  if (!dim || dim->kind != EXPR_PATH) return;
  Text value = text_new(e->arena);
  value_print(e, scope_find(scope, dim->path->text) ? scope_find(scope, dim->path->text)->value : value_poison(),
              &value);
  diag_line(e->sink, diag, DIAG_NOTE, "%s = %s", dim->path->text, value.bytes);
}

static void report_wrong_kind(Elab *e, const Type *type, Value v, Span span, const char *what) {
  elab_error(e, DIAG_E0105, span, "%s must be %s, but it is %s", what, elab_source_text(e, type->span),
             value_describe(e, v));
}

static void report_wrong_element(Elab *e, DType want, const Type *type, Value v, Span span, const char *what) {
  DType is = elab_dtype(e, v);
  Diag *diag = elab_error(e, DIAG_E0116, span, "%s must be %s, but it is %s", what, elab_source_text(e, type->span),
                          elab_type_text(e, is, elab_shape(e, v)));
  elab_history_line(e, diag, v);
  if (want == DT_F32) diag_line(e->sink, diag, DIAG_HELP, "f32(...) converts");
  if (want == DT_I32 && is == DT_BOOL) diag_line(e->sink, diag, DIAG_HELP, "i32(...) converts");
}

static Value bind_tensor(Elab *e, Scope *scope, const Type *type, DType want, Value v, Span span, const char *what) {
  if (elab_dtype(e, v) != want) {
    report_wrong_element(e, want, type, v, span, what);
    return value_poison();
  }
  Misfit misfit;
  if (bind_dims(e, scope, type, elab_shape(e, v), &misfit)) return v;
  if (!misfit.reported) report_misfit(e, scope, type, v, span, what, &misfit);
  return value_poison();
}

// The size that a field's dimension must have: an open first one is the batch.
static bool field_dim(Elab *e, Scope *scope, const TypeDim *d, Shape *shape) {
  if (shape->rank == IR_MAX_RANK || (shape->rank && is_free(e, scope, d))) return false;
  Dim *dim = &shape->dim[shape->rank++];
  if (!is_free(e, scope, d)) return elab_dim(e, scope, d->value, dim);
  *dim = elab_batch(e, d->value->path->text);
  scope_define(scope, d->value->path->text, d->span, value_dim(*dim));
  return true;
}

static bool field_leading(Scope *scope, Shape *shape) {
  const Binding *known = scope_find(scope, leading);
  for (int k = 0; known && k < known->value.n; k++) {
    Value size = known->value.items[k];
    shape->dim[shape->rank++] = size.kind == VALUE_DIM ? size.dim : dim_const(size.integer);
  }
  return known;
}

// A field takes the type that is asked of it, where that is known.
static Value bind_field(Elab *e, Scope *scope, const Type *type, DType want, Value v, Span span, const char *what) {
  if (v.field->node != NODE_NONE) return bind_tensor(e, scope, type, want, elab_field_tensor(e, v.field), span, what);
  Shape shape = {0};
  for (const TypeDim *d = type->dims; d; d = d->next) {
    if (d->kind == TYPE_DIM_REST ? field_leading(scope, &shape) : field_dim(e, scope, d, &shape)) continue;
    Diag *diag = elab_error(e, DIAG_E0231, span, "the type of the field '%s' does not follow from here", v.field->name);
    diag_line(e->sink, diag, DIAG_NOTE, "%s is %s", what, elab_source_text(e, type->span));
    return value_poison();
  }
  return elab_field_as(e, v.field, want, &shape, span);
}

// A compile-time number where a scalar may stand stays one.
static bool bind_number(DType want, Value *v) {
  if (want == DT_F32 && v->kind == VALUE_INT) *v = value_float((double)v->integer);
  if (want == DT_F32) return v->kind == VALUE_FLOAT;
  if (want == DT_I32) return v->kind == VALUE_INT;
  return v->kind == VALUE_BOOL;
}

Value bind_type(Elab *e, Scope *scope, const Type *type, Value v, Span span, const char *what) {
  DType want;
  if (value_is_poison(v) || !elab_element_type(type, &want)) return value_poison();
  if (v.kind == VALUE_TENSOR) return bind_tensor(e, scope, type, want, v, span, what);
  if (v.kind == VALUE_FIELD) return bind_field(e, scope, type, want, v, span, what);
  bool rest, scalar = count_dims(type, &rest) == 0;
  if (v.kind == VALUE_DIM && scalar && want != DT_BOOL) return elab_tensor(e, elab_dim_node(e, v.dim, want), NULL);
  if (scalar && bind_number(want, &v)) return v;
  report_wrong_kind(e, type, v, span, what);
  return value_poison();
}

// ---- the whole signature -------------------------------------------------------------------------------------------

static void bind_value(Elab *e, const Call *call, Scope *scope, const Param *p, Value v, Span span) {
  const char *name = p->name->text;
  if (p->type) v = bind_type(e, scope, p->type, v, span, arena_printf(e->arena, "%s: '%s'", callee(call), name));
  scope_define(scope, name, p->name->span, v);
}

void bind_hyper(Elab *e, Scope *scope, const Decl *model, const Param *p) {
  const NamedValue *outside = outside_value(e, model, p);
  Value v = outside ? outside->value : p->fallback ? elab_expr(e, scope, p->fallback) : value_poison();
  scope_define(scope, p->name->text, p->name->span, v);
}

// What an untyped parameter was given, before any type that may speak of it.
static void bind_given(Elab *e, const Call *call, Scope *scope, const CallArg *const *slots) {
  int k = 0;
  for (const Param *p = call->decl->params; p; p = p->next, k++) {
    if (slots[k] && !p->type) bind_value(e, call, scope, p, slots[k]->value, call->span);
    if (!slots[k] && p->hyper) bind_hyper(e, scope, call->decl, p);
  }
}

// Tensors say what fields beside them must be: they come first.
static void bind_tensors(Elab *e, const Call *call, Scope *scope, const CallArg *const *slots) {
  int k = 0;
  for (const Param *p = call->decl->params; p; p = p->next, k++)
    if (slots[k] && p->type && slots[k]->value.kind == VALUE_TENSOR)
      bind_value(e, call, scope, p, slots[k]->value, call->span);
}

static void bind_rest(Elab *e, const Call *call, Scope *scope, const CallArg *const *slots) {
  int k = 0;
  for (const Param *p = call->decl->params; p; p = p->next, k++) {
    if (slots[k] && p->type && slots[k]->value.kind != VALUE_TENSOR)
      bind_value(e, call, scope, p, slots[k]->value, call->span);
    // A dimension of an earlier type may have bound the name already: then that is its value.
    if (slots[k] || p->hyper || scope_find(scope, p->name->text)) continue;
    bind_value(e, call, scope, p, elab_expr(e, scope, p->fallback), p->span);
  }
}

static bool nothing_poisoned(const Scope *scope) {
  for (size_t k = 0; k < scope->n_bindings; k++)
    if (value_is_poison(scope->bindings[k]->value)) return false;
  return true;
}

void bind_check(Elab *e, const Call *call) {
  const CallArg **slots = arena_array(e->arena, (size_t)count_params(call->decl), sizeof *slots);
  if (fill_slots(e, call, slots)) (void)nothing_missing(e, call, slots);
}

bool bind_arguments(Elab *e, const Call *call, Scope *scope) {
  const CallArg **slots = arena_array(e->arena, (size_t)count_params(call->decl), sizeof *slots);
  if (!fill_slots(e, call, slots) || !nothing_missing(e, call, slots)) return false;
  bind_given(e, call, scope, slots);
  bind_tensors(e, call, scope, slots);
  if (!nothing_poisoned(scope)) return false;
  bind_rest(e, call, scope, slots);
  return nothing_poisoned(scope);
}
