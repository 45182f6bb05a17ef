// Index definitions: `c[i, j] = sum(k) a[i, k] * b[k, j] where ...` becomes index nodes of the graph.
//
// Each reduction is one node whose body is the formula under it; a reduction inside another expression is computed
// first, as a tensor over the indices that it uses. What stands outside of reductions is one more node, or plain
// pointwise nodes where every tensor is read at the result's own place. Operators and functions mean on single elements
// what they mean elsewhere: the elaborator runs them on scalars.
//
// An index's range is what `where` says, else the size of every dimension that the index alone reads. A reduced index
// may start anywhere, one of the result's starts at 0.
#pragma once
#include "elab.h"

// Elaborates a STMT_INDEX and binds its name in `scope`. False after reporting (E013x, E021x), or where a value in it
// is poison; then nothing is bound.
bool formula_elaborate(Elab *e, Scope *scope, const Stmt *stmt);
