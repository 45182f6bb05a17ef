// What this CPU can do, and how it computes.
#include "context.h"

#if defined(__x86_64__)

typedef struct Leaf {
  uint32_t a, b, c, d;
} Leaf;

static Leaf cpuid(uint32_t leaf) {
  Leaf r;
  __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
  return r;
}

// Registers that the operating system saves: bit 1 SSE, 2 AVX, 5 to 7 AVX-512.
static uint32_t saved_registers(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static int has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }
#define BIT(n) (1u << (n))

int64_t embed_cpu_level(void) {
  uint32_t most = cpuid(0).a, most_extended = cpuid(0x80000000u).a;
  if (most < 1) return 1;
  Leaf first = cpuid(1);
  // cx16, popcnt, sse3, ssse3, sse4.1, sse4.2
  if (!has(first.c, BIT(13) | BIT(23) | BIT(0) | BIT(9) | BIT(19) | BIT(20))) return 1;
  // avx, f16c, fma, movbe, and the system's consent (osxsave)
  if (most < 7 || most_extended < 0x80000001u) return 2;
  if (!has(first.c, BIT(28) | BIT(29) | BIT(12) | BIT(22) | BIT(27))) return 2;
  uint32_t saved = saved_registers();
  Leaf seventh = cpuid(7);
  // avx2, bmi, bmi2; lzcnt
  if (!has(saved, BIT(1) | BIT(2)) || !has(seventh.b, BIT(5) | BIT(3) | BIT(8))) return 2;
  if (!has(cpuid(0x80000001u).c, BIT(5))) return 2;
  // avx512f, bw, cd, dq, vl
  if (!has(saved, BIT(5) | BIT(6) | BIT(7)) || !has(seventh.b, BIT(16) | BIT(30) | BIT(28) | BIT(17) | BIT(31)))
    return 3;
  return 4;
}

enum { USUAL = 0x1f80 };  // of MXCSR: all exceptions masked, to nearest, denormals kept

uint64_t embed_strict(void) {
  unsigned before = __builtin_ia32_stmxcsr();
  if ((before & ~0x3fu) != USUAL) __builtin_ia32_ldmxcsr(USUAL);
  return before;
}

void embed_restore(uint64_t before) {
  if (((unsigned)before & ~0x3fu) != USUAL) __builtin_ia32_ldmxcsr((unsigned)before);
}

#elif defined(__aarch64__)

int64_t embed_cpu_level(void) { return 0; }

uint64_t embed_strict(void) {
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  if (before) __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  return before;
}

void embed_restore(uint64_t before) {
  if (before) __asm__ volatile("msr fpcr, %0" : : "r"(before));
}

#else

int64_t embed_cpu_level(void) { return 0; }
uint64_t embed_strict(void) { return 0; }
void embed_restore(uint64_t before) { (void)before; }

#endif
