// Every operator's function, op_NAME, declared from the table.
#pragma once
#include "inside.h"

enum { MANY = MAX_OPERANDS };

#define FUNCTION(name) bool op_##name(Im *m, Node *node, const char *kind)
FUNCTION(call);
FUNCTION(pointwise);
FUNCTION(binary);
FUNCTION(compare);
FUNCTION(several);
FUNCTION(alpha);
FUNCTION(slope);
FUNCTION(selu);
FUNCTION(gelu);
FUNCTION(clip);
FUNCTION(hard_sigmoid);
FUNCTION(shrink);
FUNCTION(prelu);
FUNCTION(pow);
FUNCTION(mod);
FUNCTION(round);
FUNCTION(is_inf);
FUNCTION(where);
FUNCTION(cast);
FUNCTION(cast_like);
FUNCTION(identity);
FUNCTION(dropout);
FUNCTION(constant);
FUNCTION(reduce);
FUNCTION(arg);
FUNCTION(softmax);
FUNCTION(hardmax);
FUNCTION(cumsum);
FUNCTION(top_k);
FUNCTION(conv);
FUNCTION(conv_transpose);
FUNCTION(max_pool);
FUNCTION(average_pool);
FUNCTION(global_pool);
FUNCTION(batch_norm);
FUNCTION(instance_norm);
FUNCTION(layer_norm);
FUNCTION(group_norm);
FUNCTION(mean_variance_norm);
FUNCTION(lrn);
FUNCTION(gemm);
FUNCTION(matmul);
FUNCTION(einsum);
FUNCTION(reshape);
FUNCTION(flatten);
FUNCTION(squeeze);
FUNCTION(unsqueeze);
FUNCTION(transpose);
FUNCTION(concat);
FUNCTION(split);
FUNCTION(slice);
FUNCTION(pad);
FUNCTION(expand);
FUNCTION(tile);
FUNCTION(resize);
FUNCTION(depth_to_space);
FUNCTION(space_to_depth);
FUNCTION(gather);
FUNCTION(gather_elements);
FUNCTION(gather_nd);
FUNCTION(scatter_elements);
FUNCTION(scatter_nd);
FUNCTION(one_hot);
FUNCTION(eye_like);
FUNCTION(trilu);
FUNCTION(nll);
FUNCTION(softmax_cross_entropy);
#undef FUNCTION

// Makes a result; false with m->why set where it is NULL.
static inline bool done(Node *node, Val *v) {
  node->out[0] = v;
  return v != NULL;
}

// Is the node's result k wanted?
static inline bool wants(const Node *node, int k) {
  return (size_t)k < node->proto->n_output && *node->proto->output[k];
}

// An operand, or NULL where it is left out.
static inline Val *operand(const Node *node, int k) { return k < node->n_in ? node->in[k] : NULL; }

static inline bool need_float(Im *m, const Val *v) {
  return v->type == ELEM_F32 || refuse(m, "dlc computes it for floats only");
}

// "axis = 1" of the physical axis; the text of a list of numbers, or of the number that they all are.
const char *numbers_text(Im *m, const int64_t *list, int n);
// Taking some of the elements along physical dimensions: element i of dimension p is element start[p] + i * step[p].
Val *make_slice(Im *m, Val *x, const int64_t *start, const int64_t *step, const Size *size);
// An expression over tensors as they lie in the program, with the result of `like`'s shape and order.
Val *make_alike(Im *m, const Val *like, Elem type, const char *text, Val *const *in, int n);
// Reduces physical dimensions by a function of the library; `keep` leaves them with size 1.
Val *make_reduced(Im *m, Val *x, const char *function, const bool *reduced, bool keep);
// x read at table[i] along a physical dimension.
Val *make_picked(Im *m, Val *x, int p, const int64_t *table, int64_t n);
// A known vector of whole numbers, or a matrix, that training leaves alone.
Val *known_numbers(Im *m, const int64_t *list, int64_t n);
