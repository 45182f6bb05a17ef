// The elaborator's state, its reports, and the way in for models and fields.
#include "elab_inside.h"

#include <string.h>

Elab *elab_new(Arena *arena, DiagSink *sink, Globals *globals, const char *name, bool training) {
  Elab *e = arena_alloc(arena, sizeof *e);
  Frame *top = arena_alloc(arena, sizeof *top);
  *top = (Frame){.path = ""};
  *e = (Elab){.arena = arena, .sink = sink, .globals = globals, .training = training, .frame = top};
  e->builder.graph = graph_new(arena, name);
  return e;
}

// ---- limits --------------------------------------------------------------------------------------------------------

bool elab_enter(Elab *e, Span span) {
  if (++e->depth <= ELAB_MAX_DEPTH) return true;
  e->depth--;
  elab_error(e, DIAG_E0005, span, "nested too deeply: more than %d levels of calls and expressions", ELAB_MAX_DEPTH);
  return false;
}

bool elab_spend(Elab *e, int64_t steps, Span span) {
  if (e->steps > ELAB_MAX_STEPS) return false;  // reported
  e->steps += steps;
  if (e->steps <= ELAB_MAX_STEPS && e->builder.graph->n_nodes <= ELAB_MAX_NODES) return true;
  e->steps = ELAB_MAX_STEPS + 1;
  elab_error(e, DIAG_E0117, span, "the program unrolls to more than %d steps", ELAB_MAX_STEPS);
  return false;
}

// ---- reports -------------------------------------------------------------------------------------------------------

bool elab_in_library(const Elab *e, Span span) {
  const Globals *library = e->globals->library ? e->globals->library : e->globals;
  return span.file && span.file == library->file;
}

Diag *elab_error(Elab *e, DiagCode code, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(e->arena, format, args);
  va_end(args);
  if (!elab_in_library(e, span)) return diag_error(e->sink, code, span, "%s", message);
  if (!e->frame->name) dlc_bug("the standard library is wrong: %s", message);
  return diag_error(e->sink, code, e->frame->call, "%s: %s", e->frame->name, message);
}

const char *elab_suggestion(Elab *e, const char *word, const char *const *candidates, size_t count) {
  const char *nearest = text_nearest(word, candidates, count);
  return nearest ? arena_printf(e->arena, "; did you mean '%s'?", nearest) : "";
}

const char *elab_source_text(const Elab *e, Span span) {
  const Source *source = diag_source(e->sink, span.file);
  if (!source) return "";
  Text out = text_new(e->arena);
  bool blank = false, quoted = false;
  for (uint32_t k = span.begin; k < span.end; k++) {
    char c = source->text[k];
    if (c == '"') quoted = !quoted;
    bool comment = c == '#' && !quoted;  // it ends with its line
    while (comment && k < span.end && source->text[k] != '\n') k++;
    if (comment || c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      blank = true;
      continue;
    }
    if (blank && out.length) text_add(&out, " ");
    blank = false;
    text_add_n(&out, &c, 1);
  }
  return out.bytes;
}

// ---- how shapes came about -----------------------------------------------------------------------------------------

History *elab_history(Elab *e, const char *text, Span span, const Shape *shape, const History *before) {
  History *history = arena_alloc(e->arena, sizeof *history);
  *history = (History){.text = text, .span = span, .shape = *shape, .before = before};
  return history;
}

// The shape without the batch: what histories and shape comments show.
const char *elab_inner_shape_text(const Elab *e, const Shape *shape) {
  Shape inner = *shape;
  if (shape->rank > 0 && !dim_is_const(shape->dim[0])) {
    inner.rank--;
    memmove(inner.dim, inner.dim + 1, (size_t)inner.rank * sizeof *inner.dim);
  }
  return elab_shape_text(e, &inner);
}

enum { SHAPE_COLUMN = 18, LINE_COLUMN = 33, HISTORY_LONGEST = 48, HISTORY_MOST = 12 };

static void pad_to(Text *out, size_t line_start, size_t column) {
  size_t now = out->length - line_start;
  text_printf(out, "%*s", now + 2 > column ? 2 : (int)(column - now), "");
}

static void add_history_entry(const Elab *e, const History *h, Text *out) {
  size_t start = out->length;
  bool cut = strlen(h->text) > HISTORY_LONGEST;
  text_add_n(out, h->text, cut ? HISTORY_LONGEST - 3 : strlen(h->text));
  if (cut) text_add(out, "...");
  pad_to(out, start, SHAPE_COLUMN);
  text_add(out, elab_inner_shape_text(e, &h->shape));
  if (h->is_input) return;
  uint32_t line, column;
  diag_position(diag_source(e->sink, h->span.file), h->span.begin, &line, &column);
  pad_to(out, start, LINE_COLUMN);
  text_printf(out, "line %u", line);
}

void elab_history_line(Elab *e, Diag *diag, Value tensor) {
  if (tensor.kind != VALUE_TENSOR || !tensor.history) return;
  int n = 0;
  for (const History *h = tensor.history; h; h = h->before) n++;
  const History **entries = arena_array(e->arena, (size_t)n, sizeof *entries);
  int at = n;
  for (const History *h = tensor.history; h; h = h->before) entries[--at] = h;
  Text out = text_new(e->arena);
  for (int k = 0; k < n; k++) {
    bool left_out = n > HISTORY_MOST && k > 0 && k <= n - HISTORY_MOST;
    if (left_out && k > 1) continue;
    if (k) text_add(&out, "\n");
    if (left_out)
      text_printf(&out, "... %d more", n - HISTORY_MOST);
    else
      add_history_entry(e, entries[k], &out);
  }
  diag_line(e->sink, diag, DIAG_SHAPES, "%s", out.bytes);
}

// ---- models --------------------------------------------------------------------------------------------------------

Dim elab_batch(Elab *e, const char *name) {
  Graph *g = e->builder.graph;
  return (Dim){1, graph_symbol(g, g->n_symbols ? g->symbols[0] : name)};
}

// Evaluates an input's type: a free name in front is the batch, anywhere else a mistake.
static bool input_shape(Elab *e, Scope *scope, const Param *input, Shape *shape) {
  *shape = (Shape){0};
  for (const TypeDim *d = input->type->dims; d; d = d->next) {
    if (shape->rank == IR_MAX_RANK) {
      elab_error(e, DIAG_E0207, input->type->span, "a tensor has at most %d dimensions", IR_MAX_RANK);
      return false;
    }
    Dim *dim = &shape->dim[shape->rank++];
    const Expr *v = d->value;
    bool is_name = v && v->kind == EXPR_PATH && !v->path->next;
    bool free_name = is_name && !scope_find(scope, v->path->text) && !globals_find(e->globals, v->path->text);
    if (d->kind == TYPE_DIM_REST || (free_name && (shape->rank > 1 || e->builder.graph->n_symbols))) {
      Diag *diag = elab_error(e, DIAG_E0206, d->span, "the size of this dimension must be known");
      diag_line(e->sink, diag, DIAG_NOTE, "only an input's first dimension is open, the batch, under one name");
      return false;
    }
    if (free_name) {
      *dim = elab_batch(e, v->path->text);
      scope_define(scope, v->path->text, v->span, value_dim(*dim));
    } else if (!elab_dim(e, scope, v, dim)) {
      return false;
    }
  }
  return true;
}

bool elab_element_type(const Type *type, DType *result) {
  for (int k = 0; k < DT_COUNT; k++)
    if (k != DT_U8 && !strcmp(type->element, dtype_name((DType)k))) {
      *result = (DType)k;
      return true;
    }
  return false;
}

static Value declare_input(Elab *e, Scope *scope, const Param *input) {
  if (!input->type) {
    Diag *diag = elab_error(e, DIAG_E0105, input->span, "the input '%s' needs a type", input->name->text);
    diag_line(e->sink, diag, DIAG_HELP, "%s: f32[N, ...]; hyperparameters stand after ';'", input->name->text);
    return value_poison();
  }
  Shape shape;
  DType type;
  if (!elab_element_type(input->type, &type) || !input_shape(e, scope, input, &shape)) return value_poison();
  if (!elab_fits(e, &shape, input->type->span)) return value_poison();
  Value v = elab_tensor(e, build_input(&e->builder, input->name->text, type, &shape), NULL);
  History *history = elab_history(e, input->name->text, input->span, &shape, NULL);
  history->is_input = true;
  v.history = history;
  return v;
}

Value *elab_model_inputs(Elab *e, const Decl *model, int *n_inputs) {
  Scope *scope = scope_new(e->arena, NULL);
  int n = 0;
  for (const Param *p = model->params; p; p = p->next) n += !p->hyper;
  for (const Param *p = model->params; p; p = p->next)
    if (p->hyper) bind_hyper(e, scope, model, p);
  Value *inputs = arena_array(e->arena, (size_t)n, sizeof *inputs);
  *n_inputs = 0;
  for (const Param *p = model->params; p; p = p->next)
    if (!p->hyper) inputs[(*n_inputs)++] = declare_input(e, scope, p);
  return inputs;
}

Value elab_call_model(Elab *e, const Decl *model, const Value *inputs, int n_inputs, Span span) {
  CallArg *args = arena_array(e->arena, (size_t)n_inputs, sizeof *args);
  for (int k = 0; k < n_inputs; k++) args[k] = (CallArg){NULL, inputs[k], span};
  const char *name = model->name->text;
  Call call = {.decl = model, .args = args, .n_args = n_inputs, .span = span, .text = name, .path = name};
  return call_run(e, &call);
}

Value elab_call_named(Elab *e, const char *name, const Value *args, int n_args, Span span) {
  Global *global = globals_find(e->globals, name);
  if (!global) dlc_bug("no function '%s'", name);
  CallArg *call_args = arena_array(e->arena, (size_t)n_args, sizeof *call_args);
  for (int k = 0; k < n_args; k++) call_args[k] = (CallArg){NULL, args[k], span};
  Call call = {.decl = global->decl, .args = call_args, .n_args = n_args, .span = span, .text = name};
  call.path = frame_child(e, name, NULL);
  return call_run(e, &call);
}

// ---- fields --------------------------------------------------------------------------------------------------------

Value elab_field(Elab *e, const char *name, Span span) {
  Field *field = arena_alloc(e->arena, sizeof *field);
  *field = (Field){.name = name, .span = span, .node = NODE_NONE};
  return (Value){.kind = VALUE_FIELD, .field = field};
}

Value elab_field_tensor(Elab *e, const Field *field) {
  Value v = elab_tensor(e, field->node, NULL);
  History *history = elab_history(e, field->name, field->span, elab_shape(e, v), NULL);
  history->is_input = true;
  v.history = history;
  return v;
}

static Value report_field_types(Elab *e, const Field *field, const char *now, const char *before, Span span) {
  Diag *diag =
      elab_error(e, DIAG_E0230, span, "the field '%s' is used here as %s and before as %s", field->name, now, before);
  diag_line(e->sink, diag, DIAG_NOTE, "a field has one type, which its first use decides");
  return value_poison();
}

Value elab_field_as(Elab *e, Field *field, DType type, const Shape *shape, Span span) {
  const char *now = elab_type_text(e, type, shape);
  if (field->node == NODE_NONE) {
    if (field->typed && field->type != type) return report_field_types(e, field, now, dtype_name(field->type), span);
    if (!elab_fits(e, shape, span)) return value_poison();
    Builder at_top = {.graph = e->builder.graph};
    field->node = build_input(&at_top, field->name, type, shape);
    return elab_field_tensor(e, field);
  }
  Value v = elab_field_tensor(e, field);
  if (elab_dtype(e, v) == type && shape_equal(elab_shape(e, v), shape)) return v;
  return report_field_types(e, field, now, elab_type_text(e, elab_dtype(e, v), elab_shape(e, v)), span);
}
