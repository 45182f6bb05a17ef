// Part of op_cases.h: one case for each pointwise row of ops.def and each type it takes. Every output y<k> is the op
// over one shape, of inputs a<k>, b<k>, c<k>.
#pragma once

typedef struct OpRow {
  const char *name, *gradient;
} OpRow;

static inline OpRow op_row(Op op) {
  static const OpRow rows[OP_COUNT] = {
#define OP_POINTWISE(mnemonic, arity, types, gradient, meaning) [OP_##mnemonic] = {#mnemonic, #gradient},
#include "ops.def"
  };
  return rows[op];
}

static inline bool op_is_one_of(Op op, const char *const *names) {
  for (; *names; names++)
    if (!strcmp(op_info(op)->name, *names)) return true;
  return false;
}

// Where an op's f32 operands lie, if not in -2..2.
static inline void op_case_domain(Op op, OpCase *c) {
  static const char *const positive[] = {"log", "sqrt", "rsqrt", "pow", NULL}, *const wide[] = {"exp",     "tanh",
                                                                                                "sigmoid", "floor",
                                                                                                "to_i32",  NULL};
  if (op_is_one_of(op, positive)) c->low = 0.2, c->high = 4;
  if (op_is_one_of(op, wide)) c->low = -9, c->high = 9;
}

// The types of operands in variant v of the op; false after the last.
static inline bool op_case_types(Op op, int v, DType *in) {
  static const DType numbers[] = {DT_F32, DT_I32}, kept[] = {DT_F32, DT_I32, DT_BOOL},
                     all[] = {DT_F32, DT_I32, DT_BOOL, DT_U8};
  switch (op_info(op)->types) {
    case OPT_F_F:
      in[0] = in[1] = in[2] = DT_F32;
      return v < 1;
    case OPT_N_N:
    case OPT_N_B:
      in[0] = in[1] = in[2] = numbers[v % 2];
      return v < 2;
    case OPT_B_B:
      in[0] = in[1] = in[2] = DT_BOOL;
      return v < 1;
    case OPT_SELECT:
      in[0] = DT_BOOL, in[1] = in[2] = kept[v % 3];
      return v < 3;
    case OPT_TO_F:
    case OPT_TO_I:
      in[0] = all[v % 4];
      return v < 4;
    case OPT_OWN:
      break;
  }
  return false;
}

// One output: the op over inputs of this shape; the operands in the bit set `scalars` have rank 0.
static inline void op_case_add_output(Builder *b, Op op, const DType *in, const Shape *shape, int scalars, int number) {
  static const Shape scalar = {0};
  NodeId operands[3];
  for (int a = 0; a < op_info(op)->arity; a++) {
    const char *name = arena_printf(b->graph->arena, "%c%d", "abc"[a], number);
    operands[a] = build_input(b, name, in[a], scalars >> a & 1 ? &scalar : shape);
  }
  NodeId result = build_pointwise(b, op, op_info(op)->arity, operands);
  graph_output(b->graph, OUT_RESULT, arena_printf(b->graph->arena, "y%d", number), result);
}

static inline Graph *op_case_pointwise_graph(Arena *arena, const char *name, Op op, const DType *in) {
  static const int64_t sizes[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 0};
  Builder b = {.graph = graph_new(arena, name)};
  int n = graph_symbol(b.graph, "N"), number = 0;
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
    op_case_add_output(&b, op, in, &(Shape){1, {dim_const(sizes[k])}}, 0, number++);
  const Shape others[] = {{0},
                          {3, {dim_const(3), dim_const(5), dim_const(7)}},
                          {2, {dim_const(0), dim_const(4)}},
                          {2, {{1, n}, dim_const(3)}},
                          {2, {{2, n}, dim_const(17)}},
                          {8,
                           {dim_const(1), dim_const(2), dim_const(1), dim_const(1), dim_const(3), dim_const(1),
                            dim_const(1), dim_const(2)}}};
  for (size_t k = 0; k < sizeof others / sizeof *others; k++) op_case_add_output(&b, op, in, &others[k], 0, number++);
  for (int scalars = 1; scalars < (1 << op_info(op)->arity) - 1; scalars++)
    op_case_add_output(&b, op, in, &(Shape){1, {dim_const(17)}}, scalars, number++);
  return b.graph;
}

// Correctly rounded in float, so that rounding the double's result gives the same.
static inline bool op_case_is_exact(Op op, DType type) {
  static const char *const rounded[] = {"exp", "log", "rsqrt",    "tanh", "sigmoid",
                                        "erf", "pow", "floordiv", "mod",  NULL};
  return type != DT_F32 || !op_is_one_of(op, rounded);
}

static inline void op_cases_pointwise(OpCaseMaker *maker) {
  static const char *const ordinary[] = {"pow", "floordiv", "mod",
                                         NULL};  // results at special values differ by rounding
  for (int k = 0; k < OP_COUNT; k++) {
    Op op = (Op)k;
    DType in[3];
    for (int v = 0; op_info(op)->class == OPC_POINTWISE && op_case_types(op, v, in); v++) {
      Arena *arena = op_case_arena(maker);
      DType type = in[op_info(op)->arity - 1];
      const char *name = arena_printf(arena, "pointwise/%s %s", op_info(op)->name, dtype_name(type));
      OpCase c = op_case_default(name, op_case_pointwise_graph(arena, name, op, in));
      op_case_domain(op, &c);
      c.exact = op_case_is_exact(op, type);
      c.special = type != DT_F32 || !op_is_one_of(op, ordinary);
      c.smooth = type == DT_F32 && strcmp(op_row(op).gradient, "none") != 0;
      op_case_show(maker, &c);
    }
  }
}
