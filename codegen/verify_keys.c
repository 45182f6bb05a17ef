// Equal keys, equal code: the promise on which functions are shared and machine code is kept between runs, checked.
#include <string.h>

#include "launches.h"
#include "module.h"

typedef struct Seen {
  const char *kernel, *ir, *key;
  size_t key_bytes;
} Seen;

struct KeyBook {
  Arena *arena;
  HashTable by_key;
  Seen *seen;
  size_t n, capacity;
};

KeyBook *codegen_key_book(Arena *arena) {
  KeyBook *book = arena_alloc(arena, sizeof *book);
  book->arena = arena;
  return book;
}

static const char *ir_of(Arena *arena, const Code *code, const Target *target, LLVMTargetMachineRef machine) {
  Module module = module_new(machine, target, false);
  launches_emit(arena, code, module.llvm, "code");
  char *text = LLVMPrintModuleToString(module.llvm);
  const char *ir = arena_strdup(arena, text);
  LLVMDisposeMessage(text);
  module_free(&module);
  return ir;
}

static bool check(KeyBook *book, const Code *code, const char *ir, Text *why) {
  int at = hash_find(&book->by_key, code->hash);
  if (at < 0) {
    book->seen = arena_grow(book->arena, book->seen, book->n, &book->capacity, sizeof *book->seen);
    book->seen[book->n] = (Seen){code->kernel, ir, code->key, code->key_bytes};
    hash_add(book->arena, &book->by_key, code->hash, (int)book->n++);
    return true;
  }
  const Seen *seen = &book->seen[at];
  bool same_key = seen->key_bytes == code->key_bytes && !memcmp(seen->key, code->key, code->key_bytes);
  if (same_key && !strcmp(seen->ir, ir)) return true;
  text_printf(why, "%s and %s have equal %s and different code:\n%s\n%s", seen->kernel, code->kernel,
              same_key ? "keys" : "hashes", seen->ir, ir);
  return false;
}

int codegen_verify_keys(KeyBook *book, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *why) {
  Target target;
  CodegenOptions apart = *options;
  apart.no_sharing = true;
  if (!codegen_target(book->arena, sink, &apart, false, &target)) return -1;
  LLVMTargetMachineRef machine = target_machine(&target);
  Launches *all = launches_make(book->arena, plan, &apart, &target);
  bool ok = true;
  for (size_t k = 0; ok && k < all->n_codes; k++)
    ok = check(book, &all->codes[k], ir_of(book->arena, &all->codes[k], &target, machine), why);
  LLVMDisposeTargetMachine(machine);
  return ok ? (int)all->n_codes : -1;
}
