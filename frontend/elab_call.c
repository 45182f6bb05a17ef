// Calls: what a head means, frames with their places in the call tree, layers made into values.
#include "elab_inside.h"

#include <string.h>

// ---- the call tree -------------------------------------------------------------------------------------------------

bool frame_take(Elab *e, const char *name, Span span) {
  Hash hash = hash_text(name);
  int before = hash_find(&e->frame->taken, hash);
  if (before >= 0) {
    Diag *diag = elab_error(e, DIAG_E0118, span, "the name '%s' is taken here already", name);
    uint32_t line, column;
    diag_position(diag_source(e->sink, span.file), (uint32_t)before, &line, &column);
    diag_line(e->sink, diag, DIAG_NOTE, "by line %u: the names of parameters and layers in one body differ", line);
    if ((uint32_t)before == span.begin)
      diag_line(e->sink, diag, DIAG_HELP, "in a loop leave 'as' out: calls are numbered by themselves");
    return false;
  }
  hash_add(e->arena, &e->frame->taken, hash, (int)span.begin);
  return true;
}

static const char *join_path(Elab *e, const char *name) {
  return *e->frame->path ? arena_printf(e->arena, "%s.%s", e->frame->path, name) : name;
}

const char *frame_child(Elab *e, const char *name, const Name *as) {
  if (as) return frame_take(e, as->text, as->span) ? join_path(e, as->text) : NULL;
  Hash hash = hash_text(name);
  int before = hash_find(&e->frame->calls, hash), count = before < 0 ? 1 : before + 1;
  hash_add(e->arena, &e->frame->calls, hash, count);
  const char *numbered = arena_printf(e->arena, "%s_%d", name, count);
  bool clash = hash_find(&e->frame->taken, hash_text(numbered)) >= 0;  // `as dense_1` stood before: number on
  return clash ? frame_child(e, name, NULL) : join_path(e, numbered);
}

// ---- frames --------------------------------------------------------------------------------------------------------

static bool may_call(Elab *e, const Call *call) {
  int depth = 0;
  for (const Frame *f = e->frame; f; f = f->caller, depth++) {
    if (f->decl != call->decl) continue;
    Diag *diag = elab_error(e, DIAG_E0108, call->span, "'%s' calls itself", call->decl->name->text);
    diag_line(e->sink, diag, DIAG_NOTE, "every call is inlined, so that a call of itself would never end");
    return false;
  }
  if (depth < ELAB_MAX_CALLS) return true;
  elab_error(e, DIAG_E0005, call->span, "nested too deeply: more than %d calls inside each other", ELAB_MAX_CALLS);
  return false;
}

static bool count_call(Elab *e, const Call *call) {
  if (++e->calls <= ELAB_MOST_CALLS) return true;
  if (e->calls == ELAB_MOST_CALLS + 1)
    elab_error(e, DIAG_E0117, elab_in_library(e, call->span) ? e->frame->call : call->span,
               "the program makes more than %d calls, those that the library makes included", ELAB_MOST_CALLS);
  e->steps = ELAB_MAX_STEPS + 1;  // nothing more is run
  return false;
}

static Value first_tensor(const Call *call) {
  for (int k = 0; k < call->n_args; k++)
    if (call->args[k].value.kind == VALUE_TENSOR) return call->args[k].value;
  return (Value){.kind = VALUE_NOTHING};
}

static Frame *push_frame(Elab *e, const Call *call) {
  Frame *frame = arena_alloc(e->arena, sizeof *frame), *caller = e->frame;
  bool by_user = !elab_in_library(e, call->span);
  *frame = (Frame){
      .decl = call->decl,
      .path = call->path,
      .caller = caller,
      .library = elab_in_library(e, call->decl->span),
      .call = by_user ? call->span : caller->call,
      .name = by_user ? call->decl->name->text : caller->name,
      .subject = by_user ? first_tensor(call) : caller->subject,
  };
  bool layer = call->decl->kind == DECL_FN;  // what a model does itself carries no layer's name
  if (by_user) e->builder.origin = (Origin){layer ? frame->name : NULL, frame->path, frame->call};
  e->frame = frame;
  return frame;
}

// ---- results -------------------------------------------------------------------------------------------------------

static Value check_results(Elab *e, const Call *call, Scope *scope, Value v) {
  const Type *types = call->decl->results;
  int n = 0, has = v.kind == VALUE_TUPLE ? v.n : 1;
  for (const Type *t = types; t; t = t->next) n++;
  if (!n || value_is_poison(v)) return v;
  if (n != has) {
    elab_error(e, DIAG_E0111, types->span, "'%s' promises %d value%s and gives %d", call->decl->name->text, n,
               n == 1 ? "" : "s", has);
    return value_poison();
  }
  Value *items = arena_array(e->arena, (size_t)n, sizeof *items);
  const char *what = arena_printf(e->arena, "the result of '%s'", call->decl->name->text);
  int k = 0;
  for (const Type *t = types; t; t = t->next, k++) {
    items[k] = bind_type(e, scope, t, v.kind == VALUE_TUPLE ? v.items[k] : v, t->span, what);
    if (value_is_poison(items[k])) return items[k];
  }
  return n == 1 ? items[0] : (Value){.kind = VALUE_TUPLE, .items = items, .n = n};
}

// A tensor that a user's call made: its shape came about by this call, unless it is the argument's.
static Value with_history(Elab *e, const Call *call, Value subject, Value v) {
  if (v.kind == VALUE_TUPLE) {
    Value *items = arena_array(e->arena, (size_t)v.n, sizeof *items);
    for (int k = 0; k < v.n; k++) items[k] = with_history(e, call, subject, v.items[k]);
    v.items = items;
  }
  if (v.kind != VALUE_TENSOR) return v;
  const History *before = subject.kind == VALUE_TENSOR ? subject.history : NULL;
  const Shape *shape = elab_shape(e, v);
  v.history = before;
  if (!before || !shape_equal(shape, &before->shape))
    v.history = elab_history(e, call->text, call->span, shape, before);
  return v;
}

static bool is_directly_in_model(const Frame *frame) {
  return frame->decl && frame->decl->kind == DECL_MODEL && !frame->caller->decl;
}

static int64_t parameters_from(const Elab *e, int first) {
  int64_t n = 0;
  for (int k = first; k < e->params.n_items; k++) n += e->params.items[k].count;
  return n;
}

static void add_layer_info(Elab *e, const Call *call, Value v, int first_param, int first_node) {
  if (v.kind == VALUE_TUPLE && v.n) v = v.items[0];
  if (v.kind != VALUE_TENSOR) return;
  const char *dot = strrchr(call->path, '.');
  uint32_t line, column;
  diag_position(diag_source(e->sink, call->span.file), call->span.begin, &line, &column);
  LayerInfo info = {
      .name = dot ? dot + 1 : call->path,
      .text = call->text,
      .shape = *elab_shape(e, v),
      .parameters = parameters_from(e, first_param),
      .line = line,
      .span = call->span,
      .first_node = first_node,
      .last_node = (int)e->builder.graph->n_nodes,
  };
  e->layers = arena_grow(e->arena, e->layers, e->n_layers, &e->layers_capacity, sizeof *e->layers);
  e->layers[e->n_layers++] = info;
}

static Value run_body(Elab *e, const Call *call) {
  Scope *scope = scope_new(e->arena, NULL);
  Value result = value_poison();
  if (!bind_arguments(e, call, scope) || !elab_block(e, scope, call->decl->body, &result)) return value_poison();
  if (result.kind == VALUE_NOTHING) return value_poison();  // globals_check has said so
  return check_results(e, call, scope, result);
}

Value call_run(Elab *e, const Call *call) {
  if (!count_call(e, call) || !may_call(e, call) || !elab_enter(e, call->span)) return value_poison();
  Frame *caller = e->frame;
  Origin origin = e->builder.origin;
  int first_param = e->params.n_items, first_node = (int)e->builder.graph->n_nodes;
  const Frame *frame = push_frame(e, call);
  Value v = run_body(e, call);
  if (call->decl == e->model) e->model_result = v, e->model_called = true;
  e->frame = caller;
  e->builder.origin = origin;
  e->depth--;
  if (elab_in_library(e, call->span)) return v;
  v = with_history(e, call, frame->subject, v);
  if (is_directly_in_model(caller)) add_layer_info(e, call, v, first_param, first_node);
  return v;
}

// ---- what a head means ---------------------------------------------------------------------------------------------

// The nearest function or layer of a name; other values do not hide it.
static const Value *local_callable(Scope *scope, const char *name) {
  for (; scope; scope = scope->outer) {
    Binding *b = scope_own(scope, name);
    if (!b || (b->value.kind != VALUE_FUNCTION && b->value.kind != VALUE_LAYER)) continue;
    b->used = true;
    return &b->value;
  }
  return NULL;
}

// A head that is no function: a value of that name, or nothing at all.
static void report_head(Elab *e, Scope *scope, const Name *name) {
  const Binding *b = scope_find(scope, name->text);
  if (!b) return elab_report_unknown_function(e->sink, e->globals, name);
  if (value_is_poison(b->value)) return;
  elab_error(e, DIAG_E0105, name->span, "'%s' is %s, no function or layer", name->text, value_describe(e, b->value));
}

static const Decl *global_callable(Elab *e, const char *name) {
  const Global *global = elab_global(e, name);
  bool callable = global && (global->decl->kind == DECL_FN || global->decl->kind == DECL_MODEL);
  return callable ? global->decl : NULL;
}

// ---- other systems' names
// --------------------------------------------------------------------------------------------

// Lower case, without '_'.
static const char *plain(Arena *arena, const char *name) {
  char *out = arena_strdup(arena, name), *to = out;
  for (const char *at = name; *at; at++)
    if (*at != '_') *to++ = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
  *to = '\0';
  return out;
}

// The library's function for a name that PyTorch, Keras or a textbook would use: BatchNorm2d, Linear, MaxPooling2D.
// NULL where there is none; `names`: what there is.
static const char *familiar_name(Arena *arena, const char *name, const char *const *names, size_t n) {
  static const char *const known[][2] = {
      {"linear", "dense"},
      {"fc", "dense"},
      {"fullyconnected", "dense"},
      {"conv", "conv2d"},
      {"convolution", "conv2d"},
      {"maxpool2d", "max_pool"},
      {"maxpooling2d", "max_pool"},
      {"avgpool2d", "avg_pool"},
      {"averagepooling2d", "avg_pool"},
      {"globalaveragepooling2d", "global_avg_pool"},
      {"batchnorm2d", "batch_norm"},
      {"batchnormalization", "batch_norm"},
      {"layernormalization", "layer_norm"},
      {"lrn", "local_response_norm"},
      {"crossentropyloss", "cross_entropy"},
      {"softmaxcrossentropy", "cross_entropy"},
      {"mseloss", "mse"},
      {"bceloss", "binary_cross_entropy"},
      {"swish", "silu"},
      {"view", "reshape"},
      {"permute", "transpose"},
      {"cat", "concat"},
      {"concatenate", "concat"},
      {"onehot", "one_hot"},
      {"conv2dtranspose", "conv2d_transpose"},
      {"convtranspose2d", "conv2d_transpose"},
      {"stopgradient", "detach"},
      {"clamp", "clip"},
  };
  const char *word = plain(arena, name);
  for (size_t k = 0; k < n; k++)
    if (!strcmp(word, plain(arena, names[k]))) return names[k];
  for (size_t k = 0; k < sizeof known / sizeof *known; k++)
    if (!strcmp(word, known[k][0])) return known[k][1];
  return NULL;
}

void elab_report_unknown_function(DiagSink *sink, Globals *globals, const Name *name) {
  const char **names =
      arena_array(sink->arena, globals->n_items + (globals->library ? globals->library->n_items : 0), sizeof *names);
  size_t n = 0;
  for (const Globals *g = globals; g; g = g->library)
    for (size_t k = 0; k < g->n_items; k++)
      if (g->items[k].decl->kind == DECL_FN || g->items[k].decl->kind == DECL_MODEL)
        names[n++] = g->items[k].decl->name->text;
  const char *nearest = familiar_name(sink->arena, name->text, names, n);
  if (!nearest) nearest = text_nearest(name->text, names, n);
  if (nearest)
    diag_error(sink, DIAG_E0101, name->span, "unknown function '%s'; did you mean '%s'?", name->text, nearest);
  else
    diag_error(sink, DIAG_E0101, name->span, "unknown function '%s'", name->text);
}

// ---- calls in the text ---------------------------------------------------------------------------------------------

typedef struct Given {  // evaluated arguments
  CallArg *args;
  int n;
  bool poisoned;
} Given;

static void give(Elab *e, Given *given, const char *name, Value v, Span span) {
  if (v.kind == VALUE_TUPLE || v.kind == VALUE_NOTHING) {
    elab_error(e, DIAG_E0111, span, "one value is needed here, but this is %s", value_describe(e, v));
    v = value_poison();
  }
  given->poisoned |= value_is_poison(v);
  given->args[given->n++] = (CallArg){name, v, span};
}

static Given evaluate_arguments(Elab *e, Scope *scope, const Expr *expr, const Value *piped, Span piped_span) {
  size_t n = 1;
  for (const Arg *a = expr->args; a; a = a->next) n++;
  Given given = {.args = arena_array(e->arena, n, sizeof *given.args)};
  if (piped) give(e, &given, NULL, *piped, piped_span);
  for (const Arg *a = expr->args; a; a = a->next)
    give(e, &given, a->name, elab_expr(e, scope, a->value), a->value->span);
  return given;
}

static Value call_decl(Elab *e, const Decl *decl, const Expr *expr, const Given *given) {
  bool at_top = !e->frame->decl && decl->kind == DECL_MODEL && !expr->as;
  const char *name = decl->name->text;
  const char *path = at_top ? name : frame_child(e, name, expr->as);
  Call call = {.decl = decl, .args = given->args, .n_args = given->n, .span = expr->span, .path = path};
  call.text = elab_source_text(e, expr->span);
  if (given->poisoned && !elab_in_library(e, expr->span)) bind_check(e, &call);
  return path && !given->poisoned ? call_run(e, &call) : value_poison();
}

static Value call_layer(Elab *e, const Layer *layer, const Expr *expr, const Given *given) {
  Call call = layer->call;
  call.span = expr->span;
  call.n_args = given->n + layer->call.n_args;
  call.args = arena_array(e->arena, (size_t)call.n_args, sizeof *call.args);
  if (given->n) memcpy(call.args, given->args, (size_t)given->n * sizeof *call.args);
  if (layer->call.n_args)
    memcpy(call.args + given->n, layer->call.args, (size_t)layer->call.n_args * sizeof *call.args);
  return given->poisoned ? value_poison() : call_run(e, &call);
}

static bool conversion(const char *name, DType *type) {
  if (!strcmp(name, "f32")) return *type = DT_F32, true;
  if (!strcmp(name, "i32")) return *type = DT_I32, true;
  return false;
}

static Value call_builtin(Elab *e, Scope *scope, const Expr *expr, const Given *given) {
  const char *name = expr->path->text;
  DType type;
  if (given->poisoned) return value_poison();
  if (conversion(name, &type)) {
    if (given->n == 1 && !given->args[0].name) return elab_convert(e, given->args[0].value, type, expr->span);
    elab_error(e, DIAG_E0103, expr->span, "%s takes 1 argument, but %d are given", name, given->n);
    return value_poison();
  }
  if (init_is_name(name)) return init_call(e, name, given->args, given->n, expr->span);
  report_head(e, scope, expr->path);
  return value_poison();
}

static Value call_dotted(Elab *e, const Expr *expr, const Given *given) {
  const char *whole = elab_source_text(e, span_join(expr->path->span, expr->path->next->span));
  if (elab_in_library(e, expr->span) && !strcmp(expr->path->text, "core"))
    return given->poisoned ? value_poison() : core_call(e, expr->path->next->text, given->args, given->n, expr->span);
  Diag *diag = elab_error(e, DIAG_E0101, expr->path->span, "unknown function '%s'", whole);
  if (global_callable(e, expr->path->next->text))
    diag_line(e->sink, diag, DIAG_HELP, "there are no methods and no modules: %s |> %s", expr->path->text,
              expr->path->next->text);
  return value_poison();
}

Value elab_call_expr(Elab *e, Scope *scope, const Expr *expr, const Value *piped, Span piped_span) {
  Given given = evaluate_arguments(e, scope, expr, piped, piped_span);
  if (expr->path->next) return call_dotted(e, expr, &given);
  const char *name = expr->path->text;
  const Value *local = local_callable(scope, name);
  if (local && local->kind == VALUE_LAYER) return call_layer(e, local->layer, expr, &given);
  const Decl *decl = local ? local->decl : global_callable(e, name);
  return decl ? call_decl(e, decl, expr, &given) : call_builtin(e, scope, expr, &given);
}

Value elab_layer_expr(Elab *e, Scope *scope, const Expr *expr) {
  const Expr *made = expr->a;
  Given given = evaluate_arguments(e, scope, made, NULL, SPAN_NONE);
  const char *name = made->path->text;
  const Value *local = local_callable(scope, name);
  const Decl *decl = local && local->kind == VALUE_FUNCTION ? local->decl : global_callable(e, name);
  if (!decl || made->path->next) {
    report_head(e, scope, made->path);
    return value_poison();
  }
  const char *path = frame_child(e, decl->name->text, made->as);
  if (!path || given.poisoned) return value_poison();
  Layer *layer = arena_alloc(e->arena, sizeof *layer);
  layer->call = (Call){.decl = decl, .args = given.args, .n_args = given.n, .path = path};
  layer->call.text = elab_source_text(e, made->span);
  return (Value){.kind = VALUE_LAYER, .layer = layer};
}
