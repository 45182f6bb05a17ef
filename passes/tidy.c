// Pass `tidy`: the simplifications again, after a pass that has made something new. On exit none of them changes
// anything more, unless the last round still did.
#include "passes.h"

enum { MOST_ROUNDS = 4 };

Graph *pass_tidy(PassContext *ctx, const Graph *g) {
  static const PassFn row[] = {pass_canonicalise, pass_fold, pass_simplify, pass_cse, pass_dce};
  const Graph *before = NULL;
  for (int round = 0; round < MOST_ROUNDS && g != before; round++) {
    before = g;
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) g = row[k](ctx, g);
  }
  return (Graph *)g;  // unchanged where it is the caller's own
}
