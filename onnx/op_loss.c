// Losses: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
#include <string.h>

#include "operators.h"

typedef struct Loss {
  Val *scores;  // [N, C, d..]: log-probabilities
  Val *label;   // [N, d..]
  Val *weight;  // [C], or NULL
  const char *reduction;
  bool ignores;
  int64_t ignored;  // labels that do not count
} Loss;

// "i, j, k" without the class's dimension, 1.
static const char *label_index(Im *m, int rank) {
  Text text = text_new(m->arena);
  for (int d = 0; d < rank; d++) text_printf(&text, "%s%s", d ? ", " : "", index_name(d ? d + 1 : 0));
  return text.bytes;
}

// What each place weighs, [N, d..]; NULL where all weigh 1.
static Val *place_weights(Im *m, const Loss *l, const char *at) {
  if (!l->weight && !l->ignores) return NULL;
  const char *counts = text_of(m, "$0[%s] == %s", at, int_text(m, l->ignored));
  if (!l->weight)
    return make_formula(m, ELEM_F32, l->label->rank, l->label->dim, at, text_of(m, "where(%s, 0.0, 1.0)", counts),
                        &l->label, 1);
  const char *hit =
      text_of(m, l->ignores ? "$0[%s] == v and $0[%s] != %s" : "$0[%s] == v", at, at, int_text(m, l->ignored));
  return make_formula(m, ELEM_F32, l->label->rank, l->label->dim, at, text_of(m, "sum(v) where(%s, $1[v], 0.0)", hit),
                      (Val *[]){l->label, l->weight}, 2);
}

static Val *loss_value(Im *m, const Loss *l) {
  int rank = l->label->rank;
  const char *at = label_index(m, rank);
  Text read = text_new(m->arena);
  for (int d = 0; d < l->scores->rank; d++) text_printf(&read, "%s%s", d ? ", " : "", d == 1 ? "v" : index_name(d));
  const char *text = text_of(m, "sum(v) where($1[%s] == v, -$0[%s], 0.0)", at, read.bytes);
  Val *picked = make_formula(m, ELEM_F32, rank, l->label->dim, at, text, (Val *[]){l->scores, l->label}, 2);
  Val *weights = place_weights(m, l, at);
  Val *loss = weights ? make_pointwise(m, ELEM_F32, "$0 * $1", (Val *[]){picked, weights}, 2) : picked;
  if (!strcmp(l->reduction, "none")) return loss;
  bool all[MAX_RANK];
  memset(all, true, sizeof all);
  bool mean = !strcmp(l->reduction, "mean");
  if (!weights || !mean) return make_reduced(m, loss, mean ? "mean" : "sum", all, false);
  Val *total = make_reduced(m, loss, "sum", all, false), *count = make_reduced(m, weights, "sum", all, false);
  return make_expr(m, ELEM_F32, 0, NULL, "$0 / $1", (Val *[]){total, count}, 2);
}

static bool read_loss(Im *m, const Node *node, Loss *l) {
  *l = (Loss){.scores = val_plain(m, node->in[0]), .label = val_plain(m, node->in[1]), .weight = operand(node, 2)};
  l->reduction = attribute_text(m, node, "reduction", "mean");
  l->ignores = attribute(node, "ignore_index") != NULL;
  l->ignored = attribute_int(node, "ignore_index", 0);
  bool fits = l->scores->rank == l->label->rank + 1 && l->label->rank >= 1;
  for (int d = 0; fits && d < l->label->rank; d++) fits = size_equal(l->label->dim[d], l->scores->dim[d ? d + 1 : 0]);
  if (!fits || l->label->type != ELEM_I32 || !need_float(m, l->scores) || l->scores->dim[1].batch)
    return refuse(m, "its labels do not fit its scores");
  return !l->weight || l->weight->rank == 1 || refuse(m, "its weights are no number for each class");
}

bool op_nll(Im *m, Node *node, const char *kind) {
  (void)kind;
  Loss l;
  return read_loss(m, node, &l) && done(node, loss_value(m, &l));
}

bool op_softmax_cross_entropy(Im *m, Node *node, const char *kind) {
  (void)kind;
  Loss l;
  if (!read_loss(m, node, &l)) return false;
  l.scores = make_call(m, l.scores, "log_softmax", l.scores->rank == 2 ? NULL : "axis = 1");
  if (wants(node, 1)) node->out[1] = l.scores;
  return done(node, loss_value(m, &l));
}
