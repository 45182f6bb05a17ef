// What follows a micro-kernel's sum, from the sweep's nest of stores.
#include "follow.h"

enum { MOST_KINDS = 4 };

// The nests of stores: for whole vectors and for the last, partial one of a row.
typedef struct Kind {
  int lanes, live;
  Nest *nest;
  int vars[IR_MAX_INDICES];
} Kind;

struct Follow {
  Arena *arena;
  const Sweep *sweep;
  LLVMModuleRef module;
  LLVMValueRef function;
  LLVMValueRef *base;  // [arguments]
  Kind kinds[MOST_KINDS];
  int n_kinds;
};

Follow *follow_new(Arena *arena, const Sweep *sweep, LLVMModuleRef module) {
  Follow *f = arena_alloc(arena, sizeof *f);
  *f = (Follow){.arena = arena, .sweep = sweep, .module = module};
  return f;
}

void follow_begin(void *follow, LLVMBuilderRef builder, LLVMValueRef function) {
  Follow *f = follow;
  int n = lower_arg_count(f->sweep->kernel);
  f->function = function;
  f->base = arena_array(f->arena, (size_t)n, sizeof *f->base);
  for (int k = 0; k < n; k++) f->base[k] = emit_argument(builder, function, k);
}

LLVMValueRef follow_base(const Follow *follow, int slot) { return follow->base[slot]; }

static const Kind *kind_for(Follow *f, int lanes, int live) {
  for (int k = 0; k < f->n_kinds; k++)
    if (f->kinds[k].lanes == lanes && f->kinds[k].live == live) return &f->kinds[k];
  dlc_assert(f->n_kinds < MOST_KINDS);
  Kind *kind = &f->kinds[f->n_kinds++];
  kind->lanes = lanes, kind->live = live;
  kind->nest = sweep_given(f->arena, f->sweep, lanes, live, kind->vars);
  return kind;
}

void follow_store(void *follow, LLVMBuilderRef builder, const LLVMValueRef *index, LLVMValueRef value, int lanes,
                  int live, LLVMValueRef *acc) {
  Follow *f = follow;
  const Kind *kind = kind_for(f, lanes, live);
  LLVMValueRef *vars = arena_array(f->arena, kind->nest->pool.n_vars, sizeof *vars);
  for (int k = 0; k < f->sweep->n_out; k++) vars[kind->vars[k]] = index[k];
  EmitGiven given = {.function = f->function, .base = f->base, .vars = vars, .value = value, .acc = acc};
  emit_given(f->arena, builder, f->module, kind->nest, &given);
}
