// What the files of this room share with each other. Other rooms include ir.h only.
#pragma once
#include "hash.h"
#include "ir.h"

// Appends a node whose fields are already right and returns its id.
NodeId graph_append(Graph *g, const Node *node);

// The result's type and shape by the op's rule, for a node whose op, operands and attributes are set; a source's type
// and shape (and a reshape's, random's shape) are taken from the node itself. Operand ids must be valid. False with the
// reason in *why when the operands do not suit the op.
bool node_infer(const Graph *g, const Node *node, DType *type, Shape *shape, Text *why);

// Every invariant of one node: nodes before it are taken to be right.
bool node_verify(const Graph *g, NodeId id, Text *why);
// The graph's inputs, params and states by op and name (graph_source_key), whose nodes verify.
HashTable graph_sources(const Graph *g);
Hash graph_source_key(Op op, const char *name);
// Every invariant of one output; `sources` are the graph's.
bool output_verify(const Graph *g, const HashTable *sources, size_t output, Text *why);

// A dimension that can stand in a shape of this graph: constants >= 0, symbols that exist, times at least 1.
bool dim_valid(const Graph *g, Dim d);
void dim_print(Dim d, const char *const *symbols, int n_symbols, Text *out);
void type_print(const Graph *g, DType type, const Shape *shape, Text *out);  // "f32[N,28]"

// Do two shapes hold equally many elements whatever the symbols' values? Works for products of symbols too.
bool shape_same_elements(const Shape *a, const Shape *b);

// Letters and digits, whatever the host's locale.
static inline bool ascii_digit(int c) { return c >= '0' && c <= '9'; }
static inline bool ascii_word(int c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || ascii_digit(c);
}

// A word, which can name a symbol: a letter or '_', then letters, digits, '_'.
bool name_is_word(const char *name);
// One that can name an index too: none of those that mean something in a body (true, false, nan, inf, t0, t1, ..).
bool name_is_plain(const char *name);
bool name_is_reserved(const char *name, size_t length);
const char *index_default_name(int k);  // "i", "j", "k", ..

// Brings an index node's definition into its one canonical form, in place; `in` and *n_in may shrink. What is canonical
// is said at build_index (ir.h). Counts, instruction arguments and operand ids must be in range.
void index_canonicalise(const Graph *g, IndexDef *def, NodeId *in, int *n_in);
bool read_equal(const Read *a, const Read *b);
bool number_equal(double a, double b);  // same bits, or both NaN
