// Index nodes of no particular kind: affine reads and a body as they come.
#include "make_inside.h"

enum { FREE_BODY = 80, FREE_STOP = 12, FREE_OPERANDS = 3 };  // a body's room; where only leaves are added

typedef struct Free {
  Maker *m;
  IndexDef def;
  Read reads[FREE_OPERANDS];
  NodeId in[FREE_OPERANDS];
  Scalar body[FREE_BODY];
  DType type[FREE_BODY];
  int n_in;
} Free;

// ---- reads ----------------------------------------------------------------------------------------------------------

static IndexExpr make_expression(Free *f) {
  static const int64_t factors[] = {1, 1, 1, 1, 1, 2, -1, 3};
  Choice *chance = f->m->chance;
  int n = f->def.n_out + f->def.n_red;
  IndexExpr e = index_const(choice_once_in(chance, 2) ? 0 : choice_in(chance, -2, 3));
  for (int terms = n ? (int)choice_in(chance, 0, 5) / 2 : 0; terms > 0; terms--)
    index_add_term(&e, (int)choice_below(chance, n), CHOICE_OF(chance, factors));
  if (choice_once_in(chance, 6)) {
    e.kind = choice_once_in(chance, 2) ? DIV_EXACT : DIV_FLOOR;
    e.divisor = choice_in(chance, 2, 3);
  }
  return e;
}

static void make_read(Free *f, DType type) {
  NodeId x = make_operand(f->m, type, (int)choice_in(f->m->chance, 0, 3));
  Read *read = &f->reads[f->n_in];
  read->rank = make_node(f->m, x)->shape.rank;
  for (int d = 0; d < read->rank; d++) read->at[d] = make_expression(f);
  f->in[f->n_in++] = x;
}

// ---- the body -------------------------------------------------------------------------------------------------------

static int put(Free *f, Scalar s, DType type) {
  s.type = type;
  f->body[f->def.n_body] = s;
  f->type[f->def.n_body] = type;
  return f->def.n_body++;
}

static int put_op(Free *f, Op op, int a, int b, int c, DType type) {
  return put(f, (Scalar){.kind = SCALAR_OP, .op = op, .arg = {a, b, c}}, type);
}

static int put_number(Free *f, DType type, double number) {
  return put(f, (Scalar){.kind = SCALAR_CONST, .number = number}, type);
}

static int make_leaf(Free *f, DType type) {
  Choice *chance = f->m->chance;
  for (int tries = 0; tries < 4; tries++) {
    int k = (int)choice_below(chance, f->n_in);
    if (make_node(f->m, f->in[k])->type == type) return put(f, (Scalar){.kind = SCALAR_READ, .arg = {k}}, type);
  }
  int n = f->def.n_out + f->def.n_red;
  if (type == DT_I32 && n && choice_once_in(chance, 2))
    return put(f, (Scalar){.kind = SCALAR_INDEX, .arg = {(int)choice_below(chance, n)}}, type);
  if (type == DT_I32) return put_number(f, type, (double)choice_in(chance, -2, 4));
  return put_number(f, type, type == DT_BOOL ? (double)choice_below(chance, 2) : choice_real(chance, -2, 2));
}

// An op whose result has the type; false where this one has not.
static bool suits(Op op, DType type, DType *in) {
  if (op_info(op)->class != OPC_POINTWISE) return false;
  for (int a = 0; a < 3; a++) in[a] = type == DT_BOOL || type == DT_U8 ? DT_F32 : type;
  OpTypes types = op_info(op)->types;
  if (types == OPT_F_F || types == OPT_N_N) return type == DT_I32 ? types == OPT_N_N : type == DT_F32;
  if (types == OPT_N_B) return type == DT_BOOL;
  if (types == OPT_B_B) in[0] = in[1] = DT_BOOL;
  if (types == OPT_B_B) return type == DT_BOOL;
  if (types == OPT_SELECT) in[0] = DT_BOOL, in[1] = in[2] = type;
  if (types == OPT_SELECT) return true;
  in[0] = types == OPT_TO_F ? DT_I32 : DT_F32;
  return types == OPT_TO_F ? type == DT_F32 : type == DT_I32;
}

static int steep_argument(Free *f, int a, double at_least) {
  int size = put_op(f, OP_abs, a, 0, 0, DT_F32);
  return put_op(f, OP_add, size, put_number(f, DT_F32, at_least), 0, DT_F32);
}

static void tame(Free *f, Op op, int *arg) {
  if (op == OP_log || op == OP_sqrt || op == OP_rsqrt) arg[0] = steep_argument(f, arg[0], 0.3);
  if (op == OP_exp) arg[0] = put_op(f, OP_tanh, arg[0], 0, 0, DT_F32);
  if (op == OP_div) arg[1] = steep_argument(f, arg[1], 0.5);
  if (op == OP_pow) {
    arg[0] = steep_argument(f, put_op(f, OP_tanh, arg[0], 0, 0, DT_F32), 0.3);
    arg[1] = put_op(f, OP_tanh, arg[1], 0, 0, DT_F32);
  }
}

static int make_value(Free *f, DType type, int depth) {
  Choice *chance = f->m->chance;
  DType in[3];
  if (depth <= 0 || f->def.n_body > FREE_STOP) return make_leaf(f, type);
  Op op = (Op)choice_below(chance, OP_COUNT);
  while (!suits(op, type, in)) op = (Op)choice_below(chance, OP_COUNT);
  int arg[3] = {0};
  for (int a = 0; a < op_info(op)->arity; a++) {
    if (f->def.n_body > FREE_STOP) depth = 0;
    arg[a] = make_value(f, in[a], depth - 1 - (a > 0));
  }
  if (f->m->options.tame && in[op_info(op)->arity - 1] == DT_F32) tame(f, op, arg);
  return put_op(f, op, arg[0], arg[1], arg[2], type);
}

// ---- the node -------------------------------------------------------------------------------------------------------

static bool make_extents(Free *f) {
  Choice *chance = f->m->chance;
  static const int64_t most[IR_MAX_SYMBOLS] = {9, 9, 9, 9};
  int64_t points = 1;
  f->def.n_out = (int)choice_in(chance, 0, 3);
  f->def.n_red = f->def.combine == COMBINE_MAP ? 0 : (int)choice_in(chance, 1, 2);
  Shape result = {.rank = f->def.n_out};
  for (int k = 0; k < f->def.n_out + f->def.n_red; k++) {
    f->def.extent[k] = make_dim(f->m);
    points *= dim_value(f->def.extent[k], most);
    if (k < f->def.n_out) result.dim[k] = f->def.extent[k];
    if (points > MAKE_POINTS / 8) return false;
  }
  return make_fits(&result);
}

NodeId make_free_index(Maker *m) {
  Free f = {.m = m, .def = {.combine = (Combine)choice_below(m->chance, COMBINE_COUNT)}};
  if (!make_extents(&f)) return NODE_NONE;
  DType type = choice_once_in(m->chance, 4) ? DT_I32 : DT_F32;
  if (f.def.combine == COMBINE_MAP && choice_once_in(m->chance, 6)) type = DT_BOOL;
  int n = (int)choice_in(m->chance, 1, FREE_OPERANDS);
  for (int k = 0; k < n; k++) make_read(&f, k ? choice_once_in(m->chance, 3) ? DT_I32 : DT_F32 : type);
  f.def.reads = f.reads;
  f.def.body = f.body;
  make_value(&f, type, (int)choice_in(m->chance, 1, 4));
  return build_index(&m->b, &f.def, f.in, f.n_in);
}
