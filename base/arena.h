// Memory by lifetime: everything that one stage makes lives in one arena and is freed with it.
//
// True on entry to every function here: the arena was made by arena_new() and not yet freed.
// An allocation never returns NULL. When memory runs out (or a test makes it run out through the Allocator seam), the
// arena jumps to its guard, the place set by guard_enter(), where the stage's owner frees the arena and reports exit 5.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The one seam through which dlc asks for memory. `state` is handed back to every call.
typedef struct Allocator {
  // NULL when there is none. The system's puts what is to be aligned to 2 MiB on huge pages where it can.
  void *(*alloc)(void *state, size_t bytes, size_t align);
  void (*release)(void *state, void *block, size_t bytes);
  void *state;
  void *(*alloc_pages)(void *state, size_t bytes);  // zeroed, for arena_pages; NULL: alloc will do
} Allocator;

// The C library's allocator.
const Allocator *allocator_system(void);

// Where to go when memory runs out. Set jump with setjmp() in the frame that owns the arenas.
typedef struct Guard {
  jmp_buf jump;
  size_t failed_bytes;  // the request that could not be met
} Guard;

typedef struct Arena Arena;

// A new, empty arena; NULL only when even its header cannot be had. `guard` must outlive the arena.
Arena *arena_new(const Allocator *allocator, Guard *guard);
// A new, empty arena with the same allocator and guard, for work that leaves nothing behind: jumps to the guard when it
// cannot be had.
Arena *arena_beside(const Arena *arena);
// The same with a guard of its own, for work on another thread; NULL when it cannot be had.
Arena *arena_apart(const Arena *arena, Guard *guard);
void arena_free(Arena *arena);  // NULL is allowed
// Forgets everything in the arena, for the next piece of work; keeps a block to begin it with.
void arena_reset(Arena *arena);
// What is in `from` lives as long as `arena` from now on; `from` is empty.
void arena_adopt(Arena *arena, Arena *from);
size_t arena_bytes(const Arena *arena);
// Jumps to the guard: `bytes` could not be had by somebody who works for this arena's owner.
_Noreturn void arena_exhausted(const Arena *arena, size_t bytes);

// `bytes` of zeroed memory aligned for any scalar type (16 bytes). Zero bytes give a valid unique pointer.
void *arena_alloc(Arena *arena, size_t bytes);
// count*size bytes; an overflowing product counts as out of memory.
void *arena_array(Arena *arena, size_t count, size_t size);
// As arena_alloc, for large blocks that are not written at once: aligned to 64 bytes, untouched until the caller writes
// (so the first to write a page decides where it lies), and on huge pages where the system has them.
void *arena_pages(Arena *arena, size_t bytes);
char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list args);

// Makes room for one more item of `size` bytes in a growing array: returns the array (moved if it had to grow), with
// items[count] zeroed and usable. Use: v->items = arena_grow(a, v->items, v->count, &v->capacity, sizeof *v->items);
void *arena_grow(Arena *arena, void *items, size_t count, size_t *capacity, size_t size);
