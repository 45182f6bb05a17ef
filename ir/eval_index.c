// The general node, point by point, exactly as ir.h says it.
#include "eval.h"

#include <math.h>

#include "checked.h"

typedef struct Point {
  const IndexDef *def;
  const EvalTensor **operands;     // [n_in]
  int64_t extent[IR_MAX_INDICES];  // [n_out + n_red]
  int64_t index[IR_MAX_INDICES];   // where we are
  double *value;                   // [n_body]
  DType type;                      // of the body's value
} Point;

// The operand's element, or 0 and *outside.
static double read_value(const Point *p, int operand, bool *outside) {
  const Read *read = &p->def->reads[operand];
  const EvalTensor *t = p->operands[operand];
  int64_t offset = 0;
  for (int d = 0; d < read->rank; d++) {
    bool out = false;
    int64_t n = t->shape.dim[d].scale, at = index_value(&read->at[d], p->index, &out);
    if (out || at < 0 || at >= n) {
      *outside = true;
      return 0;
    }
    offset = offset * n + at;
  }
  return t->data[offset];
}

static double call_value(const Point *p, const Scalar *s) {
  double in[3];
  int arity = op_info(s->op)->arity;
  for (int a = 0; a < arity; a++) in[a] = p->value[s->arg[a]];
  return eval_pointwise(s->op, p->def->body[s->arg[arity - 1]].type, in);
}

// The body at this point; *outside where some read is.
static double body_value(Point *p, bool *outside) {
  *outside = false;
  for (int k = 0; k < p->def->n_body; k++) {
    const Scalar *s = &p->def->body[k];
    switch (s->kind) {
      case SCALAR_READ:
        p->value[k] = read_value(p, s->arg[0], outside);
        break;
      case SCALAR_INDEX:
        p->value[k] = (double)(int32_t)(uint32_t)(uint64_t)p->index[s->arg[0]];
        break;
      case SCALAR_CONST:
        p->value[k] = s->number;
        break;
      case SCALAR_OP:
        p->value[k] = call_value(p, s);
        break;
    }
  }
  return p->value[p->def->n_body - 1];
}

// The next point of indices first..end in row-major order; false after the last.
static bool advance(Point *p, int first, int end) {
  for (int k = end - 1; k >= first; k--) {
    if (++p->index[k] < p->extent[k]) return true;
    p->index[k] = 0;
  }
  return false;
}

static bool box_is_empty(const Point *p, int first, int end) {
  for (int k = first; k < end; k++)
    if (p->extent[k] == 0) return true;
  return false;
}

static double nothing(Combine combine, DType type) {
  switch (combine) {
    case COMBINE_PROD:
      return 1;
    case COMBINE_MAX:
      return type == DT_I32 ? INT32_MIN : -(double)INFINITY;
    case COMBINE_MIN:
      return type == DT_I32 ? INT32_MAX : (double)INFINITY;
    default:
      return 0;
  }
}

// What has been combined so far.
typedef struct Total {
  double value;
  double best;  // ARGMAX, ARGMIN: the element at position `value`
  bool any;
} Total;

// A NaN is extreme, and the first of equals stays.
static bool more_extreme(Combine combine, double value, double best) {
  if (isnan(best)) return false;
  return isnan(value) || (combine == COMBINE_ARGMAX ? value > best : value < best);
}

static void take_position(Total *total, Combine combine, double value, int64_t position) {
  if (total->any && !more_extreme(combine, value, total->best)) return;
  *total = (Total){(double)position, value, true};
}

// One more element, which is inside or may count as 0.
static void take(Total *total, Combine combine, DType type, double value, int64_t position) {
  double pair[] = {total->value, value};
  switch (combine) {
    case COMBINE_MAP:
      total->value = value;
      break;
    case COMBINE_SUM:
      total->value = eval_pointwise(OP_add, type, pair);
      break;
    case COMBINE_PROD:
      total->value = eval_pointwise(OP_mul, type, pair);
      break;
    case COMBINE_MAX:
      total->value = eval_pointwise(OP_max, type, pair);
      break;
    case COMBINE_MIN:
      total->value = eval_pointwise(OP_min, type, pair);
      break;
    default:
      take_position(total, combine, value, position);
      break;
  }
}

static bool leaves_out(Combine combine) {
  return combine != COMBINE_MAP && combine != COMBINE_SUM && combine != COMBINE_PROD;
}

// The combined value over the reduced indices at the current output point.
static double reduce(Point *p) {
  Combine combine = p->def->combine;
  int first = p->def->n_out, end = first + p->def->n_red;
  Total total = {.value = nothing(combine, p->type)};
  if (box_is_empty(p, first, end)) return total.value;
  int64_t position = 0;
  do {
    bool outside;
    double value = body_value(p, &outside);
    if (!outside || !leaves_out(combine)) take(&total, combine, p->type, value, position);
    position++;
  } while (advance(p, first, end));
  return total.value;
}

// Extents at the symbols' values; false where the space or a read does not fit.
static bool resolve(const Evaluation *e, const Node *node, Point *p) {
  const IndexDef *def = node->index;
  int64_t points = 1, low, high;
  for (int k = 0; k < def->n_out + def->n_red; k++) {
    p->extent[k] = dim_value(def->extent[k], e->env->symbol_values);
    if (!checked_mul(points, p->extent[k], &points)) return false;
  }
  for (int k = 0; k < node->n_in; k++)
    for (int d = 0; d < def->reads[k].rank; d++)
      if (!index_range(&def->reads[k].at[d], def->extent, e->env->symbol_values, &low, &high)) return false;
  return true;
}

bool eval_index(const Evaluation *e, const Node *node, EvalTensor *result, const char **why) {
  const IndexDef *def = node->index;
  Point p = {.def = def, .type = def->body[def->n_body - 1].type};
  if (!resolve(e, node, &p)) {
    *why = "an index space does not fit 63 bits";
    return false;
  }
  p.operands = arena_array(e->arena, (size_t)node->n_in, sizeof *p.operands);
  for (int k = 0; k < node->n_in; k++) p.operands[k] = &e->values[node->in[k]];
  p.value = arena_array(e->arena, (size_t)def->n_body, sizeof *p.value);
  if (box_is_empty(&p, 0, def->n_out)) return true;
  double *out = result->data;
  do *out++ = reduce(&p);
  while (advance(&p, 0, def->n_out));
  return true;
}
