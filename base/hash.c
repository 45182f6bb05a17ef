// Two sums of multiplied words, mixed at the end. The mixing is SplitMix64's (Steele, Lea, Flood, 2014).
#include "hash.h"

#include <string.h>

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static uint64_t turned(uint64_t x, int by) { return x << by | x >> (64 - by); }

Hash hash_bytes(const void *bytes, size_t count) {
  uint64_t a = 0x9e3779b97f4a7c15u, b = 0xc2b2ae3d27d4eb4fu;
  for (size_t at = 0; at < count; at += 8) {
    uint64_t word = 0;
    memcpy(&word, (const char *)bytes + at, count - at < 8 ? count - at : 8);
    a = turned(a ^ word * 0x9fb21c651e98df25u, 29) * 0xff51afd7ed558ccdu;
    b = (turned(b, 31) + word) * 0xd6e8feb86659fd93u;
    b ^= b >> 32;
  }
  a ^= count;
  return (Hash){mix(a + mix(b)), mix(b + 0x9e3779b97f4a7c15u + turned(a, 17))};
}

Hash hash_text(const char *text) { return hash_bytes(text, strlen(text)); }

// ---- tables -------------------------------------------------------------------------------------------------------

// The slot that holds the key, or the free one where it belongs.
static size_t slot_of(const HashTable *table, Hash key) {
  size_t slot = key.low & (table->capacity - 1);
  while (table->value[slot] >= 0 && (table->key[slot].low != key.low || table->key[slot].high != key.high))
    slot = (slot + 1) & (table->capacity - 1);
  return slot;
}

int hash_find(const HashTable *table, Hash key) { return table->capacity ? table->value[slot_of(table, key)] : -1; }

// Never more than half full.
static void make_room(Arena *arena, HashTable *table) {
  if (table->count * 2 < table->capacity) return;
  HashTable wider = {.capacity = table->capacity ? table->capacity * 2 : 16, .count = table->count};
  wider.key = arena_array(arena, wider.capacity, sizeof *wider.key);
  wider.value = arena_array(arena, wider.capacity, sizeof *wider.value);
  for (size_t k = 0; k < wider.capacity; k++) wider.value[k] = -1;
  for (size_t k = 0; k < table->capacity; k++) {
    if (table->value[k] < 0) continue;
    size_t slot = slot_of(&wider, table->key[k]);
    wider.key[slot] = table->key[k];
    wider.value[slot] = table->value[k];
  }
  *table = wider;
}

void hash_add(Arena *arena, HashTable *table, Hash key, int value) {
  make_room(arena, table);
  size_t slot = slot_of(table, key);
  table->count += table->value[slot] < 0;
  table->key[slot] = key;
  table->value[slot] = value;
}
