// Statements: assignments, compile-time control flow, parameters and states, require.
#include "elab_inside.h"
#include "formula.h"

#include <string.h>

// ---- assignments ---------------------------------------------------------------------------------------------------

static bool is_model_body(const Frame *frame) {
  return frame->decl && frame->decl->kind == DECL_MODEL && !frame->caller->decl;
}

static void add_named(Elab *e, const Name *name, Value v) {
  if (v.kind != VALUE_TENSOR || !is_model_body(e->frame)) return;
  e->named = arena_grow(e->arena, e->named, e->n_named, &e->named_capacity, sizeof *e->named);
  e->named[e->n_named++] = (NamedValue){name->text, v, name->span};
}

static void assign(Elab *e, Scope *scope, const Name *name, Value v) {
  if (!strcmp(name->text, "_")) return;
  add_named(e, name, v);
  scope_assign(scope, name->text, name->span, v);
}

static void take_apart(Elab *e, Scope *scope, const Stmt *stmt, Value v) {
  int n = 0;
  for (const Name *name = stmt->names; name; name = name->next) n++;
  bool several = v.kind == VALUE_TUPLE || v.kind == VALUE_LIST;
  bool fits = several && v.n == n;
  if (!fits && !value_is_poison(v)) {
    const char *what = several ? arena_printf(e->arena, "%d values", v.n) : value_describe(e, v);
    elab_error(e, DIAG_E0111, stmt->span, "%d names on the left, but %s on the right", n, what);
  }
  int k = 0;
  for (const Name *name = stmt->names; name; name = name->next, k++)
    assign(e, scope, name, fits ? v.items[k] : value_poison());
}

static void run_assign(Elab *e, Scope *scope, const Stmt *stmt) {
  Value v = elab_expr(e, scope, stmt->value);
  if (stmt->names->next) return take_apart(e, scope, stmt, v);
  if (v.kind == VALUE_TUPLE) {
    elab_error(e, DIAG_E0111, stmt->span, "one name on the left, but %d values on the right", v.n);
    v = value_poison();
  }
  assign(e, scope, stmt->names, v);
}

static const Name *last_index(const Stmt *stmt) {
  const Name *last = stmt->indices;
  while (last->next) last = last->next;
  return last;
}

// What an index definition makes begins a history of its own.
static void run_formula(Elab *e, Scope *scope, const Stmt *stmt, Value *result) {
  const Name *name = stmt->names;
  *result = value_poison();
  if (formula_elaborate(e, scope, stmt)) *result = scope_find(scope, name->text)->value;
  if (result->kind == VALUE_TENSOR && !elab_fits(e, elab_shape(e, *result), stmt->span)) *result = value_poison();
  if (result->kind == VALUE_TENSOR && !result->history && !elab_in_library(e, stmt->span)) {
    const char *text = elab_source_text(e, span_join(name->span, last_index(stmt)->span));
    result->history = elab_history(e, arena_printf(e->arena, "%s]", text), name->span, elab_shape(e, *result), NULL);
  }
  scope_assign(scope, name->text, name->span, *result);
  add_named(e, name, *result);
}

static Value run_return(Elab *e, Scope *scope, const Stmt *stmt) {
  int n = 0;
  for (const Expr *v = stmt->value; v; v = v->next) n++;
  if (n == 1) return elab_expr(e, scope, stmt->value);
  Value *items = arena_array(e->arena, (size_t)n, sizeof *items);
  bool poisoned = false;
  int k = 0;
  for (const Expr *v = stmt->value; v; v = v->next) {
    items[k] = elab_expr(e, scope, v);
    poisoned |= value_is_poison(items[k++]);
  }
  return poisoned ? value_poison() : (Value){.kind = VALUE_TUPLE, .items = items, .n = n};
}

// ---- parameters and states -----------------------------------------------------------------------------------------

// A parameter's or state's shape: every size known and at least 1.
static bool declared_shape(Elab *e, Scope *scope, const Type *type, Shape *shape) {
  *shape = (Shape){0};
  DType element;
  if (!elab_element_type(type, &element)) return false;
  if (element != DT_F32) {
    elab_error(e, DIAG_E0301, type->span, "parameters and states are f32, not %s", type->element);
    return false;
  }
  for (const TypeDim *d = type->dims; d; d = d->next) {
    Dim dim;
    if (d->kind == TYPE_DIM_REST || shape->rank == IR_MAX_RANK) {
      elab_error(e, DIAG_E0301, d->span, "a parameter or state has up to %d sizes, each given", IR_MAX_RANK);
      return false;
    }
    if (!elab_dim(e, scope, d->value, &dim)) return false;
    if (!dim_is_const(dim) || dim.scale < 1) {
      elab_error(e, DIAG_E0301, d->span, "a size of a parameter or state must be known and positive, but this is %s",
                 value_describe(e, value_dim(dim)));
      return false;
    }
    shape->dim[shape->rank++] = dim;
  }
  return true;
}

static bool same_dims(const TensorInfo *info, const Shape *shape) {
  if (info->rank != shape->rank) return false;
  for (int k = 0; k < shape->rank; k++)
    if (info->dim[k] != shape->dim[k].scale) return false;
  return true;
}

static Shape info_shape(const TensorInfo *info) {
  Shape shape = {.rank = info->rank};
  for (int k = 0; k < info->rank; k++) shape.dim[k] = dim_const(info->dim[k]);
  return shape;
}

static NodeId report_too_large(Elab *e, const TensorInfo *info, const Shape *shape, Span span) {
  elab_error(e, DIAG_E0205, span, "'%s' with shape %s is too large", info->path, elab_shape_text(e, shape));
  return NODE_NONE;
}

// A shared layer's second use finds the tensor that its first use made. NODE_NONE after reporting.
static NodeId shared_tensor(Elab *e, const TensorInfo *made, NodeId node, const Shape *shape) {
  if (same_dims(made, shape)) return node;
  const Shape was = info_shape(made);
  Diag *diag =
      elab_error(e, DIAG_E0303, e->frame->call, "the shared '%s' is %s from its first use; here it would have to be %s",
                 made->path, elab_shape_text(e, &was), elab_shape_text(e, shape));
  elab_history_line(e, diag, e->frame->subject);
  return NODE_NONE;
}

static NodeId declare_param(Elab *e, const TensorInfo *info, const Shape *shape, Span span) {
  int found = tensor_find(&e->params, info->path);
  if (found >= 0) return shared_tensor(e, &e->params.items[found], e->param_nodes[found], shape);
  e->param_nodes =
      arena_grow(e->arena, e->param_nodes, (size_t)e->params.n_items, &e->param_capacity, sizeof *e->param_nodes);
  if (!tensor_add(e->arena, &e->params, info)) return report_too_large(e, info, shape, span);
  return e->param_nodes[e->params.n_items - 1] = build_param(&e->builder, info->path, shape);
}

static NodeId declare_state(Elab *e, const TensorInfo *info, const Shape *shape, Span span) {
  int found = tensor_find(&e->states, info->path);
  if (found >= 0) return shared_tensor(e, &e->states.items[found], e->state_nodes[found], shape);
  e->state_nodes =
      arena_grow(e->arena, e->state_nodes, (size_t)e->states.n_items, &e->state_capacity, sizeof *e->state_nodes);
  if (!tensor_add(e->arena, &e->states, info)) return report_too_large(e, info, shape, span);
  return e->state_nodes[e->states.n_items - 1] = build_state(&e->builder, info->path, shape);
}

static bool param_decays(Elab *e, Scope *scope, const Stmt *stmt) {
  bool decay = true;
  for (const Arg *option = stmt->options; option; option = option->next) {
    if (!strcmp(option->name, "decay"))
      elab_bool(e, scope, option->value, &decay);
    else
      elab_error(e, DIAG_E0102, option->name_span, "param has no option '%s'; its options are decay", option->name);
  }
  return decay;
}

static const char *tensor_path(Elab *e, const Name *name) {
  return *e->frame->path ? arena_printf(e->arena, "%s.%s", e->frame->path, name->text) : name->text;
}

static void run_declaration(Elab *e, Scope *scope, const Stmt *stmt) {
  const Name *name = stmt->names;
  bool is_param = stmt->kind == STMT_PARAM;
  TensorInfo info = {.path = tensor_path(e, name), .decay = is_param && param_decays(e, scope, stmt)};
  Shape shape;
  NodeId node = NODE_NONE;
  bool ok = declared_shape(e, scope, stmt->type, &shape) && frame_take(e, name->text, name->span);
  if (init_from_value(e, elab_expr(e, scope, stmt->value), stmt->value->span, &info.init) && ok) {
    info.rank = shape.rank;
    for (int k = 0; k < shape.rank; k++) info.dim[k] = shape.dim[k].scale;
    node = (is_param ? declare_param : declare_state)(e, &info, &shape, name->span);
  }
  scope_define(scope, name->text, name->span, node == NODE_NONE ? value_poison() : elab_tensor(e, node, NULL));
}

// Was the statement reported as a body's end without a value?
static bool is_reported(const Elab *e, const Stmt *stmt) {
  for (size_t k = 0; k < e->sink->n_items; k++) {
    const Diag *diag = e->sink->items[k];
    if (diag->code == DIAG_E0110 && diag->span.begin == stmt->span.begin && diag->span.file == stmt->span.file)
      return true;
  }
  return false;
}

static void run_update(Elab *e, Scope *scope, const Stmt *stmt) {
  const Name *name = stmt->names;
  const Binding *bound = scope_find(scope, name->text);
  Value v = elab_expr(e, scope, stmt->value);
  if (bound && value_is_poison(bound->value)) return;
  int place = tensor_find(&e->states, tensor_path(e, name));
  if (place < 0 || !bound) {
    if (is_reported(e, stmt)) return;
    Diag *diag = elab_error(e, DIAG_E0302, stmt->span, "'%s' is not a state declared here", name->text);
    diag_line(e->sink, diag, DIAG_HELP, "'<-' updates what `state %s: f32[...] = zeros` declares; '=' assigns a value",
              name->text);
    return;
  }
  if (value_is_poison(v)) return;
  const Shape shape = info_shape(&e->states.items[place]);
  NodeId node = elab_node(e, v, false, stmt->value->span);
  if (node == NODE_NONE) return;
  if (elab_dtype(e, elab_tensor(e, node, NULL)) != DT_F32) {
    elab_error(e, DIAG_E0116, stmt->value->span, "the state '%s' is f32, but this is %s", name->text,
               value_describe(e, v));
    return;
  }
  node = elab_broadcast(e, node, &shape, stmt->value->span);
  if (node == NODE_NONE || !e->training) return;
  e->state_nodes[place] = node;
  scope_assign(scope, name->text, name->span, elab_tensor(e, node, NULL));
}

// ---- control flow --------------------------------------------------------------------------------------------------

static bool stmt_assigns(const Stmt *stmt, const char *name) {
  if (stmt->kind == STMT_IF) return stmt->orelse && elab_assigns(stmt->body, name) && elab_assigns(stmt->orelse, name);
  if (stmt->kind != STMT_ASSIGN && stmt->kind != STMT_INDEX) return false;
  for (const Name *n = stmt->names; n; n = n->next)
    if (!strcmp(n->text, name)) return true;
  return false;
}

bool elab_assigns(const Stmt *body, const char *name) {
  for (const Stmt *s = body; s; s = s->next)
    if (stmt_assigns(s, name)) return true;
  return false;
}

// After a condition that could not be decided nothing is known of what the branches assign.
static void poison_assigned(Elab *e, Scope *scope, const Stmt *body) {
  for (const Stmt *s = body; s; s = s->next) {
    if (s->kind == STMT_ASSIGN || s->kind == STMT_INDEX)
      for (const Name *n = s->names; n; n = n->next) scope_assign(scope, n->text, n->span, value_poison());
    poison_assigned(e, scope, s->body);
    poison_assigned(e, scope, s->orelse);
  }
}

bool elab_if(Elab *e, Scope *scope, const Expr *condition, const Stmt *body, const Stmt *orelse, Value *result) {
  bool yes;
  *result = value_poison();
  if (!elab_bool(e, scope, condition, &yes)) {
    poison_assigned(e, scope, body);
    poison_assigned(e, scope, orelse);
    return true;
  }
  Scope *inner = scope_new(e->arena, scope);
  const Stmt *other = yes ? orelse : body;
  if (!elab_block(e, inner, yes ? body : orelse, result)) return false;
  for (size_t k = 0; k < inner->n_bindings; k++) {
    const Binding *b = inner->bindings[k];
    if (elab_assigns(other, b->name)) scope_define(scope, b->name, b->span, b->value);
  }
  return true;
}

static bool run_turn(Elab *e, Scope *scope, const Stmt *stmt, const Value *item) {
  Value ignored;
  Scope *inner = scope_new(e->arena, scope);
  if (!elab_spend(e, 1, stmt->span)) return false;
  if (item) scope_define(inner, stmt->names->text, stmt->names->span, *item);
  return elab_block(e, inner, stmt->body, &ignored);
}

// Can so many turns be run at all? Said before the first, not after a million.
static bool turns_fit(Elab *e, const Stmt *loop, int64_t turns) {
  int64_t statements = 1;
  for (const Stmt *stmt = loop->body; stmt; stmt = stmt->next) statements++;
  int64_t room = (ELAB_MAX_STEPS - e->steps) / statements;
  return turns <= room || elab_spend(e, ELAB_MAX_STEPS + 1, loop->span);
}

static bool run_for(Elab *e, Scope *scope, const Stmt *stmt) {
  Value over = elab_expr(e, scope, stmt->value);
  if (over.kind == VALUE_LIST) {
    for (int k = 0; k < over.n; k++)
      if (!run_turn(e, scope, stmt, &over.items[k])) return false;
    return true;
  }
  if (over.kind == VALUE_RANGE) {
    if (!turns_fit(e, stmt, over.to > over.from ? over.to - over.from : 0)) return false;
    for (int64_t k = over.from; k < over.to; k++) {
      Value item = value_int(k);
      if (!run_turn(e, scope, stmt, &item)) return false;
    }
    return true;
  }
  if (!value_is_poison(over))
    elab_error(e, DIAG_E0106, stmt->value->span, "`for` runs over a range or a list, but this is %s",
               value_describe(e, over));
  poison_assigned(e, scope, stmt->body);
  return true;
}

static bool run_repeat(Elab *e, Scope *scope, const Stmt *stmt) {
  int64_t n;
  if (!elab_int(e, scope, stmt->value, &n)) {
    poison_assigned(e, scope, stmt->body);
    return true;
  }
  if (!turns_fit(e, stmt, n)) return false;
  for (int64_t k = 0; k < n; k++)
    if (!run_turn(e, scope, stmt, NULL)) return false;
  return true;
}

// ---- require -------------------------------------------------------------------------------------------------------

static bool is_require(const Stmt *stmt) {
  const Expr *v = stmt->value;
  return v->kind == EXPR_CALL && !v->path->next && !strcmp(v->path->text, "require");
}

static const char *require_text(Elab *e, Scope *scope, const Arg *arg) {
  Value v = elab_expr(e, scope, arg->value);
  if (v.kind == VALUE_STRING) return elab_interpolate(e, scope, v.text, arg->value->span);
  if (!value_is_poison(v))
    elab_error(e, DIAG_E0105, arg->value->span, "a text is needed here, but this is %s", value_describe(e, v));
  return NULL;
}

static void require_lines(Elab *e, Scope *scope, const Arg *options, Diag *diag) {
  for (const Arg *option = options; option; option = option->next) {
    const char *text = require_text(e, scope, option);
    bool note = option->name && !strcmp(option->name, "note"), help = option->name && !strcmp(option->name, "help");
    if (!note && !help)
      elab_error(e, DIAG_E0102, option->value->span, "require's options are note and help");
    else if (text && *text)
      diag_line(e->sink, diag, note ? DIAG_NOTE : DIAG_HELP, "%s", text);
  }
}

// require(condition, "text", note = "", help = ""): false when the condition fails.
static bool run_require(Elab *e, Scope *scope, const Stmt *stmt) {
  const Arg *condition = stmt->value->args, *text = condition ? condition->next : NULL;
  if (!text || condition->name || text->name) {
    elab_error(e, DIAG_E0104, stmt->span, "require takes a condition and a text");
    return true;
  }
  bool holds;
  if (!elab_bool(e, scope, condition->value, &holds)) return false;
  if (holds) return true;
  const char *message = require_text(e, scope, text);
  if (!message) return false;
  bool by_call = e->frame->call.file && !is_model_body(e->frame);
  Diag *diag = diag_error(e->sink, DIAG_E0203, by_call ? e->frame->call : stmt->span, "%s", message);
  elab_history_line(e, diag, e->frame->subject);
  require_lines(e, scope, text->next, diag);
  return false;
}

// ---- blocks --------------------------------------------------------------------------------------------------------

static bool run_stmt(Elab *e, Scope *scope, const Stmt *stmt, Value *result) {
  *result = (Value){.kind = VALUE_NOTHING};
  switch (stmt->kind) {
    case STMT_ASSIGN:
      return run_assign(e, scope, stmt), true;
    case STMT_INDEX:
      return run_formula(e, scope, stmt, result), true;
    case STMT_PARAM:
    case STMT_STATE:
      return run_declaration(e, scope, stmt), true;
    case STMT_UPDATE:
      return run_update(e, scope, stmt), true;
    case STMT_RETURN:
      return *result = run_return(e, scope, stmt), true;
    case STMT_IF:
      return elab_if(e, scope, stmt->value, stmt->body, stmt->orelse, result);
    case STMT_FOR:
      return run_for(e, scope, stmt);
    case STMT_REPEAT:
      return run_repeat(e, scope, stmt);
    case STMT_EXPR:
      if (is_require(stmt)) return run_require(e, scope, stmt);
      return *result = elab_expr(e, scope, stmt->value), true;
    case STMT_MEMORY:
      return run_memory(e, scope, stmt), true;
    case STMT_ERROR:
      return e->frame->broken = true, *result = value_poison(), true;
  }
  return true;
}

bool elab_block(Elab *e, Scope *scope, const Stmt *body, Value *result) {
  *result = (Value){.kind = VALUE_NOTHING};
  for (const Stmt *stmt = body; stmt; stmt = stmt->next) {
    if (!elab_spend(e, 1, stmt->span) || !elab_enter(e, stmt->span)) return false;
    bool go_on = run_stmt(e, scope, stmt, result);
    e->depth--;
    if (!go_on) return false;
  }
  return true;
}
