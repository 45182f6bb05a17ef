// Arenas: chained blocks that double up to 1 MiB, freed together.
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };
enum { HUGE_PAGE = 2 << 20, HUGE_FROM = 4 << 20 };  // bytes

typedef struct Block {
  struct Block *next;
  size_t bytes;  // of the whole block, this header included
  size_t used;
} Block;

struct Arena {
  const Allocator *allocator;
  Guard *guard;
  Block *blocks;  // newest first
  size_t total;
};

// Large blocks begin on a huge page and ask for them: what walks through a matrix of some megabytes by columns would
// otherwise need a page for every row.
static void *huge_alloc(size_t bytes) {
  void *block = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
#ifdef MADV_HUGEPAGE
  if (block) (void)madvise(block, bytes, MADV_HUGEPAGE);
#endif
  return block;
}

static void *system_alloc(void *state, size_t bytes, size_t align) {
  (void)state;
  if (bytes >= HUGE_FROM) return huge_alloc(bytes);
  return align <= ALIGNMENT ? malloc(bytes) : aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void system_release(void *state, void *block, size_t bytes) {
  (void)state;
  (void)bytes;
  free(block);
}

const Allocator *allocator_system(void) {
  static const Allocator allocator = {system_alloc, system_release, NULL};
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

size_t arena_bytes(const Arena *arena) { return arena->total; }

static _Noreturn void arena_fail(const Arena *arena, size_t bytes) {
  arena->guard->failed_bytes = bytes;
  longjmp(arena->guard->jump, 1);
}

Arena *arena_beside(const Arena *arena) {
  Arena *beside = arena_new(arena->allocator, arena->guard);
  if (!beside) arena_fail(arena, sizeof *beside);
  return beside;
}

// A block that holds at least `payload` bytes. Blocks double, so a large arena has few of them.
static Block *arena_add_block(Arena *arena, size_t payload) {
  size_t header = (sizeof(Block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t bytes = arena->blocks ? arena->blocks->bytes * 2 : FIRST_BLOCK;
  if (bytes > LARGEST_BLOCK) bytes = LARGEST_BLOCK;
  if (payload > SIZE_MAX - header) arena_fail(arena, payload);
  if (bytes < payload + header) bytes = payload + header;
  Block *block = arena->allocator->alloc(arena->allocator->state, bytes, ALIGNMENT);
  if (!block) arena_fail(arena, bytes);
  *block = (Block){.next = arena->blocks, .bytes = bytes, .used = header};
  arena->blocks = block;
  arena->total += bytes;
  return block;
}

void *arena_alloc(Arena *arena, size_t bytes) {
  if (bytes > SIZE_MAX - ALIGNMENT) arena_fail(arena, bytes);
  bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (bytes == 0) bytes = ALIGNMENT;
  Block *block = arena->blocks;
  if (!block || block->bytes - block->used < bytes) block = arena_add_block(arena, bytes);
  void *result = (char *)block + block->used;
  block->used += bytes;
  return memset(result, 0, bytes);
}

void *arena_array(Arena *arena, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) arena_fail(arena, SIZE_MAX);
  return arena_alloc(arena, bytes);
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
  size_t wider = *capacity ? *capacity * 2 : 8;
  void *moved = arena_array(arena, wider, size);
  if (count) memcpy(moved, items, count * size);
  *capacity = wider;
  return moved;
}
