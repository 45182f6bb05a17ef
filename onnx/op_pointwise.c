// Operators that work element by element.
#include <math.h>
#include <string.h>

#include "operators.h"

bool op_call(Im *m, Node *node, const char *kind) {
  Val *x = node->in[0];
  bool any = !strcmp(kind, "abs") || !strcmp(kind, "sign");
  if (x->type == ELEM_BOOL || (!any && !need_float(m, x))) return refuse(m, "dlc computes it for numbers only");
  return done(node, make_call(m, x, kind, NULL));
}

bool op_pointwise(Im *m, Node *node, const char *kind) {
  Val *x = node->in[0];
  bool any = !strcmp(kind, "-$0") && x->type != ELEM_BOOL;
  if (!any && !need_float(m, x)) return false;
  return done(node, make_pointwise(m, x->type, kind, node->in, 1));
}

// Before version 7 the second operand's dimensions begin at the first's axis `axis`.
static Val *aligned(Im *m, const Node *node) {
  Val *a = node->in[0], *b = node->in[1];
  int64_t axis = attribute_int(node, "axis", (int64_t)a->rank - b->rank);
  if (m->opset >= 7 || !attribute(node, "axis") || axis < 0 || axis + b->rank >= a->rank) return b;
  Size dim[MAX_RANK];
  int rank = a->rank - (int)axis;
  for (int d = 0; d < rank && d < MAX_RANK; d++) dim[d] = d < b->rank ? b->dim[d] : size_of(1);
  return val_reshaped(m, b, rank, dim);
}

static bool types_agree(Im *m, const Val *a, const Val *b) {
  return a->type == b->type || refuse(m, "its operands have different types");
}

bool op_binary(Im *m, Node *node, const char *kind) {
  Val *in[2] = {node->in[0], aligned(m, node)};
  bool logical = strstr(kind, "and") || strstr(kind, "or");
  if (!types_agree(m, in[0], in[1])) return false;
  if (logical != (in[0]->type == ELEM_BOOL)) return refuse(m, "its operands have the wrong type");
  if (in[0]->type == ELEM_I32 && strchr(kind, '/'))  // toward zero
    kind = "sign($0) * sign($1) * (abs($0) // abs($1))";
  return done(node, make_pointwise(m, in[0]->type, kind, in, 2));
}

bool op_compare(Im *m, Node *node, const char *kind) {
  Val *in[2] = {node->in[0], node->n_in > 1 ? aligned(m, node) : NULL};
  if (in[1] && !types_agree(m, in[0], in[1])) return false;
  bool logical = in[0]->type == ELEM_BOOL, takes = strstr(kind, "not") || strstr(kind, "!= $1") || strstr(kind, "==");
  if (logical && !takes) return refuse(m, "truth values have no order");
  if (!logical && (strstr(kind, "not") || strstr(kind, "!= $1"))) return refuse(m, "its operands have the wrong type");
  return done(node, make_pointwise(m, ELEM_BOOL, kind, in, in[1] ? 2 : 1));
}

bool op_several(Im *m, Node *node, const char *kind) {
  bool mean = !strcmp(kind, "mean");
  Val *total = node->in[0];
  if (total->type == ELEM_BOOL || (mean && !need_float(m, total))) return refuse(m, "dlc computes it for numbers only");
  for (int k = 1; k < node->n_in; k++) {
    if (!node->in[k]) return refuse(m, "operand %d is missing", k + 1);
    if (!types_agree(m, total, node->in[k])) return false;
    total = make_pointwise(m, total->type, mean ? "$0 + $1" : kind, (Val *[]){total, node->in[k]}, 2);
    if (!total) return false;
  }
  if (mean && node->n_in > 1) total = make_pointwise(m, ELEM_F32, text_of(m, "$0 / %d.0", node->n_in), &total, 1);
  return done(node, total);
}

// @ in the expression stands for the attribute alpha.
bool op_alpha(Im *m, Node *node, const char *kind) {
  if (!need_float(m, node->in[0])) return false;
  Text text = text_new(m->arena);
  const char *alpha = float_text(m, (double)attribute_float(node, "alpha", 1.0f));
  for (; *kind; kind++) {
    if (*kind == '@')
      text_add(&text, alpha);
    else
      text_add_n(&text, kind, 1);
  }
  return done(node, make_pointwise(m, ELEM_F32, text.bytes, node->in, 1));
}

bool op_slope(Im *m, Node *node, const char *kind) {
  bool leaky = !strcmp(kind, "leaky_relu");
  float otherwise = leaky ? 0.01f : 1.0f, alpha = attribute_float(node, "alpha", otherwise);
  if (!need_float(m, node->in[0])) return false;
  return done(node, make_call(m, node->in[0], kind, alpha == otherwise ? NULL : float_argument(m, (double)alpha)));
}

bool op_selu(Im *m, Node *node, const char *kind) {
  (void)kind;
  double alpha = (double)attribute_float(node, "alpha", 1.67326319217681884765625f);
  double gamma = (double)attribute_float(node, "gamma", 1.05070102214813232421875f);
  if (!need_float(m, node->in[0])) return false;
  if (fabs(alpha - 1.6732632) < 1e-6 && fabs(gamma - 1.0507010) < 1e-6)
    return done(node, make_call(m, node->in[0], "selu", NULL));
  const char *text = text_of(m, "elu($0, %s) * %s", float_argument(m, alpha), float_text(m, gamma));
  return done(node, make_pointwise(m, ELEM_F32, text, node->in, 1));
}

bool op_gelu(Im *m, Node *node, const char *kind) {
  (void)kind;
  if (!need_float(m, node->in[0])) return false;
  if (!strcmp(attribute_text(m, node, "approximate", "none"), "none"))
    return done(node, make_call(m, node->in[0], "gelu", NULL));
  const char *text = "0.5 * $0 * (1.0 + tanh(0.7978845608028654 * ($0 + 0.044715 * $0 * $0 * $0)))";
  return done(node, make_pointwise(m, ELEM_F32, text, node->in, 1));
}

bool op_clip(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *in[3] = {node->in[0]};
  const char *low = NULL, *high = NULL;
  int n = 1;
  if (m->opset < 11) {
    if (attribute(node, "min")) low = float_argument(m, (double)attribute_float(node, "min", 0));
    if (attribute(node, "max")) high = float_argument(m, (double)attribute_float(node, "max", 0));
  } else {
    if (operand(node, 1)) low = text_of(m, "$%d", n), in[n++] = node->in[1];
    if (operand(node, 2)) high = text_of(m, "$%d", n), in[n++] = node->in[2];
  }
  for (int k = 1; k < n; k++)
    if (!types_agree(m, in[0], in[k])) return false;
  if (in[0]->type == ELEM_BOOL) return refuse(m, "dlc computes it for numbers only");
  if (!low && !high) return done(node, in[0]);
  const char *text = low && high ? text_of(m, "clip($0, %s, %s)", low, high)
                                 : text_of(m, "%s($0, %s)", low ? "max" : "min", low ? low : high);
  return done(node, make_pointwise(m, in[0]->type, text, in, n));
}

bool op_hard_sigmoid(Im *m, Node *node, const char *kind) {
  (void)kind;
  const char *alpha = float_text(m, (double)attribute_float(node, "alpha", 0.2f));
  const char *beta = float_text(m, (double)attribute_float(node, "beta", 0.5f));
  if (!need_float(m, node->in[0])) return false;
  return done(node, make_pointwise(m, ELEM_F32, text_of(m, "clip($0 * %s + %s, 0.0, 1.0)", alpha, beta), node->in, 1));
}

bool op_shrink(Im *m, Node *node, const char *kind) {
  (void)kind;
  float lambda = attribute_float(node, "lambd", 0.5f);
  const char *bias = float_text(m, (double)attribute_float(node, "bias", 0)), *high = float_text(m, (double)lambda),
             *low = float_text(m, -(double)lambda);
  if (!need_float(m, node->in[0])) return false;
  const char *text = text_of(m, "where($0 < %s, $0 + %s, where($0 > %s, $0 - %s, 0.0))", low, bias, high, bias);
  return done(node, make_pointwise(m, ELEM_F32, text, node->in, 1));
}

bool op_prelu(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0], *slope = node->in[1];
  if (!need_float(m, x) || !types_agree(m, x, slope)) return false;
  if (m->opset < 7 && slope->rank == 1 && x->rank > 2) {  // a slope for each channel
    Size dim[MAX_RANK] = {slope->dim[0]};
    for (int d = 1; d < x->rank - 1; d++) dim[d] = size_of(1);
    slope = val_reshaped(m, slope, x->rank - 1, dim);
  }
  return done(node, make_pointwise(m, ELEM_F32, "where($0 > 0.0, $0, $1 * $0)", (Val *[]){x, slope}, 2));
}

bool op_pow(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *in[2] = {node->in[0], aligned(m, node)};
  double power;
  if (in[0]->type == ELEM_BOOL || in[1]->type == ELEM_BOOL) return refuse(m, "dlc computes it for numbers only");
  if (in[0]->type == ELEM_F32 && known_uniform(in[1]->known, &power) && in[1]->known->count == 1 &&
      power == floor(power) && fabs(power) < 1024)
    return done(node, make_pointwise(m, ELEM_F32, text_of(m, "$0 ** %s", int_text(m, (int64_t)power)), in, 1));
  if (in[0]->type == ELEM_F32) return done(node, make_pointwise(m, ELEM_F32, "$0 ** $1", in, 2));
  return done(node, make_pointwise(m, ELEM_I32, "i32(floor(f32($0) ** f32($1) + 0.5))", in, 2));
}

bool op_mod(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *a = node->in[0];
  bool c = attribute_int(node, "fmod", 0) != 0;
  if (a->type == ELEM_BOOL || !types_agree(m, a, node->in[1])) return refuse(m, "dlc computes it for numbers only");
  return done(node, make_pointwise(m, a->type, c ? "sign($0) * (abs($0) % abs($1))" : "$0 % $1", node->in, 2));
}

// Halves go to the even neighbour.
bool op_round(Im *m, Node *node, const char *kind) {
  (void)kind;
  if (!need_float(m, node->in[0])) return false;
  Val *up = make_pointwise(m, ELEM_F32, "floor($0 + 0.5)", node->in, 1);
  const char *text = "$0 - f32($0 == $1 + 0.5 and $0 % 2.0 == 1.0)";
  return done(node, make_pointwise(m, ELEM_F32, text, (Val *[]){up, node->in[0]}, 2));
}

bool op_is_inf(Im *m, Node *node, const char *kind) {
  (void)kind;
  bool high = attribute_int(node, "detect_positive", 1), low = attribute_int(node, "detect_negative", 1);
  if (!need_float(m, node->in[0])) return false;
  const char *text = high && low ? "abs($0) == -log(0.0)" : high ? "$0 == -log(0.0)" : "$0 == log(0.0)";
  return done(node, make_pointwise(m, ELEM_BOOL, high || low ? text : "$0 != $0 and $0 == $0", node->in, 1));
}

bool op_where(Im *m, Node *node, const char *kind) {
  (void)kind;
  if (node->in[0]->type != ELEM_BOOL || !types_agree(m, node->in[1], node->in[2]))
    return refuse(m, "its operands have the wrong type");
  Val *yes = node->in[1], *no = node->in[2];
  if (yes->type == ELEM_BOOL)
    return done(node, make_pointwise(m, ELEM_BOOL, "$0 and $1 or not $0 and $2", node->in, 3));
  return done(node, make_pointwise(m, yes->type, "where($0, $1, $2)", (Val *[]){node->in[0], yes, no}, 3));
}

bool op_cast(Im *m, Node *node, const char *kind) {
  (void)kind;
  Elem type;
  int64_t to = attribute_int(node, "to", 0);
  if (!elem_of((int32_t)to, &type) || is_double(to)) return refuse(m, "dlc has no such type");
  return done(node, make_converted(m, node->in[0], type));
}

bool op_cast_like(Im *m, Node *node, const char *kind) {
  (void)kind;
  return done(node, make_converted(m, node->in[0], node->in[1]->type));
}

bool op_identity(Im *m, Node *node, const char *kind) {
  (void)m, (void)kind;
  return done(node, node->in[0]);
}

// What stays where fold.c could not compute it.
bool op_constant(Im *m, Node *node, const char *kind) {
  (void)kind;
  int64_t list[MAX_RANK];
  for (int k = 0; k < node->n_in; k++)
    if (node->in[k] && known_list(m, node->in[k], "a size", list, MAX_RANK) < 0) return false;
  return refuse(m, "its value is not known when the program is made, or of a kind that dlc lacks");
}

static Val *all_true(Im *m, const Val *x) {
  int64_t dim[MAX_RANK] = {0};
  if (!val_static(x)) return refuse(m, "its mask depends on the batch"), NULL;
  for (int d = 0; d < x->rank; d++) dim[d] = x->dim[d].scale;
  Known *k = known_new(m, ELEM_BOOL, x->rank, dim);
  for (int64_t n = 0; n < k->count; n++) ((int64_t *)k->i)[n] = 1;
  return val_of_known(m, k);
}

bool op_dropout(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0];
  double p = (double)attribute_float(node, "ratio", 0.5f), training = 0;
  if (operand(node, 1) && !known_scalar(node->in[1], &p)) p = 0.5;
  if (operand(node, 2) && !known_scalar(node->in[2], &training))
    return known_list(m, node->in[2], "training_mode", (int64_t[1]){0}, 1) < 0 ? false : false;
  if (operand(node, 1) && training != 0 && !known_scalar(node->in[1], &p)) training = 2;
  if (training != 0 && p != 0) return refuse(m, "dropout that is on in inference is random");
  if (wants(node, 1) && !(node->out[1] = all_true(m, x))) return false;
  bool layer = x->type == ELEM_F32 && x->var && p > 0 && p < 1 && training == 0;
  return done(node, layer ? make_call(m, x, "dropout", float_argument(m, p)) : x);
}
