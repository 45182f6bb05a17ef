// The micro-kernel between the plan and LLVM: which sweeps it takes, what follows its sums.
#include "tiled.h"

#include "follow.h"
#include "product.h"
#include "tile.h"

int tiled_list(Arena *arena, const Sweep *sweep, const Target *target, Tiled **tiled) {
  const Kernel *kernel = sweep->kernel;
  bool reduces = sweep->kind == SWEEP_REDUCE || sweep->kind == SWEEP_CHUNKS;
  Contract contract;
  if (kernel->kind != KERNEL_CONTRACT || !reduces) return 0;
  if (!contract_analyse(arena, sweep->plan->graph, kernel->root, sweep->chunk, &contract)) return 0;
  Tiled all = {.sweep = sweep};
  if (sweep->kind == SWEEP_REDUCE) all.n_sums = sweep_sums(sweep->plan, kernel, all.sums);
  if (all.n_sums > 0) {
    dlc_assert(contract.n_phases == 1 && product_in_order(sweep->plan->graph, contract.root));
    contract.tally = all.sums[0].node->index->order.chunk;
  }
  all.contract = contract;
  *tiled = arena_array(arena, (size_t)contract.n_phases, sizeof **tiled);
  for (int k = 0; k < contract.n_phases; k++) {
    Tiled *t = &(*tiled)[k];
    *t = all;
    t->phase = &contract.phases[k];
    t->tile = contract_tile(t->phase, target, sweep->plan->symbol_values);
    t->shares = contract_shares(&contract, t->phase, t->tile, sweep->plan->symbol_values);
    t->blocking = contract_blocking(&contract, t->phase, t->tile, sweep->plan->symbol_values, &t->shares);
    t->local_bytes = t->blocking.local_bytes;
  }
  return contract.n_phases;
}

// ---- emission -------------------------------------------------------------------------------------------------------

void tiled_emit(Arena *arena, LLVMModuleRef module, const char *symbol, const Tiled *tiled) {
  const Kernel *kernel = tiled->sweep->kernel;
  const Node *root = tiled->contract.root;
  TileJob job = {.graph = tiled->sweep->plan->graph,
                 .contract = &tiled->contract,
                 .phase = tiled->phase,
                 .tile = tiled->tile,
                 .shares = tiled->shares,
                 .blocking = tiled->blocking,
                 .slot_a = lower_input_slot(kernel, root->in[tiled->contract.a]),
                 .slot_b = lower_input_slot(kernel, root->in[tiled->contract.b]),
                 .store = follow_store,
                 .n_sums = tiled->n_sums,
                 .begin = follow_begin,
                 .state = follow_new(arena, tiled->sweep, module)};
  for (int k = 0; k < tiled->n_sums; k++) job.slot_sum[k] = tiled->sums[k].slot;
  if (tiled->contract.chunk > 0) job.slot_scratch = lower_scratch_slot(kernel);
  tile_emit(module, symbol, &job);
}

// ---- text -----------------------------------------------------------------------------------------------------------

static void print_axis_key(const Axis *axis, Text *out) {
  text_printf(out, "%lld.%d %lld %lld %lld (", (long long)axis->extent.scale, axis->extent.symbol, (long long)axis->a,
              (long long)axis->b, (long long)axis->c);
  for (int p = 0; p < axis->n_parts; p++)
    text_printf(out, "%d %lld %lld %lld,", axis->part[p].index, (long long)axis->part[p].extent,
                (long long)axis->part[p].scale, (long long)axis->part[p].offset);
  text_add(out, ") ");
}

void tiled_key(Arena *arena, const Tiled *t, Text *out) {
  const Phase *p = t->phase;
  const Kernel *kernel = t->sweep->kernel;
  text_printf(
      out, "tile %d %d %d, %lld %d, blocks %d %lld %lld %d %lld, chunk %lld, a %d b %d, empty %d, at %lld %lld %lld:",
      t->tile.rows, t->tile.vectors, t->tile.lanes, (long long)t->shares.block_rows, t->shares.item_levels,
      t->blocking.level, (long long)t->blocking.size, (long long)t->blocking.panels, t->blocking.packs,
      (long long)t->blocking.packed_at, (long long)t->contract.chunk,
      lower_input_slot(kernel, t->contract.root->in[t->contract.a]),
      lower_input_slot(kernel, t->contract.root->in[t->contract.b]), p->empty, (long long)p->a0, (long long)p->b0,
      (long long)p->c0);
  for (int k = 0; k < p->n_outer; k++) print_axis_key(&p->outer[k], out);
  for (int k = 0; k < t->sweep->n_out; k++) text_printf(out, "%lld ", (long long)p->first[k]);
  text_add(out, "row ");
  print_axis_key(&p->row, out);
  text_add(out, "lane ");
  print_axis_key(&p->lane, out);
  for (int k = 0; k < p->n_red; k++) print_axis_key(&p->red[k], out);
  if (t->n_sums > 0) text_printf(out, "parts of %lld ", (long long)t->shares.part);
  for (int k = 0; k < t->n_sums; k++) text_printf(out, "sum %d ", t->sums[k].slot);
  if (kernel->scratch_bytes > 0) text_printf(out, "scratch %d ", lower_scratch_slot(kernel));
  int vars[IR_MAX_INDICES];
  if (t->contract.chunk == 0)
    nest_key(sweep_given(arena, t->sweep, t->tile.lanes, t->tile.lanes, vars), out);
  else
    text_printf(out, "%d arguments, %lld", lower_arg_count(kernel),
                (long long)shape_count(&t->contract.root->shape, NULL));
}

void tiled_print(Arena *arena, const Tiled *t, int indent, Text *out) {
  const Graph *g = t->sweep->plan->graph;
  int number = (int)(t->phase - t->contract.phases);
  if (t->contract.n_phases > 1)
    text_printf(out, "%*sresidue class %d of %d\n", indent, "", number + 1, t->contract.n_phases);
  contract_print_phase(&t->contract, g, t->phase, t->tile, &t->shares, &t->blocking, indent, out);
  int vars[IR_MAX_INDICES];
  if (t->contract.chunk == 0)
    nest_print(sweep_given(arena, t->sweep, t->tile.lanes, t->tile.lanes, vars), indent + 4, out);
}
