// Machine code kept between runs, in files of a folder. One file is one object, named by the hash of its key; it holds
// the whole key, so that a hit is never another code's object, and a checksum. Any number of processes may use a folder
// at the same time.
//
// Nothing here fails: what cannot be read, or is not what was written, is a miss; what cannot be written is not kept.
#pragma once
#include "io.h"
#include "text.h"

typedef struct Cache {
  Io io;
  const char *folder;  // NULL: no cache
  int64_t limit;       // bytes of all files together
  int hits, misses;
  bool wrote, full;  // full: writing failed, and is not tried again
} Cache;

enum { CACHE_MIB = 256 };  // the limit that codegen_jit sets

// The object of that key: `*size` bytes in the arena, or NULL.
const char *cache_get(Cache *cache, Arena *arena, const Text *key, size_t *size);
// Keeps an object.
void cache_put(Cache *cache, Arena *arena, const Text *key, const void *object, size_t size);
// Where something was written and the folder has grown over the limit: removes what was used least recently, until a
// quarter of the limit is free.
void cache_trim(Cache *cache, Arena *arena);
