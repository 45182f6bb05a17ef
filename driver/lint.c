// See lint.h.
#include "lint.h"

#include <string.h>

static bool is_of(const Node *node, const char *layer) { return node->tag && strcmp(node->tag, layer) == 0; }

// Batch norm learns the variance that dropout makes in training, which is not there in inference (Li et al. 2019).
void lint_dropout(DiagSink *sink, const Graph *g) {
  bool *dropped = arena_array(sink->arena, g->n_nodes, sizeof *dropped);
  for (size_t n = 0; n < g->n_nodes; n++) {
    const Node *node = &g->nodes[n];
    for (int k = 0; k < node->n_in; k++) dropped[n] |= dropped[node->in[k]];
    if (dropped[n] && is_of(node, "batch_norm")) {
      diag_line(sink, diag_warning(sink, DIAG_E0340, node->span, "dropout stands in front of this batch norm"),
                DIAG_HELP, "inference has another variance than training then: put dropout behind the last batch norm");
      return;
    }
    dropped[n] |= is_of(node, "dropout");
  }
}

// How many points a node reduces over, the batch being so many rows.
static int64_t reduced_points(const IndexDef *def, int64_t batch) {
  int64_t points = 1;
  for (int k = def->n_out; k < def->n_out + def->n_red; k++)
    points *= def->extent[k].scale * (dim_is_const(def->extent[k]) ? 1 : batch);
  return points;
}

bool lint_norms(DiagSink *sink, const Graph *g, int64_t batch) {
  for (size_t n = 0; n < g->n_nodes; n++) {
    const Node *node = &g->nodes[n];
    bool reduces = node->op == OP_index && node->n_in > 0 && node->index->n_red > 0 && is_of(node, "batch_norm");
    if (!reduces || reduced_points(node->index, batch) != 1) continue;
    Diag *diag =
        diag_error(sink, DIAG_E0341, node->span,
                   "batch_norm does not apply: a batch of %lld has one value of each channel", (long long)batch);
    diag_line(sink, diag, DIAG_NOTE, "one value less its mean is 0, whatever the value");
    diag_line(sink, diag, DIAG_HELP, "a larger batch, or layer_norm, which does not look at the batch");
    return false;
  }
  return true;
}
