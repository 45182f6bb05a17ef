// Pointwise nodes: operands of the types that the op takes, in tame graphs kept away from where it is steep.
#include "make_inside.h"

// The types of the op's operands, one of those that suit it.
static void operand_types(Maker *m, Op op, DType *in) {
  static const DType any[] = {DT_F32, DT_I32, DT_BOOL, DT_U8}, kept[] = {DT_F32, DT_F32, DT_I32, DT_BOOL};
  DType number = choice_once_in(m->chance, 4) ? DT_I32 : DT_F32;
  in[0] = in[1] = in[2] = DT_F32;
  switch (op_info(op)->types) {
    case OPT_N_N:
    case OPT_N_B:
      in[0] = in[1] = number;
      break;
    case OPT_B_B:
      in[0] = in[1] = DT_BOOL;
      break;
    case OPT_SELECT:
      in[0] = DT_BOOL, in[1] = in[2] = CHOICE_OF(m->chance, kept);
      break;
    case OPT_TO_F:
    case OPT_TO_I:
      in[0] = CHOICE_OF(m->chance, any);
      break;
    default:
      break;
  }
}

// |x| + at_least
static NodeId away_from_zero(Maker *m, NodeId x, double at_least) {
  return build_binary(&m->b, OP_add, build_unary(&m->b, OP_abs, x), build_const(&m->b, DT_F32, at_least));
}

static void tame(Maker *m, Op op, NodeId *in) {
  if (op == OP_log || op == OP_sqrt || op == OP_rsqrt) in[0] = away_from_zero(m, in[0], 0.3);
  if (op == OP_exp) in[0] = make_moderate(m, in[0]);
  if (op == OP_div) in[1] = away_from_zero(m, in[1], 0.5);
  if (op == OP_pow) in[0] = away_from_zero(m, make_moderate(m, in[0]), 0.3), in[1] = make_moderate(m, in[1]);
}

NodeId make_pointwise(Maker *m, Op op) {
  DType type[3];
  NodeId in[3];
  operand_types(m, op, type);
  int arity = op_info(op)->arity, first = (int)choice_below(m->chance, arity);
  in[first] = make_operand(m, type[first], -1);
  Shape shape = make_node(m, in[first])->shape;
  for (int a = 0; a < arity; a++)
    if (a != first) in[a] = make_like(m, type[a], &shape, true);
  if (m->options.tame && type[arity - 1] == DT_F32) tame(m, op, in);
  return build_pointwise(&m->b, op, arity, in);
}
