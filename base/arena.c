// Arenas: chained blocks that double up to 4 MiB, freed together.
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "poison.h"

enum { ALIGNMENT = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 22, LINE = 64, HUGE_PAGE = 1 << 21, LARGE_ITEM = 256 };

typedef struct Block {
  struct Block *next;
  size_t bytes;  // of the whole block, this header included
  size_t used;
} Block;

enum { HEADER = (sizeof(Block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT };

struct Arena {
  const Allocator *allocator;
  Guard *guard;
  Block *blocks;  // newest first
  size_t total;
};

// Large blocks cost less by huge pages: half of what compiling a deep network takes was page faults.
static void wish(uintptr_t first, uintptr_t last, int advice) {
  if (first < last) (void)madvise((void *)first, last - first, advice);
}

// A block's end has small pages where a huge one would add more than a twentieth to what is asked for.
static void wish_for_block(uintptr_t block, size_t bytes) {
  size_t whole = bytes / HUGE_PAGE * HUGE_PAGE, all = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  if ((all - bytes) * 20 <= bytes) whole = all;
  wish(block, block + whole, MADV_HUGEPAGE);
  wish(block + whole, block + all, MADV_NOHUGEPAGE);
}

static void *system_alloc(void *state, size_t bytes, size_t align) {
  (void)state;
  if (align <= ALIGNMENT) return malloc(bytes);
  void *block = aligned_alloc(align, (bytes + align - 1) / align * align);
  if (block && align == HUGE_PAGE) wish_for_block((uintptr_t)block, bytes);
  return block;
}

static void system_release(void *state, void *block, size_t bytes) {
  (void)state;
  (void)bytes;
  free(block);
}

// calloc takes large blocks from the kernel and does not write them.
static void *system_alloc_pages(void *state, size_t bytes) {
  (void)state;
  char *block = calloc(1, bytes);
  uintptr_t begin = (uintptr_t)block;
  uintptr_t first = (begin + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE, last = (begin + bytes) / HUGE_PAGE * HUGE_PAGE;
  if (block) wish(first, last, MADV_HUGEPAGE);
  return block;
}

const Allocator *allocator_system(void) {
  static const Allocator allocator = {system_alloc, system_release, NULL, system_alloc_pages};
  return &allocator;
}

Arena *arena_new(const Allocator *allocator, Guard *guard) {
  Arena *arena = allocator->alloc(allocator->state, sizeof *arena, ALIGNMENT);
  if (!arena) return NULL;
  *arena = (Arena){.allocator = allocator, .guard = guard};
  return arena;
}

void arena_free(Arena *arena) {
  if (!arena) return;
  const Allocator *allocator = arena->allocator;
  for (Block *block = arena->blocks, *next; block; block = next) {
    next = block->next;
    allocator->release(allocator->state, block, block->bytes);
  }
  allocator->release(allocator->state, arena, sizeof *arena);
}

void arena_reset(Arena *arena) {
  Block *kept = arena->blocks;
  if (!kept) return;
  arena->blocks = kept->next;
  for (Block *block = arena->blocks, *next; block; block = next) {
    next = block->next;
    arena->allocator->release(arena->allocator->state, block, block->bytes);
  }
  kept->next = NULL;
  kept->used = HEADER;
  memory_close((char *)kept + HEADER, kept->bytes - HEADER);
  arena->blocks = kept;
  arena->total = kept->bytes;
}

// Behind the newest block, which goes on being filled.
void arena_adopt(Arena *arena, Arena *from) {
  Block *last = from->blocks;
  if (!last) return;
  while (last->next) last = last->next;
  if (arena->blocks) {
    last->next = arena->blocks->next;
    arena->blocks->next = from->blocks;
  } else {
    arena->blocks = from->blocks;
  }
  arena->total += from->total;
  from->blocks = NULL;
  from->total = 0;
}

size_t arena_bytes(const Arena *arena) { return arena->total; }

_Noreturn void arena_exhausted(const Arena *arena, size_t bytes) {
  arena->guard->failed_bytes = bytes;
  longjmp(arena->guard->jump, 1);
}

Arena *arena_beside(const Arena *arena) {
  Arena *beside = arena_new(arena->allocator, arena->guard);
  if (!beside) arena_exhausted(arena, sizeof *beside);
  return beside;
}

Arena *arena_apart(const Arena *arena, Guard *guard) { return arena_new(arena->allocator, guard); }

// A block that holds at least `payload` bytes. Blocks double, so a large arena has few of them.
static Block *arena_add_block(Arena *arena, size_t payload) {
  size_t bytes = arena->blocks ? arena->blocks->bytes * 2 : FIRST_BLOCK;
  if (bytes > LARGEST_BLOCK) bytes = LARGEST_BLOCK;
  if (payload > SIZE_MAX - HEADER) arena_exhausted(arena, payload);
  if (bytes < payload + HEADER) bytes = payload + HEADER;
  size_t align = bytes >= LARGEST_BLOCK ? HUGE_PAGE : ALIGNMENT;
  Block *block = arena->allocator->alloc(arena->allocator->state, bytes, align);
  if (!block) arena_exhausted(arena, bytes);
  *block = (Block){.next = arena->blocks, .bytes = bytes, .used = HEADER};
  memory_close((char *)block + HEADER, bytes - HEADER);
  arena->blocks = block;
  arena->total += bytes;
  return block;
}

void *arena_alloc(Arena *arena, size_t bytes) {
  if (bytes > SIZE_MAX - ALIGNMENT - POISON_GAP) arena_exhausted(arena, bytes);
  size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + POISON_GAP;
  if (bytes == 0) rounded = ALIGNMENT + POISON_GAP;
  Block *block = arena->blocks;
  if (!block || block->bytes - block->used < rounded) block = arena_add_block(arena, rounded);
  void *result = (char *)block + block->used;
  block->used += rounded;
  memory_open(result, bytes);
  return memset(result, 0, bytes);
}

void *arena_array(Arena *arena, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) arena_exhausted(arena, SIZE_MAX);
  return arena_alloc(arena, bytes);
}

// A block of its own behind the newest, which goes on being filled.
static Block *add_pages(Arena *arena, size_t bytes) {
  const Allocator *allocator = arena->allocator;
  bool plain = !allocator->alloc_pages;
  Block *block =
      plain ? allocator->alloc(allocator->state, bytes, ALIGNMENT) : allocator->alloc_pages(allocator->state, bytes);
  if (!block) arena_exhausted(arena, bytes);
  if (plain) memset(block, 0, bytes);
  *block = (Block){.bytes = bytes, .used = bytes};
  arena->total += bytes;
  return block;
}

void *arena_pages(Arena *arena, size_t bytes) {
  size_t room = sizeof(Block) + LINE;
  if (bytes > SIZE_MAX - room) arena_exhausted(arena, bytes);
  if (!arena->blocks) arena_add_block(arena, 0);
  Block *block = add_pages(arena, bytes + room);
  block->next = arena->blocks->next;
  arena->blocks->next = block;
  void *result = (void *)(((uintptr_t)block + room - 1) / LINE * LINE);
  memory_close(block + 1, bytes + room - sizeof *block);
  memory_open(result, bytes);
  return result;
}

char *arena_strndup(Arena *arena, const char *text, size_t length) {
  char *copy = arena_alloc(arena, length + 1);
  memcpy(copy, text, length);
  return copy;
}

char *arena_strdup(Arena *arena, const char *text) { return arena_strndup(arena, text, strlen(text)); }

char *arena_vprintf(Arena *arena, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  char *text = arena_alloc(arena, (size_t)(length < 0 ? 0 : length) + 1);
  if (length > 0) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return text;
}

char *arena_printf(Arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = arena_vprintf(arena, format, args);
  va_end(args);
  return text;
}

void *arena_grow(Arena *arena, void *items, size_t count, size_t *capacity, size_t size) {
  if (count < *capacity) {
    memset((char *)items + count * size, 0, size);
    return items;
  }
  size_t wider = *capacity ? *capacity * 2 : size > LARGE_ITEM ? 2 : 8;
  void *moved = arena_array(arena, wider, size);
  if (count) memcpy(moved, items, count * size);
  *capacity = wider;
  return moved;
}
