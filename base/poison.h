// Memory that nobody may touch, for AddressSanitizer; without it these do nothing.
#pragma once
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DLC_POISON
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define DLC_POISON
#endif

#ifdef DLC_POISON
#include <sanitizer/asan_interface.h>
enum { POISON_GAP = 16 };  // bytes behind each item
static inline void memory_close(const void *from, size_t bytes) { __asan_poison_memory_region(from, bytes); }
static inline void memory_open(const void *from, size_t bytes) { __asan_unpoison_memory_region(from, bytes); }
#else
enum { POISON_GAP = 0 };
static inline void memory_close(const void *from, size_t bytes) { (void)from, (void)bytes; }
static inline void memory_open(const void *from, size_t bytes) { (void)from, (void)bytes; }
#endif
