// Pass `cse`: common subexpressions. On exit no two nodes compute the same: names of indices, tags and places apart.
// The first of equals stays.
#include "rewrite.h"

#include <string.h>

// ---- hashing --------------------------------------------------------------------------------------------------------

typedef uint64_t Hash;

// FNV-1a over 64-bit words, with the high bits folded down.
static Hash mix(Hash h, uint64_t word) {
  h = (h ^ word) * 0x100000001b3u;
  return h ^ (h >> 29);
}

static Hash mix_number(Hash h, double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  return mix(h, bits);
}

static Hash mix_text(Hash h, const char *text) {
  for (; *text; text++) h = mix(h, (unsigned char)*text);
  return h;
}

static Hash mix_dims(Hash h, const Dim *dim, int count) {
  for (int k = 0; k < count; k++) h = mix(mix(h, (uint64_t)dim[k].scale), (uint64_t)dim[k].symbol);
  return mix(h, (uint64_t)count);
}

static Hash mix_expr(Hash h, const IndexExpr *e) {
  h = mix(mix(h, (uint64_t)e->offset), (uint64_t)e->divisor);
  for (int k = 0; k < e->n_terms; k++) h = mix(mix(h, (uint64_t)e->term[k].index), (uint64_t)e->term[k].coef);
  return mix(h, (uint64_t)e->kind);
}

static int args_of(const Scalar *s) {
  if (s->kind == SCALAR_OP) return op_info(s->op)->arity;
  return s->kind != SCALAR_CONST;
}

static Hash mix_scalar(Hash h, const Scalar *s) {
  h = mix(mix(h, (uint64_t)s->kind), (uint64_t)s->type);
  if (s->kind == SCALAR_CONST) return mix_number(h, s->number);
  if (s->kind == SCALAR_OP) h = mix(h, (uint64_t)s->op);
  for (int a = 0; a < args_of(s); a++) h = mix(h, (uint64_t)s->arg[a]);
  return h;
}

static Hash mix_index(Hash h, const IndexDef *def, int n_in) {
  h = mix_dims(mix(h, (uint64_t)def->combine), def->extent, def->n_out + def->n_red);
  h = mix(mix(h, (uint64_t)def->order.chunk), (uint64_t)def->order.lanes);
  h = mix(h, (uint64_t)def->order.winograd);
  for (int k = 0; k < n_in; k++)
    for (int d = 0; d < def->reads[k].rank; d++) h = mix_expr(h, &def->reads[k].at[d]);
  for (int k = 0; k < def->n_body; k++) h = mix_scalar(h, &def->body[k]);
  return h;
}

// `node` has its operands renamed.
static Hash hash_node(const Node *node) {
  Hash h = mix(mix(0xcbf29ce484222325u, (uint64_t)node->op), (uint64_t)node->type);
  h = mix_dims(h, node->shape.dim, node->shape.rank);
  for (int k = 0; k < node->n_in; k++) h = mix(h, (uint64_t)node->in[k]);
  h = mix_dims(mix(mix(h, (uint64_t)node->axis), node->stream), &node->rows, 1);
  if (node->name) h = mix_text(h, node->name);
  return node->op == OP_index ? mix_index(h, node->index, node->n_in) : mix_number(h, node->number);
}

// ---- comparing ------------------------------------------------------------------------------------------------------

// The definition with the other's names, so that names make no difference.
static bool same_node(const Node *a, const Node *b) {
  if (a->op != OP_index || b->op != OP_index) return node_equal(a, b);
  if (a->index->n_out != b->index->n_out || a->index->n_red != b->index->n_red) return false;
  IndexDef def = *b->index;
  Node renamed = *b;
  memcpy(def.name, a->index->name, sizeof def.name);
  renamed.index = &def;
  return node_equal(a, &renamed);
}

// ---- the table of nodes seen ----------------------------------------------------------------------------------------

typedef struct Slot {
  Hash hash;
  NodeId id;  // in the new graph
  bool used;
} Slot;

typedef struct Table {
  Slot *slots;
  size_t mask;  // slots - 1: a power of two, at most half full
} Table;

static Table table_new(Arena *arena, size_t nodes) {
  size_t slots = 16;
  while (slots < 2 * nodes) slots *= 2;
  return (Table){arena_array(arena, slots, sizeof(Slot)), slots - 1};
}

// The slot of a node equal to this one, or the free one where it would go.
static Slot *find_slot(const Table *table, const Graph *g, const Node *node, Hash hash) {
  size_t at = hash & table->mask;
  for (; table->slots[at].used; at = (at + 1) & table->mask) {
    const Slot *slot = &table->slots[at];
    if (slot->hash == hash && same_node(graph_node(g, slot->id), node)) break;
  }
  return &table->slots[at];
}

Graph *pass_cse(PassContext *ctx, const Graph *g) {
  Rewrite w = rewrite_begin(ctx, g);
  Table table = table_new(g->arena, g->n_nodes);
  for (; rewrite_more(&w); w.at++) {
    Node node = *rewrite_node(&w);
    NodeId *in = arena_array(g->arena, (size_t)node.n_in, sizeof *in);
    for (int k = 0; k < node.n_in; k++) in[k] = rewrite_operand(&w, k);
    node.in = in;
    Hash hash = hash_node(&node);
    Slot *slot = find_slot(&table, rewrite_graph(&w), &node, hash);
    if (slot->used) {
      rewrite_replace(&w, slot->id);
      continue;
    }
    rewrite_keep(&w);
    *slot = (Slot){hash, w.map[w.at], true};
  }
  return rewrite_end(&w);
}
