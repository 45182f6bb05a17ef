// See emitter.h.
#include "emitter.h"

#include <string.h>

int emit_1(Emitter *e, Op op, int a) { return e->op(e, op, &a); }

int emit_2(Emitter *e, Op op, int a, int b) {
  const int args[] = {a, b};
  return e->op(e, op, args);
}

int emit_select(Emitter *e, int condition, int yes, int no) {
  const int args[] = {condition, yes, no};
  return e->op(e, OP_select, args);
}

int emit_f32(Emitter *e, double number) { return e->number(e, DT_F32, number); }
int emit_i32(Emitter *e, double number) { return e->number(e, DT_I32, number); }

int emit_both(Emitter *e, int a, int b) {
  if (a == NO_VALUE || b == NO_VALUE) return a == NO_VALUE ? b : a;
  return emit_2(e, OP_and, a, b);
}

// ---- graphs ---------------------------------------------------------------------------------------------------------

static Builder *builder_of(Emitter *e) {
  GraphEmitter *g = (GraphEmitter *)e;
  return g->w ? rewrite_builder(g->w) : g->b;
}

static int graph_op(Emitter *e, Op op, const int *args) {
  return build_pointwise(builder_of(e), op, op_info(op)->arity, args);
}

static int graph_number(Emitter *e, DType type, double number) { return build_const(builder_of(e), type, number); }

static Term graph_term(const Emitter *e, int value) {
  const GraphEmitter *g = (const GraphEmitter *)e;
  const Node *node = graph_node(g->w ? rewrite_graph(g->w) : g->b->graph, value);
  Term term = {.type = node->type, .number = node->number, .op = node->op, .arg = node->in};
  if (node->op == OP_const) term.kind = TERM_NUMBER;
  if (op_info(node->op)->class == OPC_POINTWISE) term.kind = TERM_OP;
  return term;
}

GraphEmitter graph_emitter(Builder *b) { return (GraphEmitter){.emit = {graph_op, graph_number, graph_term}, .b = b}; }
GraphEmitter rewrite_emitter(Rewrite *w) {
  return (GraphEmitter){.emit = {graph_op, graph_number, graph_term}, .w = w};
}

// ---- bodies ---------------------------------------------------------------------------------------------------------

static bool same_instruction(const Scalar *a, const Scalar *b) {
  if (a->kind != b->kind || a->type != b->type) return false;
  if (a->kind == SCALAR_CONST) return !memcmp(&a->number, &b->number, sizeof a->number);
  int args = a->kind == SCALAR_OP ? op_info(a->op)->arity : 1;
  if (a->kind == SCALAR_OP && a->op != b->op) return false;
  return !memcmp(a->arg, b->arg, (size_t)args * sizeof *a->arg);
}

static int body_add(Body *body, const Scalar *s) {
  for (size_t k = 0; k < body->n_code; k++)
    if (same_instruction(&body->code[k], s)) return (int)k;
  body->code = arena_grow(body->arena, body->code, body->n_code, &body->code_capacity, sizeof *body->code);
  body->code[body->n_code] = *s;
  return (int)body->n_code++;
}

static int body_op(Emitter *e, Op op, const int *args) {
  Body *body = (Body *)e;
  Scalar s = {.kind = SCALAR_OP, .op = op};
  DType types[3];
  for (int k = 0; k < op_info(op)->arity; k++) {
    s.arg[k] = args[k];
    types[k] = body->code[args[k]].type;
  }
  if (!op_result_type(op, types, &s.type)) dlc_bug("%s of unsuitable operands", op_info(op)->name);
  return body_add(body, &s);
}

static int body_number(Emitter *e, DType type, double number) {
  if (type == DT_F32) number = (double)(float)number;
  return body_add((Body *)e, &(Scalar){.kind = SCALAR_CONST, .type = type, .number = number});
}

static Term body_term(const Emitter *e, int value) {
  const Scalar *s = &((const Body *)e)->code[value];
  Term term = {.type = s->type, .number = s->number, .op = s->op, .arg = s->arg};
  if (s->kind == SCALAR_CONST) term.kind = TERM_NUMBER;
  if (s->kind == SCALAR_OP) term.kind = TERM_OP;
  return term;
}

Body body_new(const Graph *g, Arena *arena) {
  return (Body){.emit = {body_op, body_number, body_term}, .graph = g, .arena = arena};
}

int body_read(Body *body, NodeId operand, const Read *read) {
  Arena *arena = body->arena;
  size_t k = 0;
  while (k < body->n_in && !(body->in[k] == operand && read_equal(&body->reads[k], read))) k++;
  if (k == body->n_in) {
    body->in = arena_grow(arena, body->in, k, &body->in_capacity, sizeof *body->in);
    body->reads = arena_grow(arena, body->reads, k, &body->reads_capacity, sizeof *body->reads);
    body->in[k] = operand;
    body->reads[k] = *read;
    body->n_in++;
  }
  return body_add(body,
                  &(Scalar){.kind = SCALAR_READ, .type = graph_node(body->graph, operand)->type, .arg = {(int)k}});
}

int body_index(Body *body, int index) {
  return body_add(body, &(Scalar){.kind = SCALAR_INDEX, .type = DT_I32, .arg = {index}});
}

// The program in the order of a walk from its value, arguments first, from left to right; what is not needed is left
// out.
typedef struct Walk {
  const Body *body;
  Scalar *code;  // in order
  int n_code;
  int *place;  // [body->n_code] the new number + 1, 0: not placed yet
  int *stack;  // instructions whose arguments are being placed
  int n_stack;
} Walk;

static int args_of(const Scalar *s) { return s->kind == SCALAR_OP ? op_info(s->op)->arity : 0; }

// Pushes the first argument that is not placed; false where all are.
static bool push_argument(Walk *w, const Scalar *s) {
  for (int a = 0; a < args_of(s); a++) {
    if (w->place[s->arg[a]]) continue;
    w->stack[w->n_stack++] = s->arg[a];
    return true;
  }
  return false;
}

static void place_top(Walk *w) {
  int k = w->stack[w->n_stack - 1];
  Scalar s = w->body->code[k];
  if (push_argument(w, &s)) return;
  for (int a = 0; a < args_of(&s); a++) s.arg[a] = w->place[s.arg[a]] - 1;
  w->code[w->n_code++] = s;
  w->place[k] = w->n_code;
  w->n_stack--;
}

static void walk_from(Walk *w, int value) {
  Arena *arena = w->body->arena;
  size_t n = w->body->n_code;
  w->code = arena_array(arena, n, sizeof *w->code);
  w->place = arena_array(arena, n, sizeof *w->place);
  w->stack = arena_array(arena, n, sizeof *w->stack);
  w->stack[w->n_stack++] = value;
  while (w->n_stack) place_top(w);
}

NodeId body_build(Body *body, Builder *b, const IndexDef *def, int value) {
  Walk walk = {.body = body};
  IndexDef built = *def;
  walk_from(&walk, value);
  built.reads = body->reads;
  built.body = walk.code;
  built.n_body = walk.n_code;
  return build_index(b, &built, body->in, (int)body->n_in);
}
