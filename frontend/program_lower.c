// From a checked program to graphs: a model's outputs, its train block's loss, a field's expression.
//
// True on exit of program_lower: the graph verifies, or NULL and at least one error is in the sink.
#include "blocks.h"

#include <string.h>

// ---- hyperparameters from outside -----------------------------------------------------------------------------------

static void add_hyper(Program *p, NamedValue *list, int *n, const char *name, const Expr *value, Span span) {
  NamedValue *slot = NULL;
  for (int k = 0; k < *n; k++)
    if (strcmp(list[k].name, name) == 0) slot = &list[k];
  if (!slot) slot = &list[(*n)++];
  *slot = (NamedValue){name, elab_expr(p->values, scope_new(p->arena, NULL), value), span};
}

bool blocks_is_hyper(const Decl *model, const char *name) {
  for (const Param *param = model->params; param; param = param->next)
    if (param->hyper && strcmp(param->name->text, name) == 0) return true;
  return false;
}

const NamedValue *blocks_hyper(Program *p, const Decl *model, const TrainBlock *train, const SearchBlock *search,
                               int *count) {
  const Arg *given[] = {train ? train->decl->args : NULL, search ? search->decl->args : NULL};
  size_t most = (size_t)p->n_settings;
  for (int from = 0; from < 2; from++)
    for (const Arg *arg = given[from]; arg; arg = arg->next) most++;
  NamedValue *list = arena_array(p->arena, most, sizeof *list);
  *count = 0;
  for (int from = 0; from < 2; from++)
    for (const Arg *arg = given[from]; arg; arg = arg->next)
      if (arg->name && blocks_is_hyper(model, arg->name))
        add_hyper(p, list, count, arg->name, arg->value, arg->name_span);
  for (int k = 0; k < p->n_settings; k++) {
    const SettingValue *setting = &p->settings[k];
    if (setting->value && blocks_is_hyper(model, setting->name))
      add_hyper(p, list, count, setting->name, setting->value, setting->span);
  }
  return list;
}

// ---- the model's own outputs ----------------------------------------------------------------------------------------

typedef struct Lowering {
  Program *p;
  Elab *e;
  const Decl *model;
  TrainBlock *train;    // or NULL
  SearchBlock *search;  // or NULL
  size_t errors;        // in the sink at the start
} Lowering;

// What a result is called: the name that `return` gives it, else the model's, numbered where there are several.
static const char *result_name(Lowering *l, int k, int n) {
  const Stmt *last = l->model->body;
  while (last && last->next) last = last->next;
  const Expr *value = last && last->kind == STMT_RETURN ? last->value : NULL;
  for (int at = 0; value && at < k; at++) value = value->next;
  bool named = value && value->kind == EXPR_PATH && !value->path->next;
  if (n == 1) return l->model->name->text;
  return named ? value->path->text : arena_printf(l->p->arena, "%s_%d", l->model->name->text, k + 1);
}

// Calls the model on inputs of its own. False after reporting.
static bool run_model(Lowering *l, const Value **results, int *n) {
  int n_inputs;
  Value *inputs = elab_model_inputs(l->e, l->model, &n_inputs);
  Value *result = arena_alloc(l->p->arena, sizeof *result);
  *result = elab_call_model(l->e, l->model, inputs, n_inputs, l->model->name->span);
  *results = result->kind == VALUE_TUPLE ? result->items : result;
  *n = result->kind == VALUE_TUPLE ? result->n : 1;
  return !value_is_poison(*result) && l->p->sink->n_errors == l->errors;
}

// Rows are run batch by batch, and what comes out is put together along the first dimension.
static bool has_rows_first(Lowering *l, NodeId node) {
  const Shape *shape = &graph_node(l->e->builder.graph, node)->shape;
  for (int d = 1; d < shape->rank; d++) {
    if (shape->dim[d].symbol != 1) continue;  // memory's rows may stand anywhere
    Diag *diag = diag_error(l->p->sink, DIAG_E0206, l->model->name->span,
                            "a result of '%s' has the shape %s: the batch must be its first dimension",
                            l->model->name->text, elab_shape_text(l->e, shape));
    diag_line(l->p->sink, diag, DIAG_HELP, "transpose puts it there");
    return false;
  }
  return true;
}

static bool add_results(Lowering *l, const Value *results, int n) {
  for (int k = 0; k < n; k++) {
    NodeId node = elab_node(l->e, results[k], false, l->model->name->span);
    if (node == NODE_NONE || !has_rows_first(l, node)) return false;
    graph_output(l->e->builder.graph, OUT_RESULT, result_name(l, k, n), node);
  }
  return true;
}

static bool lower_output(Lowering *l) {
  const Value *results;
  int n;
  return run_model(l, &results, &n) && add_results(l, results, n);
}

// ---- losses made from outputs ---------------------------------------------------------------------------------------

// The output's cotangent: an input of its shape. Of one output it is called "cotangent", of several "cotangent.NAME".
static Value cotangent_of(Lowering *l, const Output *output, int n) {
  const char *name = n == 1 ? "cotangent" : arena_printf(l->p->arena, "cotangent.%s", output->name);
  Graph *g = l->e->builder.graph;
  Shape shape = graph_node(g, output->value)->shape;
  return elab_tensor(l->e, build_input(&l->e->builder, name, DT_F32, &shape), NULL);
}

// sum(output * cotangent), or mean(output ** 2).
static Value output_term(Lowering *l, const Output *output, int n, bool cotangent) {
  Span span = l->model->name->span;
  Value value = elab_tensor(l->e, output->value, NULL);
  Value factor = cotangent ? cotangent_of(l, output, n) : value;
  Value product = elab_binary(l->e, AST_MUL, value, factor, span);
  return elab_call_named(l->e, cotangent ? "sum" : "mean", &product, 1, span);
}

// The sum of a term for each f32 output.
static bool lower_from_outputs(Lowering *l, bool cotangent) {
  if (!lower_output(l)) return false;
  Graph *g = l->e->builder.graph;
  int n = (int)g->n_outputs, used = 0;
  Value loss = {0};
  for (int k = 0; k < n; k++) {
    if (graph_node(g, g->outputs[k].value)->type != DT_F32) continue;
    Output output = g->outputs[k];
    Value term = output_term(l, &output, n, cotangent);
    loss = used++ ? elab_binary(l->e, AST_ADD, loss, term, l->model->name->span) : term;
  }
  if (used == 0) {
    diag_error(l->p->sink, DIAG_E0311, l->model->name->span, "model '%s' has no f32 output to differentiate",
               l->model->name->text);
    return false;
  }
  if (!cotangent) g->n_outputs = 0;  // only the loss is wanted
  NodeId node = elab_node(l->e, loss, false, l->model->name->span);
  if (node == NODE_NONE) return false;
  graph_output(g, OUT_LOSS, "loss", node);
  return true;
}

// ---- the train block's loss -----------------------------------------------------------------------------------------

static const SplitSpec *train_split(const DataBlock *data) {
  for (int k = 0; k < data->spec.n_splits; k++)
    if (strcmp(data->spec.splits[k].name, "train") == 0) return &data->spec.splits[k];
  return NULL;
}

static bool has_field(const SplitSpec *split, const char *name) {
  for (int k = 0; k < split->n_fields; k++)
    if (strcmp(split->fields[k].name, name) == 0) return true;
  return false;
}

static Scope *field_scope(Lowering *l, const DataBlock *data) {
  Scope *scope = scope_new(l->p->arena, NULL);
  const SplitSpec *split = train_split(data);
  for (int k = 0; k < split->n_fields; k++) {
    const FieldSpec *field = &split->fields[k];
    scope_define(scope, field->name, field->span, elab_field(l->e, field->name, field->span));
  }
  return scope;
}

// Fields that the program reads as f32(field) are converted where they are loaded.
static void note_conversions(const Scope *scope, DataBlock *data) {
  for (size_t n = 0; n < scope->n_bindings; n++) {
    const Binding *b = scope->bindings[n];
    if (b->value.kind != VALUE_FIELD || !b->value.field->typed || b->value.field->type != DT_F32) continue;
    for (int k = 0; k < data->spec.n_splits; k++)
      for (int f = 0; f < data->spec.splits[k].n_fields; f++) {
        FieldSpec *field = &data->spec.splits[k].fields[f];
        field->as_f32 |= strcmp(field->name, b->name) == 0;
      }
  }
}

// The value as one number: a rank-0 f32 node, or NODE_NONE after reporting.
static NodeId one_number(Lowering *l, Value value, const TrainStep *step) {
  bool metric = step->kind == TRAIN_METRIC;
  Span span = step->value->span;
  if (value_is_poison(value)) return NODE_NONE;
  const char *what = metric ? arena_printf(l->p->arena, "the metric '%s'", step->names->text) : "the loss";
  bool tensor = value.kind == VALUE_TENSOR;
  DType type = tensor ? elab_dtype(l->e, value) : DT_F32;
  if (!tensor || elab_shape(l->e, value)->rank != 0 || (type != DT_F32 && !metric)) {
    Diag *diag = diag_error(l->p->sink, DIAG_E0311, span, "%s must be one f32 number that the network computes, not %s",
                            what, value_describe(l->e, value));
    if (tensor && elab_shape(l->e, value)->rank) diag_line(l->p->sink, diag, DIAG_HELP, "mean(..) makes it one number");
    return NODE_NONE;
  }
  return type == DT_F32 ? value.node : build_unary(&l->e->builder, OP_to_f32, value.node);
}

static void assign_names(Lowering *l, Scope *scope, const TrainStep *step, Value value) {
  const Name *name = step->names;
  if (!name->next) {
    scope_assign(scope, name->text, name->span, value);
    return;
  }
  int n = 0;
  for (const Name *at = name; at; at = at->next) n++;
  bool fits = value.kind == VALUE_TUPLE && value.n == n;
  if (!fits && !value_is_poison(value))
    diag_error(l->p->sink, DIAG_E0111, step->span, "%d names take %d values, but this is %s", n, n,
               value_describe(l->e, value));
  for (int k = 0; name; name = name->next, k++)
    scope_assign(scope, name->text, name->span, fits ? value.items[k] : value_poison());
}

static void run_step(Lowering *l, Scope *scope, const TrainStep *step) {
  Value value = elab_expr(l->e, scope, step->value);
  if (step->kind == TRAIN_ASSIGN) {
    assign_names(l, scope, step, value);
    return;
  }
  NodeId node = one_number(l, value, step);
  if (node == NODE_NONE) return;
  bool metric = step->kind == TRAIN_METRIC;
  const char *name = metric ? step->names->text : "loss";
  graph_output(l->e->builder.graph, metric ? OUT_METRIC : OUT_LOSS, name, node);
  scope_assign(scope, name, step->span, value);
}

// Splits are evaluated with the fields that the loss and the metrics use.
static void check_other_splits(const Lowering *l) {
  const DataBlock *data = l->train->data;
  const Graph *g = l->e->builder.graph;
  for (int k = 0; k < data->spec.n_splits; k++) {
    const SplitSpec *split = &data->spec.splits[k];
    for (size_t n = 0; n < g->n_nodes && !split->is_origin; n++) {
      const char *name = g->nodes[n].name;
      bool held = g->nodes[n].op == OP_input && strncmp(name, MEMORY_PREFIX, strlen(MEMORY_PREFIX)) == 0;
      if (g->nodes[n].op != OP_input || held || has_field(split, name)) continue;
      Diag *diag = diag_error(l->p->sink, DIAG_E0152, l->train->decl->on->span,
                              "split '%s' of data '%s' has no field '%s'", split->name, data->spec.name, name);
      diag_line(l->p->sink, diag, DIAG_NOTE, "every split but 'train' is evaluated after each epoch");
    }
  }
}

static bool lower_loss(Lowering *l) {
  TrainBlock *train = l->train;
  if (!train) {
    diag_error(l->p->sink, DIAG_E0310, l->model->name->span, "model '%s' has no train block", l->model->name->text);
    return false;
  }
  if (!train->data || train->data->broken || !train_split(train->data)) return false;  // reported at opening
  Scope *scope = field_scope(l, train->data);
  for (size_t k = 0; k < train->n_steps; k++) run_step(l, scope, &train->steps[k]);
  note_conversions(scope, train->data);
  if (l->p->sink->n_errors == l->errors) check_other_splits(l);
  return l->p->sink->n_errors == l->errors;
}

// What a search compares. Where there is something to train, a train block must say how.
static bool lower_search(Lowering *l) {
  SearchBlock *search = l->search;
  if (!search || search->broken || !search->data || search->data->broken || !train_split(search->data)) return false;
  Scope *scope = field_scope(l, search->data);
  run_step(l, scope, &search->objective);
  note_conversions(scope, search->data);
  if (l->p->sink->n_errors == l->errors && l->e->params.n_items && !l->train)
    diag_error(l->p->sink, DIAG_E0310, search->spec.span, "model '%s' has parameters, but no train block",
               l->model->name->text);
  return l->p->sink->n_errors == l->errors;
}

// The loss, and what the model gave on the way to it.
static bool lower_grad(Lowering *l) {
  if (!lower_loss(l)) return false;
  if (!l->e->model_called) return true;
  const Value *result = &l->e->model_result;
  bool several = result->kind == VALUE_TUPLE;
  return add_results(l, several ? result->items : result, several ? result->n : 1);
}

// ---- the result -----------------------------------------------------------------------------------------------------

static void add_states(Lowering *l) {
  for (int k = 0; k < l->e->states.n_items; k++)
    graph_output(l->e->builder.graph, OUT_STATE, l->e->states.items[k].path, l->e->state_nodes[k]);
}

static Lowered *result_of(Lowering *l) {
  Elab *e = l->e;
  Lowered *lowered = arena_alloc(l->p->arena, sizeof *lowered);
  *lowered = (Lowered){.graph = e->builder.graph,
                       .params = e->params,
                       .states = e->states,
                       .layers = e->layers,
                       .n_layers = (int)e->n_layers};
  lowered->named = arena_array(l->p->arena, e->n_named, sizeof *lowered->named);
  lowered->names = arena_array(l->p->arena, e->n_named, sizeof *lowered->names);
  for (size_t k = 0; k < e->n_named; k++) {
    if (e->named[k].value.kind != VALUE_TENSOR) continue;
    lowered->named[lowered->n_named] = e->named[k].value.node;
    lowered->names[lowered->n_named++] = e->named[k].name;
  }
  Text why = text_new(l->p->arena);
  if (!graph_verify(lowered->graph, &why)) dlc_bug("the lowered graph does not verify: %s", why.bytes);
  return lowered;
}

// Fills l->e; false after reporting.
static bool lower(Lowering *l, Mode mode, LowerWhat what) {
  Program *p = l->p;
  l->errors = p->sink->n_errors;
  l->e = elab_new(p->arena, p->sink, p->globals, l->model->name->text, mode == MODE_TRAIN);
  l->e->program = p;
  l->e->model = l->model;
  l->e->hyper = blocks_hyper(p, l->model, l->train, what == LOWER_SEARCH ? l->search : NULL, &l->e->n_hyper);
  switch (what) {
    case LOWER_OUTPUT:
      return lower_output(l);
    case LOWER_LOSS:
      return lower_loss(l);
    case LOWER_GRAD:
      return lower_grad(l);
    case LOWER_COTANGENT:
      return lower_from_outputs(l, true);
    case LOWER_SEARCH:
      return lower_search(l);
    case LOWER_BENCH:
      return lower_from_outputs(l, false);
  }
  return false;
}

static Lowering lowering_of(Program *p, int model) {
  return (Lowering){.p = p,
                    .model = p->models[model],
                    .train = program_train_block(p, model),
                    .search = program_search_block(p, model)};
}

Lowered *program_lower(Program *p, int model, Mode mode, LowerWhat what) {
  Lowering l = lowering_of(p, model);
  if (p->sink->n_errors || !lower(&l, mode, what) || p->sink->n_errors) return NULL;
  if (mode == MODE_TRAIN && (what == LOWER_LOSS || what == LOWER_BENCH)) add_states(&l);
  return result_of(&l);
}

void program_check(Program *p) {
  for (int model = 0; model < program_model_count(p); model++) {
    Lowering l = lowering_of(p, model);
    lower(&l, MODE_INFER, LOWER_OUTPUT);
    lower(&l, MODE_TRAIN, l.train ? LOWER_LOSS : LOWER_OUTPUT);
    if (l.search) lower(&l, MODE_INFER, LOWER_SEARCH);
  }
}

// ---- fields ---------------------------------------------------------------------------------------------------------

// Bytes and truth values are whole numbers to the language.
static NodeId as_number(Builder *b, NodeId node) {
  DType type = graph_node(b->graph, node)->type;
  return type == DT_U8 || type == DT_BOOL ? build_unary(b, OP_to_i32, node) : node;
}

static bool keeps_rows(Program *p, const Graph *g, NodeId node, const FieldSpec *field) {
  const Shape *shape = &graph_node(g, node)->shape;
  if (shape->rank > 0 && dim_equal(shape->dim[0], (Dim){1, 1})) return true;
  diag_error(p->sink, DIAG_E0155, field->expression->span, "field '%s' must keep the rows: its first dimension is lost",
             field->name);
  return false;
}

// Expressions run batch by batch: what sums or chooses over rows would see those of one batch.
static bool sees_one_row(Program *p, const Graph *g, const FieldSpec *field) {
  for (size_t n = 0; n < g->n_nodes; n++) {
    const Node *node = &g->nodes[n];
    if (node->op != OP_index) continue;
    for (int k = 0; k < node->index->n_red; k++) {
      if (dim_is_const(node->index->extent[node->index->n_out + k])) continue;
      Diag *diag = diag_error(p->sink, DIAG_E0155, node->span.file ? node->span : field->expression->span,
                              "field '%s' reduces over the rows of a batch, not over those of a split", field->name);
      diag_line(p->sink, diag, DIAG_HELP,
                "mean, var, min, max and sum over the rows stand in the field's own expression: x - mean(x, axis = 0)");
      return false;
    }
  }
  return true;
}

static Shape input_shape(Elab *e, const FieldInput *input) {
  if (!input->has_rows) return input->shape;
  Shape shape = {.rank = input->shape.rank + 1, .dim = {elab_batch(e, "N")}};
  memcpy(shape.dim + 1, input->shape.dim, (size_t)input->shape.rank * sizeof *shape.dim);
  return shape;
}

Graph *program_lower_field(Program *p, const FieldSpec *field, const FieldInput *inputs, int n_inputs) {
  size_t errors = p->sink->n_errors;
  Elab *e = elab_new(p->arena, p->sink, p->globals, field->name, false);
  Scope *scope = scope_new(p->arena, NULL);
  NodeId node = NODE_NONE;
  for (int k = 0; k < n_inputs; k++) {
    if (inputs[k].has_rows && inputs[k].shape.rank >= IR_MAX_RANK) {
      diag_error(p->sink, DIAG_E0207, field->span, "field '%s' has more than %d dimensions", field->name, IR_MAX_RANK);
      return NULL;
    }
    Shape shape = input_shape(e, &inputs[k]);
    node = as_number(&e->builder, build_input(&e->builder, inputs[k].name, inputs[k].type, &shape));
    scope_define(scope, inputs[k].name, field->span, elab_tensor(e, node, NULL));
  }
  if (field->expression) {
    Value value = elab_expr(e, scope, field->expression);
    node = value_is_poison(value) ? NODE_NONE : elab_node(e, value, true, field->expression->span);
    if (node == NODE_NONE || p->sink->n_errors != errors) return NULL;
    node = as_number(&e->builder, node);
    if (!keeps_rows(p, e->builder.graph, node, field) || !sees_one_row(p, e->builder.graph, field)) return NULL;
  }
  if (field->as_f32 && graph_node(e->builder.graph, node)->type != DT_F32)
    node = build_unary(&e->builder, OP_to_f32, node);
  graph_output(e->builder.graph, OUT_RESULT, "field", node);
  return e->builder.graph;
}
