// Checksums made right again, so that what is behind them is reached.
#pragma once
#include <stddef.h>
#include <stdint.h>

void checksum_safetensors(uint8_t *bytes, size_t size);  // "dlc.crc32", where its key is
// What a .run file says of its weights file, where it does.
void checksum_weights(uint8_t *run, size_t run_size, const uint8_t *weights, size_t size);
void checksum_png(uint8_t *bytes, size_t size);  // of every chunk
