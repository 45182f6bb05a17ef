// Sums that a kernel over their points can carry.
#include "plan.h"

// [c | n, i, ..]: the points are [n, i, .., c].
static bool reads_points(const IndexDef *def, const Read *read) {
  if (read->rank != def->n_red + 1 || !index_is(&read->at[def->n_red], 0)) return false;
  for (int d = 0; d < def->n_red; d++)
    if (!index_is(&read->at[d], 1 + d)) return false;
  return true;
}

bool kernel_may_carry(const Node *sum) {
  const IndexDef *def = sum->index;
  bool plain = sum->type == DT_F32 && def->combine == COMBINE_SUM && def->order.chunk > 0 && def->order.lanes == 1;
  if (!plain || def->order.winograd || def->n_out != 1) return false;
  for (int k = 0; k < sum->n_in; k++)
    if (reads_points(def, &def->reads[k])) return true;
  return false;
}

bool kernel_sum_reads_point(const Node *sum, int k) { return reads_points(sum->index, &sum->index->reads[k]); }
