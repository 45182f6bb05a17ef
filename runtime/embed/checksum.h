// CRC-32, the checksum of zlib, which dlc's safetensors files carry: without a table of 1 KiB.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Goes on from `crc`, 0 at first.
static inline uint32_t checksum_add(uint32_t crc, const void *bytes, size_t n) {
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                     0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  const unsigned char *at = bytes;
  crc = ~crc;
  for (size_t k = 0; k < n; k++) {
    crc ^= at[k];
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return ~crc;
}

// Its eight digits, as they stand in a file's metadata.
static inline void checksum_digits(uint32_t crc, char digits[8]) {
  for (int k = 0; k < 8; k++) digits[k] = "0123456789abcdef"[crc >> (28 - 4 * k) & 15];
}
#define CHECKSUM_KEY "dlc.crc32"
