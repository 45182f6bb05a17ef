// The parameters and states as a safetensors file, byte for byte the one that dlc writes (runtime/safetensors.c); or
// all of training. The file is written beside its place and renamed: what was there stays whole until the new one is.
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

typedef struct Content {  // tables of tensors, and where each table's block begins
  const TensorTable *table[2];
  const char *base[2];
  int n;
} Content;

static void put_header(Sink *s, const Content *content, const char *sum) {
  int64_t offset = 0, begin = s->n;
  put_text(s, "{\"__metadata__\":{\"" CHECKSUM_KEY "\":\"");
  put(s, sum, SUM_DIGITS);
  put_text(s, "\"}");
  for (int k = 0; k < content->n; k++) put_entries(s, content->table[k], &offset);
  put_text(s, "}");
  while ((s->n - begin) % 8) put_text(s, " ");
}

static void put_data(Sink *s, const TensorTable *table, const char *base) {
  const float *block = (const float *)(const void *)base;
  for (int k = 0; k < table->n_items; k++)
    put(s, block + table->items[k].offset, (size_t)table->items[k].count * sizeof(float));
}

static void put_all(Sink *s, const Content *content, const char *sum) {
  put_header(s, content, sum);
  for (int k = 0; k < content->n; k++) put_data(s, content->table[k], content->base[k]);
}

static int write_file(const Content *content, FILE *file) {
  Sink header = {0}, whole = {0};
  put_header(&header, content, "00000000");
  put_all(&whole, content, "00000000");
  char sum[SUM_DIGITS];
  checksum_digits(whole.crc, sum);
  Sink out = {.file = file};
  unsigned char length[8];
  for (int k = 0; k < 8; k++) length[k] = (unsigned char)((uint64_t)header.n >> (8 * k));
  put(&out, length, sizeof length);
  put_all(&out, content, sum);
  return !out.failed && fflush(file) == 0;
}

static int save(const Content *content, const char *path) {
  char beside[PATH_MOST];
  size_t n = strlen(path);
  if (n + sizeof ".tmp" > sizeof beside) return EMBED_FILE;
  memcpy(beside, path, n);
  memcpy(beside + n, ".tmp", sizeof ".tmp");
  FILE *file = fopen(beside, "wb");
  if (!file) return EMBED_FILE;
  int ok = write_file(content, file);
  if (fclose(file) != 0) ok = 0;
  if (ok && rename(beside, path) == 0) return EMBED_OK;
  remove(beside);
  return EMBED_FILE;
}

static int check_saving(const EmbedContext *c, const char *path) {
  int status = embed_check(c);
  if (status) return status;
  if (!path) return EMBED_NULL;
  return c->has_weights ? EMBED_OK : EMBED_NO_WEIGHTS;
}

int embed_save(const EmbedContext *c, const char *path) {
  int status = check_saving(c, path);
  if (status) return status;
  Content content = {{&c->params, &c->states}, {c->base[DLC_PARAM], c->base[DLC_STATE]}, 2};
  return save(&content, path);
}

int embed_save_training(EmbedContext *c, const char *path) {
  int status = check_saving(c, path);
  if (status) return status;
  if (!embed_training_is_started(c)) embed_start_training(c);
  TensorInfo items[TRAINING_TENSORS];
  TensorTable table = embed_training_tensors(c, items);
  embed_put_counters(c);
  Content content = {{&table}, {(const char *)c}, 1};
  return save(&content, path);
}
