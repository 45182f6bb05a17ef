// A safetensors file into the blocks of parameters and states, or those of training: an 8-byte header length, a JSON
// header, the tensors' bytes. The file is read three times: the header, where it says what lies where; all of it, for
// its length and its checksum; then the tensors. Nothing is written before everything has been checked, and nothing is
// allocated: what the header says of a tensor is noted beside its TensorInfo.
#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "context.h"

enum { LENGTH_BYTES = 8, NAME_MOST = 512, HEADER_MOST = 100000000, PIECE = 4096, DIGITS = 8 };

typedef struct Found {  // where a tensor's bytes are, from the header's end
  int64_t begin;
  int64_t times;
} Found;

_Static_assert(sizeof(TensorInfo) + sizeof(Found) <= EMBED_TENSOR_BYTES, "room for what loading notes of a tensor");

// ---- the bytes: of a file or of memory ------------------------------------------------------------------------------

typedef struct Bytes {
  FILE *file;                   // or
  const unsigned char *memory;  // [size]
  size_t size, at;
  unsigned char piece[PIECE];  // of a file: what was read ahead
  size_t piece_n, piece_at;
} Bytes;

static int bytes_seek(Bytes *b, int64_t at) {
  b->piece_n = b->piece_at = 0;
  if (b->file) return fseek(b->file, (long)at, SEEK_SET) == 0;
  b->at = (size_t)at;
  return 1;
}

// As many bytes as there are, `n` at most.
static size_t bytes_read(Bytes *b, void *to, size_t n) {
  if (b->file) return fread(to, 1, n, b->file);
  size_t left = b->size - b->at;
  if (n > left) n = left;
  memcpy(to, b->memory + b->at, n);
  b->at += n;
  return n;
}

// The next byte, or -1.
static int bytes_next(Bytes *b) {
  if (b->piece_at == b->piece_n) {
    b->piece_n = bytes_read(b, b->piece, PIECE);
    b->piece_at = 0;
  }
  return b->piece_at < b->piece_n ? b->piece[b->piece_at++] : -1;
}

// ---- the header -----------------------------------------------------------------------------------------------------

typedef struct Goal {  // what the file must hold
  const TensorInfo *items;
  int n, n_first;  // tensors; how many of them lie in the first block
  Found *found;    // [n]
  float *block[2];
} Goal;

typedef struct Header {
  const Goal *goal;
  Bytes *bytes;
  int64_t length, at;  // of the header, how far it is read
  int next;            // the byte that is looked at; -1 behind the header's end
  int64_t digits;      // where the checksum's digits stand in the header; -1: it has none
  char sum[DIGITS];
  char text[NAME_MOST];  // the last string; one that is longer, or has escapes, is no name that a model has
  int status;
} Header;

static int fail(Header *h, int status) {
  if (!h->status) h->status = status;
  return 0;
}

static void advance(Header *h) {
  h->next = h->at < h->length ? bytes_next(h->bytes) : -1;
  h->at++;
}

static void skip_space(Header *h) {
  while (h->next == ' ' || h->next == '\n' || h->next == '\r' || h->next == '\t') advance(h);
}

static int take(Header *h, int c) {
  skip_space(h);
  if (h->next != c) return 0;
  advance(h);
  return 1;
}

static int need(Header *h, int c) { return take(h, c) || fail(h, EMBED_DAMAGED); }

static int read_string(Header *h) {
  if (!need(h, '"')) return 0;
  size_t n = 0;
  int odd = 0;
  for (; h->next != '"'; advance(h)) {
    if (h->next < 0x20) return fail(h, EMBED_DAMAGED);
    if (h->next == '\\') {
      odd = 1;
      advance(h);
      if (h->next < 0) return fail(h, EMBED_DAMAGED);
    }
    if (n < NAME_MOST - 1)
      h->text[n++] = (char)h->next;
    else
      odd = 1;
  }
  advance(h);
  h->text[odd ? 0 : n] = 0;
  return 1;
}

static int read_number(Header *h, int64_t *value) {
  skip_space(h);
  int64_t n = 0;
  int digits = 0;
  for (; h->next >= '0' && h->next <= '9' && digits < 18; digits++, advance(h)) n = 10 * n + (h->next - '0');
  *value = n;
  return digits > 0 || fail(h, EMBED_DAMAGED);
}

// [1, 2, 3]: `most` numbers at most.
static int read_numbers(Header *h, int64_t *values, int most, int *n) {
  *n = 0;
  if (!need(h, '[')) return 0;
  if (take(h, ']')) return 1;
  do {
    int64_t value;
    if (!read_number(h, &value)) return 0;
    if (*n == most) return fail(h, EMBED_OTHER_MODEL);
    values[(*n)++] = value;
  } while (take(h, ','));
  return need(h, ']');
}

static int read_metadata(Header *h) {
  if (!need(h, '{')) return 0;
  if (take(h, '}')) return 1;
  do {
    if (!read_string(h)) return 0;
    int is_sum = !strcmp(h->text, CHECKSUM_KEY);
    if (!need(h, ':')) return 0;
    skip_space(h);
    int64_t at = h->at;  // of the first byte behind the quote
    if (!read_string(h)) return 0;
    if (!is_sum) continue;
    if (strlen(h->text) != DIGITS) return fail(h, EMBED_DAMAGED);
    h->digits = at;
    memcpy(h->sum, h->text, DIGITS);
  } while (take(h, ','));
  return need(h, '}');
}

static int find_tensor(const Goal *goal, const char *name) {
  for (int k = 0; k < goal->n; k++)
    if (!strcmp(goal->items[k].path, name)) return k;
  return -1;
}

static int is_shape(const TensorInfo *info, const int64_t *dim, int rank) {
  if (rank != info->rank) return 0;
  for (int d = 0; d < rank; d++)
    if (dim[d] != info->dim[d]) return 0;
  return 1;
}

typedef struct Entry {
  int is_f32, rank, places;
  int64_t dim[TENSOR_MAX_RANK], place[2];
} Entry;

static int read_entry_item(Header *h, Entry *e) {
  if (!read_string(h) || !need(h, ':')) return 0;
  if (!strcmp(h->text, "dtype")) {
    if (!read_string(h)) return 0;
    e->is_f32 = !strcmp(h->text, "F32");
    return 1;
  }
  if (!strcmp(h->text, "shape")) return read_numbers(h, e->dim, TENSOR_MAX_RANK, &e->rank);
  if (!strcmp(h->text, "data_offsets")) return read_numbers(h, e->place, 2, &e->places);
  return fail(h, EMBED_DAMAGED);
}

static int read_entry(Header *h, int which) {
  Entry e = {.rank = -1};
  if (!need(h, '{')) return 0;
  do {
    if (!read_entry_item(h, &e)) return 0;
  } while (take(h, ','));
  if (!need(h, '}')) return 0;
  if (e.places != 2 || e.rank < 0) return fail(h, EMBED_DAMAGED);
  if (which < 0 || !e.is_f32 || !is_shape(&h->goal->items[which], e.dim, e.rank)) return fail(h, EMBED_OTHER_MODEL);
  int64_t bytes = h->goal->items[which].count * (int64_t)sizeof(float);
  Found *place = &h->goal->found[which];
  if (e.place[1] < e.place[0] || e.place[1] - e.place[0] != bytes || place->times++) return fail(h, EMBED_DAMAGED);
  place->begin = e.place[0];
  return 1;
}

static int read_header(Header *h) {
  advance(h);
  if (!need(h, '{')) return 0;
  if (!take(h, '}')) {
    do {
      if (!read_string(h) || !need(h, ':')) return 0;
      int is_metadata = !strcmp(h->text, "__metadata__");
      if (!(is_metadata ? read_metadata(h) : read_entry(h, find_tensor(h->goal, h->text)))) return 0;
    } while (take(h, ','));
    if (!need(h, '}')) return 0;
  }
  skip_space(h);
  return h->next < 0 || fail(h, EMBED_DAMAGED);
}

static int read_length(Header *h) {
  unsigned char bytes[LENGTH_BYTES];
  for (int k = 0; k < LENGTH_BYTES; k++) {
    int c = bytes_next(h->bytes);
    if (c < 0) return fail(h, EMBED_DAMAGED);
    bytes[k] = (unsigned char)c;
  }
  for (int k = LENGTH_BYTES - 1; k >= 0; k--) {
    if (h->length > HEADER_MOST) return fail(h, EMBED_DAMAGED);
    h->length = h->length << 8 | bytes[k];
  }
  return h->length <= HEADER_MOST || fail(h, EMBED_DAMAGED);
}

// ---- checks of the whole --------------------------------------------------------------------------------------------

// Every tensor is there, and together they are the data, each byte once.
static int check_places(Header *h, int64_t data_bytes) {
  const Goal *goal = h->goal;
  int64_t sum = 0;
  for (int k = 0; k < goal->n; k++) {
    if (!goal->found[k].times) return fail(h, EMBED_OTHER_MODEL);
    int64_t bytes = goal->items[k].count * (int64_t)sizeof(float), begin = goal->found[k].begin;
    if (begin > data_bytes - bytes) return fail(h, EMBED_DAMAGED);
    sum += bytes;
    for (int other = 0; other < k; other++) {
      int64_t its_begin = goal->found[other].begin,
              its_end = its_begin + goal->items[other].count * (int64_t)sizeof(float);
      if (begin < its_end && its_begin < begin + bytes) return fail(h, EMBED_DAMAGED);
    }
  }
  return sum == data_bytes || fail(h, EMBED_DAMAGED);
}

// All bytes behind the length: how many, and do they have the sum that the header says?
static int check_sum(Header *h, int64_t *total) {
  Bytes *b = h->bytes;
  unsigned char piece[PIECE];
  uint32_t crc = 0;
  *total = 0;
  if (!bytes_seek(b, LENGTH_BYTES)) return fail(h, EMBED_FILE);
  for (size_t n; (n = bytes_read(b, piece, PIECE)) > 0; *total += (int64_t)n) {
    for (int64_t k = 0; h->digits >= 0 && k < DIGITS; k++) {
      int64_t at = h->digits + k - *total;
      if (at >= 0 && at < (int64_t)n) piece[at] = '0';
    }
    crc = checksum_add(crc, piece, n);
  }
  char digits[DIGITS];
  checksum_digits(crc, digits);
  return h->digits < 0 || !memcmp(digits, h->sum, DIGITS) || fail(h, EMBED_DAMAGED);
}

static int read_tensors(Header *h) {
  const Goal *goal = h->goal;
  for (int k = 0; k < goal->n; k++) {
    float *to = goal->block[k >= goal->n_first] + goal->items[k].offset;
    size_t bytes = (size_t)goal->items[k].count * sizeof(float);
    if (!bytes_seek(h->bytes, LENGTH_BYTES + h->length + goal->found[k].begin)) return fail(h, EMBED_FILE);
    if (bytes_read(h->bytes, to, bytes) != bytes) return fail(h, EMBED_FILE);
  }
  return 1;
}

static int load(EmbedContext *c, const Goal *goal, Bytes *bytes) {
  Header h = {.goal = goal, .bytes = bytes, .digits = -1};
  int64_t total;
  for (int k = 0; k < goal->n; k++) goal->found[k] = (Found){0, 0};
  if (!read_length(&h) || !read_header(&h) || !check_sum(&h, &total)) return h.status;
  if (!check_places(&h, total - h.length)) return h.status;
  c->has_weights = 0;
  c->prepared = 0;
  if (!read_tensors(&h)) return h.status;
  c->has_weights = 1;
  return EMBED_OK;
}

// Of parameters and states, whose tables follow one another, and what is noted of them follows both.
static Goal goal_of_weights(const EmbedContext *c) {
  int n = c->params.n_items + c->states.n_items;
  return (Goal){.items = c->params.items,
                .n = n,
                .n_first = c->params.n_items,
                .found = (Found *)(void *)(c->params.items + n),
                .block = {(float *)(void *)c->base[DLC_PARAM], (float *)(void *)c->base[DLC_STATE]}};
}

// Weights that stand in the library are no memory to write to.
static int check_loading(const EmbedContext *c, const void *from) {
  int status = embed_check(c);
  return !status && !from ? EMBED_NULL : status;
}

int embed_load(EmbedContext *c, const char *path) {
  int status = check_loading(c, path);
  if (status) return status;
  Bytes bytes = {.file = fopen(path, "rb")};
  if (!bytes.file) return EMBED_FILE;
  Goal goal = goal_of_weights(c);
  status = load(c, &goal, &bytes);
  fclose(bytes.file);
  return status;
}

int embed_load_memory(EmbedContext *c, const void *from, size_t size) {
  int status = check_loading(c, from);
  if (status) return status;
  Bytes bytes = {.memory = from, .size = size};
  Goal goal = goal_of_weights(c);
  return load(c, &goal, &bytes);
}

int embed_load_training(EmbedContext *c, const char *path) {
  int status = check_loading(c, path);
  if (status) return status;
  Bytes bytes = {.file = fopen(path, "rb")};
  if (!bytes.file) return EMBED_FILE;
  if (!embed_training_is_started(c)) embed_start_training(c);
  TensorInfo items[TRAINING_TENSORS];
  Found found[TRAINING_TENSORS];
  TensorTable table = embed_training_tensors(c, items);
  Goal goal = {table.items, table.n_items, table.n_items, found, {(float *)(void *)c, NULL}};
  status = load(c, &goal, &bytes);
  fclose(bytes.file);
  if (status) return status;
  status = embed_take_counters(c);
  if (status) c->has_weights = 0;
  return status;
}
