// Packing blocks that live for a while into one address range.
#pragma once
#include "arena.h"

typedef struct Block {
  int64_t bytes;    // greater than 0
  int first, last;  // times between which it must keep its place, both included
  int64_t offset;   // result: a multiple of PACK_ALIGN
} Block;

enum { PACK_ALIGN = 64 };

// Sets every offset so that no two blocks that live at the same time overlap; all differ where reuse is false. Returns
// the bytes needed in all, -1 where 63 bits cannot hold them. Blocks of whole pages are kept apart by a little more
// than their size, so that tensors which one kernel streams do not start at the same place modulo 4 KB (KERNELS.md 6).
int64_t pack_blocks(Arena *arena, Block *blocks, size_t n, bool reuse);
