// Checksums made right again, so that what is behind them is reached.
#include "checksums.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t size) {
  return (uint32_t)crc32(crc, bytes, (uInt)size);
}

void checksum_safetensors(uint8_t *bytes, size_t size) {
  static const char key[] = "\"dlc.crc32\":\"";
  enum { LENGTH = 8, DIGITS = 8 };
  uint8_t *digits = size > LENGTH ? memmem(bytes + LENGTH, size - LENGTH, key, sizeof key - 1) : NULL;
  if (!digits || (size_t)(bytes + size - digits) < sizeof key - 1 + DIGITS) return;
  digits += sizeof key - 1;
  memset(digits, '0', DIGITS);
  char text[DIGITS + 1];
  snprintf(text, sizeof text, "%08x", (unsigned)crc_of(0, bytes + LENGTH, size - LENGTH));
  memcpy(digits, text, DIGITS);
}

void checksum_weights(uint8_t *run, size_t run_size, const uint8_t *weights, size_t size) {
  static const char key[] = " weights ";
  enum { DIGITS = 8 };
  uint8_t *digits = memmem(run, run_size, key, sizeof key - 1);
  if (!digits || (size_t)(run + run_size - digits) < sizeof key - 1 + DIGITS) return;
  char text[DIGITS + 1];
  snprintf(text, sizeof text, "%08x", (unsigned)crc_of(0, weights, size));
  memcpy(digits + sizeof key - 1, text, DIGITS);
}

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

void checksum_png(uint8_t *bytes, size_t size) {
  enum { SIGNATURE = 8, HEAD = 8, CRC = 4 };
  for (size_t at = SIGNATURE; at + HEAD + CRC <= size;) {
    size_t length = big_endian(bytes + at);
    if (length > size - at - HEAD - CRC) return;
    uint32_t crc = crc_of(0, bytes + at + 4, 4 + length);
    for (int k = 0; k < CRC; k++) bytes[at + HEAD + length + (size_t)k] = (uint8_t)(crc >> (24 - 8 * k));
    at += HEAD + length + CRC;
  }
}
