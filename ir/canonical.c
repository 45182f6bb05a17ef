// The one form of an index node: what the builder makes of any definition that means the same. It makes the text form
// unambiguous and equal nodes equal.
#include "inside.h"

#include <string.h>

// ---- names --------------------------------------------------------------------------------------------------------

bool name_is_reserved(const char *name, size_t length) {
  static const char *const words[] = {"true", "false", "nan", "inf"};
  for (size_t k = 0; k < sizeof words / sizeof *words; k++)
    if (strlen(words[k]) == length && !strncmp(words[k], name, length)) return true;
  size_t digits = 1;
  while (digits < length && ascii_digit(name[digits])) digits++;
  return name[0] == 't' && length > 1 && digits == length;
}

bool name_is_word(const char *name) {
  if (!name || !ascii_word(*name) || ascii_digit(*name)) return false;
  for (const char *c = name; *c; c++)
    if (!ascii_word(*c)) return false;
  return true;
}

bool name_is_plain(const char *name) { return name_is_word(name) && !name_is_reserved(name, strlen(name)); }

static bool name_taken(const IndexDef *def, int before, const char *name) {
  for (int k = 0; k < before; k++)
    if (!strcmp(def->name[k], name)) return true;
  return false;
}

const char *index_default_name(int k) {
  static const char *const names[IR_MAX_INDICES] = {"i", "j", "k", "l", "m", "n", "p", "q", "u", "v", "w", "z"};
  return names[k];
}

// Index k's name: as given where it can be, with a number behind it where an earlier index has the same.
static void name_index(Arena *arena, IndexDef *def, int k) {
  const char *base = name_is_word(def->name[k]) ? def->name[k] : index_default_name(k);
  if (!name_is_plain(base)) base = arena_printf(arena, "%s_", base);
  def->name[k] = base;
  for (int n = 2; name_taken(def, k, def->name[k]); n++) def->name[k] = arena_printf(arena, "%s%d", base, n);
}

// ---- body ---------------------------------------------------------------------------------------------------------

static int scalar_arity(const Scalar *s) { return s->kind == SCALAR_OP ? op_info(s->op)->arity : 0; }

// Leaves out instructions that the last one does not need.
static void drop_dead(Arena *arena, IndexDef *def) {
  int *place = arena_array(arena, (size_t)def->n_body, sizeof *place);  // 0: dead, else new number + 1
  place[def->n_body - 1] = 1;
  for (int k = def->n_body - 1; k >= 0; k--)
    for (int a = 0; place[k] && a < scalar_arity(&def->body[k]); a++) place[def->body[k].arg[a]] = 1;
  int kept = 0;
  for (int k = 0; k < def->n_body; k++) {
    if (!place[k]) continue;
    Scalar s = def->body[k];
    for (int a = 0; a < scalar_arity(&s); a++) s.arg[a] = place[s.arg[a]] - 1;
    def->body[kept++] = s;
    place[k] = kept;
  }
  def->n_body = kept;
}

// Are the operands numbered so already?
static bool operands_numbered(const IndexDef *def, const NodeId *in, int n_in) {
  int used = 0;
  for (int k = 0; k < def->n_body; k++) {
    const Scalar *s = &def->body[k];
    if (s->kind != SCALAR_READ || s->arg[0] < used) continue;
    if (s->arg[0] != used) return false;
    for (int at = 0; at < used; at++)
      if (in[at] == in[used] && read_equal(&def->reads[at], &def->reads[used])) return false;
    used++;
  }
  return used == n_in;
}

// Numbers the operands in the order in which the body first reads them; equal reads of one tensor become one operand.
static void renumber_operands(Arena *arena, IndexDef *def, NodeId *in, int *n_in) {
  if (operands_numbered(def, in, *n_in)) return;
  Read *reads = arena_array(arena, (size_t)*n_in, sizeof *reads);
  NodeId *ids = arena_array(arena, (size_t)*n_in, sizeof *ids);
  int used = 0;
  for (int k = 0; k < def->n_body; k++) {
    Scalar *s = &def->body[k];
    if (s->kind != SCALAR_READ) continue;
    int at = 0, old = s->arg[0];
    while (at < used && !(ids[at] == in[old] && read_equal(&reads[at], &def->reads[old]))) at++;
    if (at == used) {
      ids[used] = in[old];
      reads[used++] = def->reads[old];
    }
    s->arg[0] = at;
  }
  memcpy(in, ids, (size_t)used * sizeof *in);
  def->reads = reads;
  *n_in = used;
}

// Types that follow from others, and constants as compiled code sees them: rounded to float.
static void settle_values(const Graph *g, IndexDef *def, const NodeId *in) {
  for (int k = 0; k < def->n_body; k++) {
    Scalar *s = &def->body[k];
    DType args[3];
    for (int a = 0; a < scalar_arity(s); a++) args[a] = def->body[s->arg[a]].type;
    if (s->kind == SCALAR_READ) s->type = graph_node(g, in[s->arg[0]])->type;
    if (s->kind == SCALAR_INDEX) s->type = DT_I32;
    if (s->kind == SCALAR_CONST && s->type == DT_F32) s->number = (double)(float)s->number;
    if (s->kind == SCALAR_OP) op_result_type(s->op, args, &s->type);  // the verifier says where they do not suit
  }
}

static void normalise_read(Read *read) {
  for (int d = 0; d < read->rank; d++) {
    IndexExpr *e = &read->at[d];
    if (e->kind == DIV_NONE) e->divisor = 1;
    if (e->divisor == 1) e->kind = DIV_NONE;
  }
}

void index_canonicalise(const Graph *g, IndexDef *def, NodeId *in, int *n_in) {
  Arena *arena = g->arena;
  for (int k = 0; k < def->n_out + def->n_red; k++) name_index(arena, def, k);
  for (int k = 0; k < *n_in; k++) normalise_read(&def->reads[k]);
  if (def->n_red == 0 && (def->combine == COMBINE_SUM || def->combine == COMBINE_PROD)) def->combine = COMBINE_MAP;
  if (def->combine == COMBINE_MAP) def->order = (Order){0};
  if (def->order.lanes == 0) def->order.lanes = 1;
  drop_dead(arena, def);
  renumber_operands(arena, def, in, n_in);
  settle_values(g, def, in);
}
