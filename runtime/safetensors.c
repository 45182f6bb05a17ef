// safetensors files: an 8-byte header length, a JSON header, the tensors' bytes without holes. Everything is checked
// before anything is believed; sizes by checked arithmetic. dlc adds to the
// metadata a CRC-32 of the header (with the CRC's own digits as zeros) and the data; a file without one is another
// tool's.
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "checked.h"
#include "checkpoint.h"
#include "data_inside.h"

static const char checksum_key[] = "dlc.crc32";

enum { CHECKSUM_DIGITS = 8, HEADER_MOST = 100 * 1000 * 1000, LENGTH_BYTES = 8, MOST_DEPTH_RANK = 8 };

// ---- writing --------------------------------------------------------------------------------------------------------

static int64_t tensor_bytes(const NamedTensor *t) {
  int64_t bytes = t->bytes ? t->bytes : 4;
  for (int d = 0; d < t->rank; d++) bytes *= t->dim[d];
  return bytes;
}

static uint32_t crc_of(uint32_t crc, const void *data, int64_t bytes) {
  return (uint32_t)crc32_z(crc, data, (size_t)bytes);
}

static void add_tensor_entry(Text *header, const NamedTensor *t, int64_t *offset) {
  text_add(header, ",");
  text_add_quoted(header, t->name);
  text_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", t->type == DATA_F32 ? "F32" : "I32");
  for (int d = 0; d < t->rank; d++) text_printf(header, "%s%lld", d ? "," : "", (long long)t->dim[d]);
  int64_t end = *offset + tensor_bytes(t);
  text_printf(header, "],\"data_offsets\":[%lld,%lld]}", (long long)*offset, (long long)end);
  *offset = end;
}

// The header with zeros for its checksum's digits; *digits: where they stand.
static Text draw_header(Arena *arena, const NamedTensor *tensors, int n, const char *const *metadata, size_t *digits) {
  Text header = text_new(arena);
  text_printf(&header, "{\"__metadata__\":{\"%s\":\"", checksum_key);
  *digits = header.length;
  text_add(&header, "00000000\"");
  for (int k = 0; metadata && metadata[k]; k += 2) {
    text_add(&header, ",");
    text_add_quoted(&header, metadata[k]);
    text_add(&header, ":");
    text_add_quoted(&header, metadata[k + 1]);
  }
  text_add(&header, "}");
  int64_t offset = 0;
  for (int k = 0; k < n; k++) add_tensor_entry(&header, &tensors[k], &offset);
  text_add(&header, "}");
  while (header.length % 8) text_add(&header, " ");
  return header;
}

static Text make_header(Arena *arena, const NamedTensor *tensors, int n, const char *const *metadata) {
  size_t digits;
  Text header = draw_header(arena, tensors, n, metadata, &digits);
  uint32_t crc = crc_of((uint32_t)crc32(0, NULL, 0), header.bytes, (int64_t)header.length);
  for (int k = 0; k < n; k++) crc = crc_of(crc, tensors[k].data, tensor_bytes(&tensors[k]));
  char text[CHECKSUM_DIGITS + 1];
  snprintf(text, sizeof text, "%08x", crc);
  memcpy(header.bytes + digits, text, CHECKSUM_DIGITS);
  return header;
}

int safetensors_write(Io io, Arena *arena, const char *path, const NamedTensor *tensors, int n,
                      const char *const *metadata) {
  Text header = make_header(arena, tensors, n, metadata);
  unsigned char length[LENGTH_BYTES];
  for (int k = 0; k < LENGTH_BYTES; k++) length[k] = (unsigned char)(header.length >> (8 * k));
  IoWriter *writer;
  int error = io_replace_begin(io, arena, path, &writer);
  if (error) return error;
  io_replace_write(writer, length, LENGTH_BYTES);  // the first failure stays with the writer
  error = io_replace_write(writer, header.bytes, header.length);
  for (int k = 0; k < n; k++) error = io_replace_write(writer, tensors[k].data, (size_t)tensor_bytes(&tensors[k]));
  if (!error) return io_replace_commit(writer);
  io_replace_abort(writer);
  return error;
}

// ---- reading --------------------------------------------------------------------------------------------------------

typedef struct SafeReader {
  Arena *arena;
  DiagSink *sink;
  const char *path;
  const char *header;  // [header_bytes]
  size_t header_bytes;
  char *data;  // [data_bytes]
  int64_t data_bytes;
  bool any_type;  // else only those that weights have
  SafeFile *file;
} SafeReader;

static bool refuse(const SafeReader *r, const char *format, const char *what) {
  const char *why = arena_printf(r->arena, format, what);
  diag_error(r->sink, DIAG_E0411, SPAN_NONE, "'%s' is no safetensors file that dlc reads: %s", r->path, why);
  return false;
}

// A whole number from 0 to 2^53, which a JSON number holds exactly.
static bool whole(const cJSON *item, int64_t *value) {
  if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 9007199254740992.0) return false;
  *value = (int64_t)item->valuedouble;
  return (double)*value == item->valuedouble;
}

static bool read_entry_shape(const SafeReader *r, const cJSON *entry, NamedTensor *t, int64_t *bytes) {
  const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape");
  if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) > MOST_DEPTH_RANK)
    return refuse(r, "the shape of '%s' cannot be read", t->name);
  *bytes = t->bytes;
  for (const cJSON *dim = shape->child; dim; dim = dim->next) {
    if (!whole(dim, &t->dim[t->rank]) || !checked_mul(*bytes, t->dim[t->rank], bytes))
      return refuse(r, "the shape of '%s' cannot be read", t->name);
    t->rank++;
  }
  return true;
}

static bool find_type(const char *name, bool any, NamedTensor *t) {
  static const struct {
    const char *name;
    int type, bytes;
    bool weights;
  } types[] = {{"F32", DATA_F32, 4, true},  {"I32", DATA_I32, 4, true}, {"F64", DATA_F32, 8, false},
               {"I64", DATA_I32, 8, false}, {"U8", DATA_U8, 1, false},  {"BOOL", DATA_BOOL, 1, false}};
  for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
    if (strcmp(types[k].name, name) || !(any || types[k].weights)) continue;
    t->type = types[k].type;
    t->bytes = types[k].bytes;
    return true;
  }
  return false;
}

static bool read_entry(const SafeReader *r, const cJSON *entry, NamedTensor *t) {
  t->name = arena_strdup(r->arena, entry->string);
  const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
  const char *type = cJSON_IsString(dtype) ? dtype->valuestring : "";
  if (!find_type(type, r->any_type, t))
    return refuse(r, r->any_type ? "'%s' is none of F32, F64, I32, I64, U8, BOOL" : "'%s' is neither F32 nor I32",
                  t->name);
  int64_t bytes = 0, begin = 0, end = 0;
  if (!read_entry_shape(r, entry, t, &bytes)) return false;
  const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
  bool readable = cJSON_IsArray(offsets) && cJSON_GetArraySize(offsets) == 2 &&
                  whole(cJSON_GetArrayItem(offsets, 0), &begin) && whole(cJSON_GetArrayItem(offsets, 1), &end);
  if (!readable || begin > end || end > r->data_bytes || end - begin != bytes)
    return refuse(r, "the place of '%s' does not fit its shape or the file", t->name);
  t->data = r->data + begin;
  return true;
}

static bool read_metadata(const SafeReader *r, const cJSON *metadata) {
  if (!cJSON_IsObject(metadata)) return refuse(r, "%s", "its metadata are no object of strings");
  r->file->metadata = arena_array(r->arena, 2 * (size_t)cJSON_GetArraySize(metadata), sizeof(char *));
  for (const cJSON *pair = metadata->child; pair; pair = pair->next) {
    if (!cJSON_IsString(pair)) return refuse(r, "%s", "its metadata are no object of strings");
    r->file->metadata[2 * r->file->n_metadata] = arena_strdup(r->arena, pair->string);
    r->file->metadata[2 * r->file->n_metadata++ + 1] = arena_strdup(r->arena, pair->valuestring);
  }
  return true;
}

static int by_data(const void *left, const void *right) {
  const NamedTensor *a = left, *b = right;
  if (a->data != b->data) return (const char *)a->data < (const char *)b->data ? -1 : 1;
  return (tensor_bytes(a) > tensor_bytes(b)) - (tensor_bytes(a) < tensor_bytes(b));
}

static int by_name(const void *left, const void *right) {
  return strcmp((*(const NamedTensor *const *)left)->name, (*(const NamedTensor *const *)right)->name);
}

// In the order of their bytes the tensors fill the data without a hole or an overlap.
static bool check_cover(const SafeReader *r) {
  SafeFile *f = r->file;
  qsort(f->items, (size_t)f->n_items, sizeof *f->items, by_data);
  const char *at = r->data;
  for (int k = 0; k < f->n_items; k++) {
    if ((const char *)f->items[k].data != at)
      return refuse(r, "there is a hole or an overlap before '%s'", f->items[k].name);
    at += tensor_bytes(&f->items[k]);
  }
  if (at != r->data + r->data_bytes) return refuse(r, "%s", "there are bytes behind its last tensor");
  const NamedTensor **names = arena_array(r->arena, (size_t)f->n_items, sizeof *names);
  for (int k = 0; k < f->n_items; k++) names[k] = &f->items[k];
  qsort(names, (size_t)f->n_items, sizeof *names, by_name);
  for (int k = 1; k < f->n_items; k++)
    if (!strcmp(names[k - 1]->name, names[k]->name)) return refuse(r, "'%s' is there twice", names[k]->name);
  return true;
}

// The checksum's digits in the header's text, or NULL.
static const char *find_checksum(const SafeReader *r) {
  const char *quoted = arena_printf(r->arena, "\"%s\":\"", checksum_key);
  const char *at = memmem(r->header, r->header_bytes, quoted, strlen(quoted));
  if (!at) return NULL;
  at += strlen(quoted);
  return at + CHECKSUM_DIGITS < r->header + r->header_bytes ? at : NULL;
}

static bool check_crc(const SafeReader *r) {
  const char *digits = find_checksum(r);
  if (!digits) return true;
  size_t before = (size_t)(digits - r->header), after = before + CHECKSUM_DIGITS;
  uint32_t crc = crc_of((uint32_t)crc32(0, NULL, 0), r->header, (int64_t)before);
  crc = crc_of(crc, "00000000", CHECKSUM_DIGITS);
  crc = crc_of(crc, r->header + after, (int64_t)(r->header_bytes - after));
  crc = crc_of(crc, r->data, r->data_bytes);
  char found[CHECKSUM_DIGITS + 1];
  snprintf(found, sizeof found, "%08x", crc);
  if (memcmp(found, digits, CHECKSUM_DIGITS)) return refuse(r, "%s", "its checksum is wrong: it is damaged");
  return true;
}

static bool read_header(const SafeReader *r, const cJSON *header) {
  if (!cJSON_IsObject(header)) return refuse(r, "%s", "its header is no JSON object");
  r->file->items = arena_array(r->arena, (size_t)cJSON_GetArraySize(header), sizeof *r->file->items);
  bool seen_metadata = false;
  for (const cJSON *entry = header->child; entry; entry = entry->next) {
    if (!strcmp(entry->string, "__metadata__")) {
      if (seen_metadata) return refuse(r, "%s", "two __metadata__");
      if (!read_metadata(r, entry)) return false;
      seen_metadata = true;
    } else if (!read_entry(r, entry, &r->file->items[r->file->n_items++])) {
      return false;
    }
  }
  return check_cover(r);
}

static bool read_file(Arena *arena, DiagSink *sink, Io io, const char *path, bool any_type, SafeFile *file) {
  SafeReader r = {.arena = arena, .sink = sink, .path = path, .any_type = any_type, .file = file};
  *file = (SafeFile){0};
  char *bytes;
  size_t size;
  int error = io_read_file(io, arena, path, (size_t)1 << 40, &bytes, &size);
  if (error) {
    diag_error(sink, DIAG_E0403, SPAN_NONE, "cannot read '%s': %s", path, io_reason(error));
    return false;
  }
  uint64_t length = 0;
  if (size < LENGTH_BYTES) return refuse(&r, "%s", "it is too short");
  for (int k = 0; k < LENGTH_BYTES; k++) length |= (uint64_t)(unsigned char)bytes[k] << (8 * k);
  if (length > HEADER_MOST || length > size - LENGTH_BYTES) return refuse(&r, "%s", "it ends in its header");
  r.header = bytes + LENGTH_BYTES;
  r.header_bytes = (size_t)length;
  r.data = bytes + LENGTH_BYTES + length;
  r.data_bytes = (int64_t)(size - LENGTH_BYTES - length);
  if (r.data_bytes % 4 && !any_type) return refuse(&r, "%s", "its data are no whole numbers of elements");
  if (!check_crc(&r)) return false;
  cJSON *header = cJSON_ParseWithLength(bytes + LENGTH_BYTES, (size_t)length);
  bool done = header ? read_header(&r, header) : refuse(&r, "%s", "its header is no JSON");
  cJSON_Delete(header);
  return done;
}

bool safetensors_read(Arena *arena, DiagSink *sink, Io io, const char *path, SafeFile *file) {
  return read_file(arena, sink, io, path, false, file);
}

// ---- as a source ----------------------------------------------------------------------------------------------------

static const NamedTensor *find_tensor(const Opening *o, const char *path, const SafeFile *file) {
  Text names = text_new(o->sink->arena);
  for (int k = 0; k < file->n_items; k++) {
    if (!strcmp(file->items[k].name, o->spec->key)) return &file->items[k];
    if (k < 20) text_printf(&names, "%s%s", k ? ", " : "", file->items[k].name);
  }
  data_refuse(o, DIAG_E0411, path, "it holds no '%s'; it holds %s%s", o->spec->key, names.bytes,
              file->n_items > 20 ? " and more" : "");
  return NULL;
}

static bool take_tensor(const Opening *o, const char *path, const NamedTensor *t, NpyArray *array) {
  *array = (NpyArray){.type = t->type, .rank = t->rank, .count = tensor_bytes(t) / t->bytes};
  memcpy(array->dim, t->dim, sizeof array->dim);
  array->data = arena_array(o->arena, (size_t)array->count, t->bytes > 4 ? 4 : (size_t)t->bytes);
  if (t->bytes <= 4) {
    memcpy(array->data, t->data, (size_t)tensor_bytes(t));
    return true;
  }
  if (data_narrow(t->type, t->data, array->count, array->data)) return true;
  return data_refuse(o, DIAG_E0411, path, "an integer of '%s' does not fit 32 bits", t->name);
}

// The file is read whole, checked, and let go of.
bool safetensors_open(const Opening *o, DataSource *fields) {
  const char *path = data_path(o, o->spec->files[0]);
  Arena *own = arena_beside(o->arena);
  SafeFile file;
  NpyArray array;
  size_t before = o->sink->n_items;
  bool read = read_file(own, o->sink, o->io, path, true, &file);
  const NamedTensor *tensor = read ? find_tensor(o, path, &file) : NULL;
  bool taken = tensor && take_tensor(o, path, tensor, &array);
  if (taken && array.rank == 0) taken = data_refuse(o, DIAG_E0411, path, "'%s' is a single number", tensor->name);
  arena_free(own);
  return npy_field(o, path, taken, before, &array, fields);
}
