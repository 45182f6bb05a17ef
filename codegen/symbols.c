// perf's map: a line "address size name" for each function, in hexadecimal; sizes come from the objects' symbol tables.
#include "symbols.h"

#include <fcntl.h>
#include <llvm-c/Error.h>
#include <llvm-c/Object.h>
#include <string.h>
#include <unistd.h>

#include "llvm_shim.h"

typedef struct Symbol {
  const char *name;
  uint64_t size, address;
} Symbol;

struct Symbols {
  Arena *arena;
  Symbol *items;
  size_t n, capacity;
  HashTable by_name;
};

static void add_symbol(Symbols *s, LLVMSymbolIteratorRef at) {
  const char *name = LLVMGetSymbolName(at);
  uint64_t size = LLVMGetSymbolSize(at);
  if (!name || !*name || size == 0) return;
  s->items = arena_grow(s->arena, s->items, s->n, &s->capacity, sizeof *s->items);
  s->items[s->n] = (Symbol){.name = arena_strdup(s->arena, name), .size = size};
  hash_add(s->arena, &s->by_name, hash_bytes(name, strlen(name)), (int)s->n++);
}

static void add_object(Symbols *s, LLVMMemoryBufferRef object) {
  char *message = NULL;
  LLVMBinaryRef binary = LLVMCreateBinary(object, NULL, &message);  // does not take the object
  if (!binary) {
    LLVMDisposeMessage(message);
    return;
  }
  LLVMSymbolIteratorRef at = LLVMObjectFileCopySymbolIterator(binary);
  for (; !LLVMObjectFileIsSymbolIteratorAtEnd(binary, at); LLVMMoveToNextSymbol(at)) add_symbol(s, at);
  LLVMDisposeSymbolIterator(at);
  LLVMDisposeBinary(binary);
}

Symbols *symbols_of(Arena *arena, const Objects *objects) {
  Symbols *s = arena_alloc(arena, sizeof *s);
  s->arena = arena;
  for (size_t k = 0; k < objects->n; k++) add_object(s, objects->parts[k].object);
  return s;
}

void symbols_place(Symbols *s, const char *name, uint64_t address) {
  int k = hash_find(&s->by_name, hash_bytes(name, strlen(name)));
  if (k >= 0) s->items[k].address = address;
}

static const char *map_path(Arena *arena) { return arena_printf(arena, "/tmp/perf-%ld.map", (long)getpid()); }

void codegen_forget_symbols(Arena *arena, Io io) { (void)io_remove(io, map_path(arena)); }

void symbols_write(const Symbols *s, Io io) {
  Text text = text_new(s->arena);
  for (size_t k = 0; k < s->n; k++)
    if (s->items[k].address)
      text_printf(&text, "%llx %llx %s\n", (unsigned long long)s->items[k].address,
                  (unsigned long long)s->items[k].size, s->items[k].name);
  int fd = io.ops->open(io.state, map_path(s->arena), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return;
  for (size_t done = 0; done < text.length;) {
    ssize_t n = io.ops->write(io.state, fd, text.bytes + done, text.length - done);
    if (n <= 0) break;
    done += (size_t)n;
  }
  io_close(io, fd);
}

void symbols_show_debugger(LLVMOrcLLJITRef jit) {
  LLVMErrorRef error = shim_debug_support(jit);
  if (error) LLVMConsumeError(error);
}
