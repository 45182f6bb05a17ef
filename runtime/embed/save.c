// The parameters and states as a safetensors file, byte for byte the one that dlc writes (runtime/safetensors.c). The
// file is written beside its place and renamed: what was there stays whole until the new one is.
#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "context.h"

enum { PATH_MOST = 4096, DIGITS = 20, SUM_DIGITS = 8 };

// Where the bytes go: counted, added up, and written where there is a file.
typedef struct Sink {
  int64_t n;
  uint32_t crc;
  FILE *file;
  int failed;
} Sink;

static void put(Sink *s, const void *bytes, size_t n) {
  s->n += (int64_t)n;
  s->crc = checksum_add(s->crc, bytes, n);
  if (s->file && fwrite(bytes, 1, n, s->file) != n) s->failed = 1;
}

static void put_text(Sink *s, const char *text) { put(s, text, strlen(text)); }

static void put_number(Sink *s, int64_t n) {
  char digits[DIGITS];
  int at = DIGITS;
  do digits[--at] = (char)('0' + n % 10);
  while (n /= 10);
  put(s, digits + at, (size_t)(DIGITS - at));
}

static void put_entries(Sink *s, const TensorTable *table, int64_t *offset) {
  for (int k = 0; k < table->n_items; k++) {
    const TensorInfo *info = &table->items[k];
    put_text(s, ",\"");
    put_text(s, info->path);
    put_text(s, "\":{\"dtype\":\"F32\",\"shape\":[");
    for (int d = 0; d < info->rank; d++) {
      if (d) put_text(s, ",");
      put_number(s, info->dim[d]);
    }
    put_text(s, "],\"data_offsets\":[");
    put_number(s, *offset);
    *offset += info->count * (int64_t)sizeof(float);
    put_text(s, ",");
    put_number(s, *offset);
    put_text(s, "]}");
  }
}

static void put_header(Sink *s, const EmbedContext *c, const char *sum) {
  int64_t offset = 0, begin = s->n;
  put_text(s, "{\"__metadata__\":{\"" CHECKSUM_KEY "\":\"");
  put(s, sum, SUM_DIGITS);
  put_text(s, "\"}");
  put_entries(s, &c->params, &offset);
  put_entries(s, &c->states, &offset);
  put_text(s, "}");
  while ((s->n - begin) % 8) put_text(s, " ");
}

static void put_data(Sink *s, const TensorTable *table, const char *base) {
  const float *block = (const float *)(const void *)base;
  for (int k = 0; k < table->n_items; k++)
    put(s, block + table->items[k].offset, (size_t)table->items[k].count * sizeof(float));
}

static void put_all(Sink *s, const EmbedContext *c, const char *sum) {
  put_header(s, c, sum);
  put_data(s, &c->params, c->base[DLC_PARAM]);
  put_data(s, &c->states, c->base[DLC_STATE]);
}

static int write_file(const EmbedContext *c, FILE *file) {
  Sink header = {0}, whole = {0};
  put_header(&header, c, "00000000");
  put_all(&whole, c, "00000000");
  char sum[SUM_DIGITS];
  checksum_digits(whole.crc, sum);
  Sink out = {.file = file};
  unsigned char length[8];
  for (int k = 0; k < 8; k++) length[k] = (unsigned char)((uint64_t)header.n >> (8 * k));
  put(&out, length, sizeof length);
  put_all(&out, c, sum);
  return !out.failed && fflush(file) == 0;
}

int embed_save(const EmbedContext *c, const char *path) {
  int status = embed_check(c);
  if (status) return status;
  if (!path) return EMBED_NULL;
  if (!c->has_weights) return EMBED_NO_WEIGHTS;
  char beside[PATH_MOST];
  size_t n = strlen(path);
  if (n + sizeof ".tmp" > sizeof beside) return EMBED_FILE;
  memcpy(beside, path, n);
  memcpy(beside + n, ".tmp", sizeof ".tmp");
  FILE *file = fopen(beside, "wb");
  if (!file) return EMBED_FILE;
  int ok = write_file(c, file);
  if (fclose(file) != 0) ok = 0;
  if (ok && rename(beside, path) == 0) return EMBED_OK;
  remove(beside);
  return EMBED_FILE;
}
