// Two ways of packing. Up to PACK_GREEDY_MOST blocks: largest first, each at the lowest offset that is free for as long
// as it lives ("greedy by size", Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020);
// quadratic, and within a few per cent of the best. Beyond: in order of time, first fit among the holes; near linear.
#include "plan_pack.h"

#include <stdlib.h>
#include <string.h>

#include "checked.h"

enum { PACK_GREEDY_MOST = 4096, PAGE = 4096, STAGGER = 3 * PACK_ALIGN };

// What a block takes up, with alignment and stagger.
static int64_t room(const Block *block) {
  int64_t bytes = (block->bytes + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
  return bytes % PAGE == 0 ? bytes + STAGGER : bytes;
}

static int compare_sizes(const void *a, const void *b) {
  const Block *x = *(Block *const *)a, *y = *(Block *const *)b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  if (x->first != y->first) return x->first - y->first;
  return (x > y) - (x < y);
}

static int compare_firsts(const void *a, const void *b) {
  const Block *x = *(Block *const *)a, *y = *(Block *const *)b;
  if (x->first != y->first) return x->first - y->first;
  return (x > y) - (x < y);
}

static int compare_lasts(const void *a, const void *b) {
  const Block *x = *(Block *const *)a, *y = *(Block *const *)b;
  if (x->last != y->last) return x->last - y->last;
  return (x > y) - (x < y);
}

static Block **sorted(Arena *arena, Block *blocks, size_t n, int (*compare)(const void *, const void *)) {
  Block **order = arena_array(arena, n, sizeof *order);
  for (size_t k = 0; k < n; k++) order[k] = &blocks[k];
  qsort(order, n, sizeof *order, compare);
  return order;
}

// ---- largest first --------------------------------------------------------------------------------------------------

// Places the block among those that have a place, which are in order of their offsets; returns where it belongs in
// them.
static size_t place_lowest(Block *block, Block *const *placed, size_t n) {
  int64_t end = 0;
  size_t at = 0;
  for (size_t k = 0; k < n; k++) {
    const Block *other = placed[k];
    if (other->last < block->first || block->last < other->first) continue;
    if (other->offset - end >= room(block)) break;
    if (other->offset + room(other) > end) end = other->offset + room(other);
  }
  block->offset = end;
  while (at < n && placed[at]->offset <= end) at++;
  return at;
}

static void pack_largest_first(Arena *arena, Block *blocks, size_t n) {
  Block **order = sorted(arena, blocks, n, compare_sizes);
  Block **placed = arena_array(arena, n, sizeof *placed);
  for (size_t k = 0; k < n; k++) {
    size_t at = place_lowest(order[k], placed, k);
    memmove(&placed[at + 1], &placed[at], (k - at) * sizeof *placed);
    placed[at] = order[k];
  }
}

// ---- in order of time -----------------------------------------------------------------------------------------------

typedef struct Hole {
  int64_t begin, end;
} Hole;

typedef struct Holes {  // in order of address, none touching the next; the last reaches to the end of all memory
  Hole *items;
  size_t n, capacity;
  Arena *arena;
} Holes;

static size_t hole_behind(const Holes *h, int64_t offset) {
  size_t low = 0, high = h->n;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (h->items[middle].begin < offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void give_back(Holes *h, int64_t begin, int64_t end) {
  size_t at = hole_behind(h, begin);
  bool joins_before = at > 0 && h->items[at - 1].end == begin, joins_after = at < h->n && h->items[at].begin == end;
  if (joins_before && joins_after) {
    h->items[at - 1].end = h->items[at].end;
    memmove(&h->items[at], &h->items[at + 1], (h->n - at - 1) * sizeof *h->items);
    h->n--;
  } else if (joins_before) {
    h->items[at - 1].end = end;
  } else if (joins_after) {
    h->items[at].begin = begin;
  } else {
    h->items = arena_grow(h->arena, h->items, h->n, &h->capacity, sizeof *h->items);
    memmove(&h->items[at + 1], &h->items[at], (h->n - at) * sizeof *h->items);
    h->items[at] = (Hole){begin, end};
    h->n++;
  }
}

static int64_t take(Holes *h, int64_t bytes) {
  size_t k = 0;
  while (h->items[k].end - h->items[k].begin < bytes) k++;
  int64_t offset = h->items[k].begin;
  h->items[k].begin += bytes;
  if (h->items[k].begin == h->items[k].end) {
    memmove(&h->items[k], &h->items[k + 1], (h->n - k - 1) * sizeof *h->items);
    h->n--;
  }
  return offset;
}

static void pack_in_time(Arena *arena, Block *blocks, size_t n) {
  Block **starts = sorted(arena, blocks, n, compare_firsts), **ends = sorted(arena, blocks, n, compare_lasts);
  Holes holes = {.arena = arena};
  give_back(&holes, 0, INT64_MAX);
  size_t ended = 0;
  for (size_t k = 0; k < n; k++) {
    for (; ends[ended]->last < starts[k]->first; ended++)
      give_back(&holes, ends[ended]->offset, ends[ended]->offset + room(ends[ended]));
    starts[k]->offset = take(&holes, room(starts[k]));
  }
}

// ---------------------------------------------------------------------------------------------------------------------

static void pack_apart(Block *blocks, size_t n) {
  int64_t end = 0;
  for (size_t k = 0; k < n; k++) {
    blocks[k].offset = end;
    end += room(&blocks[k]);
  }
}

static bool sum_fits(const Block *blocks, size_t n) {
  int64_t sum = 0;
  for (size_t k = 0; k < n; k++)
    if (!checked_add(sum, blocks[k].bytes, &sum) || !checked_add(sum, PAGE, &sum)) return false;
  return true;
}

int64_t pack_blocks(Arena *arena, Block *blocks, size_t n, bool reuse) {
  if (!sum_fits(blocks, n)) return -1;
  if (!reuse)
    pack_apart(blocks, n);
  else if (n <= PACK_GREEDY_MOST)
    pack_largest_first(arena, blocks, n);
  else
    pack_in_time(arena, blocks, n);
  int64_t end = 0;
  for (size_t k = 0; k < n; k++)
    if (blocks[k].offset + blocks[k].bytes > end) end = blocks[k].offset + blocks[k].bytes;
  return (end + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
}
