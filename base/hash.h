// Hashes of bytes, for tables and for telling whether a file is what it was. Not against somebody who means harm.
#pragma once
#include "arena.h"

// 128 bits, the same on every machine of one byte order.
typedef struct Hash {
  uint64_t high, low;
} Hash;

Hash hash_bytes(const void *bytes, size_t count);
Hash hash_text(const char *text);  // of its bytes, the last NUL apart

// From hashes to numbers, in an arena. All zero is an empty table.
typedef struct HashTable {
  Hash *key;
  int *value;  // -1: the slot is free
  size_t count, capacity;
} HashTable;

int hash_find(const HashTable *table, Hash key);  // -1 where it is not there
void hash_add(Arena *arena, HashTable *table, Hash key, int value);
