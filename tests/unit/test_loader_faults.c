// Data sources whose files cannot be read to their end, change while they are read, or are at the edge of what is
// taken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "checkpoint.h"
#include "data.h"
#include "fault_io.h"
#include "image.h"

static Guard guard;
static Arena *arena;
static char folder[] = "/tmp/dlc-loader-faults-XXXXXX";

static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  return !mkdtemp(folder);
}

static int tear_down(void **state) {
  (void)state;
  int result = system(arena_printf(arena, "rm -rf '%s'", folder));
  arena_free(arena);
  return result;
}

static const char *in_folder(const char *name) { return arena_printf(arena, "%s/%s", folder, name); }

static void put(const char *name, const void *bytes, size_t size) {
  FILE *f = fopen(in_folder(name), "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  fclose(f);
}
static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

static void put_gzip(const char *name, const char *text) {
  gzFile f = gzopen(in_folder(name), "wb");
  assert_int_equal(gzwrite(f, text, (unsigned)strlen(text)), (int)strlen(text));
  gzclose(f);
}

static SourceSpec spec_of(SourceKind kind, const char *file) {
  const char **files = arena_alloc(arena, sizeof *files);
  *files = file;
  return (SourceSpec){.kind = kind, .files = files, .n_files = 1, .key = "x", .csv = {.separator = ','}};
}

static DataSource *open_with(Io io, const SourceSpec *spec, DiagSink *sink) {
  return data_open(data_store_new(arena, io), sink, folder, spec);
}

static DataSource *open_whole(const SourceSpec *spec) {
  DiagSink *sink = diag_sink_new(arena);
  DataSource *source = open_with(io_system(), spec, sink);
  if (!source) print_message("%s\n", sink->items[0]->message);
  assert_non_null(source);
  return source;
}

static void assert_refused_with(Io io, const SourceSpec *spec, DiagCode code, const char *says) {
  DiagSink *sink = diag_sink_new(arena);
  assert_null(open_with(io, spec, sink));
  assert_int_equal(sink->n_errors, 1);
  assert_string_equal(diag_code_name(sink->items[0]->code), diag_code_name(code));
  if (!strstr(sink->items[0]->message, says)) fail_msg("'%s' lacks '%s'", sink->items[0]->message, says);
}
static void assert_refused(const SourceSpec *spec, DiagCode code, const char *says) {
  assert_refused_with(io_system(), spec, code, says);
}

// ---- a small file of every kind -------------------------------------------------------------------------------------

static void put_npz(const char *name, const char *array, size_t packed, const unsigned char *data);

static size_t put_npy(const char *name) {
  static const float values[] = {1, 2, 3};
  static const int64_t dim[] = {3};
  assert_int_equal(npy_write(io_system(), arena, in_folder(name), DATA_F32, 1, dim, values), 0);
  struct stat info;
  assert_int_equal(stat(in_folder(name), &info), 0);
  return (size_t)info.st_size;
}

static void put_samples(void) {
  static const unsigned char idx[] = {0, 0, 12, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2};
  put("s.idx", idx, sizeof idx);
  put_npy("s.npy");
  put_text("s.csv", "1,\"3\"\n2,\"4\"\n");
  put_gzip("s.csv.gz", "1\n2\n");
  put_text("s.pgm", "P2 1 1 255 7");
  mkdir(in_folder("tree"), 0700);
  mkdir(in_folder("tree/cat"), 0700);
  put_text("tree/cat/a.pgm", "P2 1 1 255 7");
  put_text("tree/note.txt", "no image");
  mkdir(in_folder("cifar"), 0700);
  char *record = arena_alloc(arena, 3073);
  put("cifar/data_batch_1.bin", record, 3073);
  put_text("cifar/data_batch_1.txt", "no records");
  put_text("cifar/data_batch_2", "no records");
  NamedTensor x = {.name = "x", .type = DATA_F32, .rank = 1, .dim = {1}, .data = record};
  assert_int_equal(safetensors_write(io_system(), arena, in_folder("s.safetensors"), &x, 1, NULL), 0);
  char *bytes;
  size_t size;
  assert_int_equal(io_read_file(io_system(), arena, in_folder("s.npy"), 1 << 20, &bytes, &size), 0);
  put_npz("s.npz", "x.npy", size, (const unsigned char *)bytes);
}

static const struct {
  SourceKind kind;
  const char *file;
} samples[] = {{SOURCE_IDX, "s.idx"},     {SOURCE_NPY, "s.npy"},
               {SOURCE_NPZ, "s.npz"},     {SOURCE_CSV, "s.csv"},
               {SOURCE_CSV, "s.csv.gz"},  {SOURCE_SAFETENSORS, "s.safetensors"},
               {SOURCE_IMAGES, "s.pgm"},  {SOURCE_IMAGES, "tree"},
               {SOURCE_CIFAR10, "cifar"}, {SOURCE_CIFAR10, "cifar/data_batch_1.bin"}};
enum { SAMPLES = sizeof samples / sizeof *samples };

static uint32_t sum_of(const DataSource *source) {
  DataInfo info = data_info(source);
  return (uint32_t)crc32(0, data_row(source, 0), (uInt)(info.rows * info.row_bytes));
}

// Each call in turn fails, once or from then on: one error that says so, or the same numbers (of what was only closed).
static void any_failing_call_is_one_error(void **state) {
  (void)state;
  put_samples();
  for (size_t k = 0; k < SAMPLES; k++) {
    SourceSpec spec = spec_of(samples[k].kind, samples[k].file);
    uint32_t sum = sum_of(open_whole(&spec));
    for (int at = 1, on = 0;; at += on, on = !on) {
      FaultIo faults = {.fail_at = at, .error = -EIO, .fail_on = on};
      DiagSink *sink = diag_sink_new(arena);
      DataSource *source = open_with(fault_io(&faults), &spec, sink);
      assert_int_equal(sink->n_errors, source ? 0 : 1);
      if (source) assert_int_equal(sum_of(source), sum);
      if (!source) assert_string_equal(diag_code_name(sink->items[0]->code), "E0403");
      if (faults.calls < at) break;
      assert_true(at < 200);
    }
  }
}

static void interruptions_and_short_reads_change_nothing(void **state) {
  (void)state;
  put_samples();
  for (size_t k = 0; k < SAMPLES; k++) {
    SourceSpec spec = spec_of(samples[k].kind, samples[k].file);
    uint32_t sum = sum_of(open_whole(&spec));
    FaultIo faults = {.interrupted = true, .slow = true};
    DataSource *source = open_with(fault_io(&faults), &spec, diag_sink_new(arena));
    assert_non_null(source);
    assert_int_equal(sum_of(source), sum);
  }
}

static void assert_any_failure_is_said(const SourceSpec *spec) {
  for (int at = 1;; at++) {
    FaultIo faults = {.fail_at = at, .error = -EIO};
    DiagSink *sink = diag_sink_new(arena);
    DataSource *source = open_with(fault_io(&faults), spec, sink);
    assert_true(source ? sink->n_errors == 0 : !strcmp(diag_code_name(sink->items[0]->code), "E0403"));
    if (faults.calls < at) break;
    assert_true(at < 100);
  }
}

// A cell that begins in one piece of what is read at once and ends in the next, with quotes and without.
static void cells_between_two_pieces(void **state) {
  (void)state;
  for (int quoted = 0; quoted < 2; quoted++) {
    Text text = text_new(arena);
    while (text.length < (1 << 16) - 4) text_add(&text, "1\n");
    text_add(&text, quoted ? "\"10000000000\"\n" : "10000000000\n");
    put_text("long.csv", text.bytes);
    SourceSpec spec = spec_of(SOURCE_CSV, "long.csv");
    assert_int_equal(data_info(open_whole(&spec)).rows, (1 << 15) - 1);
    assert_any_failure_is_said(&spec);
  }
}

// A gzip file of `bytes`, whose name is so long that the whole file has `size` bytes, and what stands behind it.
static void put_padded_gzip(const char *name, const void *bytes, size_t count, size_t size, const char *behind) {
  unsigned char *file = arena_alloc(arena, size + strlen(behind)), packed[64];
  z_stream s = {.next_in = (Bytef *)bytes, .avail_in = (uInt)count, .next_out = packed, .avail_out = sizeof packed};
  assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
  deflateEnd(&s);
  uint32_t tail[] = {(uint32_t)crc32(0, bytes, (uInt)count), (uint32_t)count};
  memset(file, 'n', size);
  memcpy(file, "\x1f\x8b\x08\x08\0\0\0\0\0\0", 10);
  size_t data = size - sizeof tail - s.total_out;
  file[data - 1] = 0;
  memcpy(file + data, packed, s.total_out);
  memcpy(file + size - sizeof tail, tail, sizeof tail);
  memcpy(file + size, behind, strlen(behind));
  put(name, file, size + strlen(behind));
}

static void gzip_files_end_between_two_pieces(void **state) {
  (void)state;
  static const unsigned char idx[] = {0, 0, 8, 1, 0, 0, 0, 1, 7};
  SourceSpec spec = spec_of(SOURCE_IDX, "p.gz");
  put_padded_gzip("p.gz", idx, sizeof idx, 1 << 16, "x");
  assert_refused(&spec, DIAG_E0407, "the gzip data are damaged or end early, behind the data");
  put_padded_gzip("p.gz", idx, sizeof idx, (1 << 16) + 4, "");
  assert_int_equal(data_info(open_whole(&spec)).rows, 1);
  assert_any_failure_is_said(&spec);
}

// A source of the same name asked for twice says it once and gives nothing both times.
static void what_is_refused_stays_refused(void **state) {
  (void)state;
  put_text("bad.npy", "no array");
  SourceSpec spec = spec_of(SOURCE_NPZ, "bad.npy");
  spec.span = (Span){1, 2, 3};
  DiagSink *sink = diag_sink_new(arena);
  assert_null(open_with(io_system(), &spec, sink));
  assert_null(open_with(io_system(), &spec, sink));
  assert_int_equal(sink->n_errors, 1);
}

static void paths_start_at_the_root(void **state) {
  (void)state;
  put_samples();
  SourceSpec spec = spec_of(SOURCE_NPY, in_folder("s.npy"));
  DiagSink *sink = diag_sink_new(arena);
  assert_non_null(data_open(data_store_new(arena, io_system()), sink, NULL, &spec));
  assert_non_null(data_open(data_store_new(arena, io_system()), sink, "", &spec));
  spec = spec_of(SOURCE_IDX, "not/here.idx");
  assert_null(data_open(data_store_new(arena, io_system()), sink, NULL, &spec));
  assert_non_null(strstr(sink->items[0]->lines[0].text, "looked for in '.'"));
  spec.span = (Span){1, 2, 3};
  assert_null(data_open(data_store_new(arena, io_system()), sink, "", &spec));
  assert_non_null(strstr(sink->items[1]->lines[0].text, "looked for in '.'"));
}

// ---- files that change ----------------------------------------------------------------------------------------------

static void assert_change_is_seen(SourceKind kind, const char *before, const char *after, int at, const char *says) {
  put_text("before.csv", before);
  put_text("after.csv", after);
  SourceSpec spec = spec_of(kind, "before.csv");
  FaultIo faults = {.swapped = "before.csv", .swap = in_folder("after.csv"), .swap_at = at};
  assert_refused_with(fault_io(&faults), &spec, kind == SOURCE_CSV ? DIAG_E0414 : DIAG_E0416, says);
}

static void files_that_change_are_an_error(void **state) {
  (void)state;
  assert_change_is_seen(SOURCE_CSV, "1\n2\n", "1\n2\n3\n", 2, "line 3, column 0: the file has grown while it was read");
  assert_change_is_seen(SOURCE_CSV, "1\n2\n", "1\n", 2, "the file has changed while it was read");
  assert_change_is_seen(SOURCE_CSV, "1\n2\n", "1,2\n", 2, "the file has changed while it was read");
  put_text("small.pgm", "P2 2 2 255 1 2 3 4");
  put_text("large.pgm", "P2 4 2 255 1 2 3 4 5 6 7 8");
  SourceSpec spec = spec_of(SOURCE_IMAGES, "small.pgm");
  spec.images = (ImagesSpec){.height = 2, .width = 2, .fit = FIT_TILES};
  FaultIo faults = {.swapped = "small.pgm", .swap = in_folder("large.pgm"), .swap_at = 2};
  assert_refused_with(fault_io(&faults), &spec, DIAG_E0416, "the file has changed while it was read");
}

// A gzip file that is said to be of a size that no disk has.
static void sizes_that_no_disk_has(void **state) {
  (void)state;
  put_gzip("z.gz", "no array");
  FaultIo faults = {.lie = INT64_MAX / 2};
  SourceSpec spec = spec_of(SOURCE_NPY, "z.gz");
  assert_refused_with(fault_io(&faults), &spec, DIAG_E0403, "Input/output error");
  put_npy("z.npy");
  faults = (FaultIo){.lie = INT64_MAX};
  char *bytes;
  size_t size;
  assert_int_equal(io_read_file(fault_io(&faults), arena, in_folder("z.npy"), 100, &bytes, &size), -EFBIG);
  faults.lie = -1;
  assert_int_equal(io_read_file(fault_io(&faults), arena, in_folder("z.npy"), 100, &bytes, &size), -EFBIG);
}

// ---- csv ------------------------------------------------------------------------------------------------------------

static void csv_limits(void **state) {
  (void)state;
  Text text = text_new(arena);
  for (int k = 0; k <= 100000; k++) text_add(&text, "1,");
  put_text("wide.csv", text.bytes);
  SourceSpec spec = spec_of(SOURCE_CSV, "wide.csv");
  assert_refused(&spec, DIAG_E0414, "more columns than 100000");
  text_clear(&text);
  for (int k = 0; k <= 1000; k++) text_printf(&text, "t%d\n", k);
  put_text("classes.csv", text.bytes);
  spec = spec_of(SOURCE_CSV, "classes.csv");
  spec.csv.single = true;
  assert_refused(&spec, DIAG_E0414, "line 1001, column 0: more than 1000 different texts");
  text_clear(&text);
  text_add(&text, "\"");
  for (int k = 0; k < 65536; k++) text_add(&text, "a");
  text_add(&text, "\"\"\"");
  put_text("cell.csv", text.bytes);
  spec = spec_of(SOURCE_CSV, "cell.csv");
  assert_refused(&spec, DIAG_E0414, "a cell of more than 65536 bytes");
}

static void csv_columns_are_asked_for_once(void **state) {
  (void)state;
  static const CsvColumn numbers[] = {{.number = 1}, {.number = 1}}, names[] = {{.name = "b"}, {.name = "b"}};
  put_text("twice.csv", "a,b\n1,2\n");
  SourceSpec spec = spec_of(SOURCE_CSV, "twice.csv");
  spec.csv.header = true;
  spec.csv.columns = numbers;
  spec.csv.n_columns = 2;
  assert_refused(&spec, DIAG_E0414, "column 1 is asked for twice");
  spec.csv.columns = names;
  assert_refused(&spec, DIAG_E0414, "column 'b' is asked for twice");
}

// ---- idx, npy -------------------------------------------------------------------------------------------------------

static void npy_headers_at_the_edge(void **state) {
  (void)state;
  static const char *const shapes[] = {"(99999999999999999999,)", "(2305843009213693952,)",
                                       "(1152921504606846975, 16)"};
  static const char *const says[] = {"its shape cannot be read", "its shape is too large", "its shape is too large"};
  for (int k = 0; k < 3; k++) {
    char file[256] = "\x93NUMPY\x01";
    int length = sprintf(file + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n", shapes[k]);
    file[8] = (char)length;
    put("edge.npy", file, 10 + (size_t)length);
    SourceSpec spec = spec_of(SOURCE_NPY, "edge.npy");
    assert_refused(&spec, DIAG_E0410, says[k]);
  }
  put("edge.npy", "\x93NUMPY\x02\x00\x10\x00", 10);
  SourceSpec spec = spec_of(SOURCE_NPY, "edge.npy");
  assert_refused(&spec, DIAG_E0410, "it ends in its header");
}

// 7 * 7 * 73 * 127 * 337 * 92737 * 649657 = 2^63 - 1: with its header the file would be longer than any.
static void idx_of_the_largest_size(void **state) {
  (void)state;
  static const uint32_t dims[] = {7 * 7 * 73 * 127, 337 * 92737, 649657};
  unsigned char file[16] = {0, 0, 8, 3};
  for (int d = 0; d < 3; d++)
    for (int k = 0; k < 4; k++) file[4 + 4 * d + k] = (unsigned char)(dims[d] >> (24 - 8 * k));
  put("most.idx", file, sizeof file);
  SourceSpec spec = spec_of(SOURCE_IDX, "most.idx");
  assert_refused(&spec, DIAG_E0407, "its size is not what its header says");
}

static void npy_files_are_written_whole_or_not(void **state) {
  (void)state;
  static const int64_t dim[] = {20000};
  int32_t *numbers = arena_array(arena, 20000, sizeof *numbers);
  NpyArray array;
  assert_int_equal(npy_write(io_system(), arena, in_folder("w.npy"), DATA_I32, 1, dim, numbers), 0);
  assert_true(npy_read(arena, diag_sink_new(arena), io_system(), in_folder("w.npy"), &array) && array.count == 20000);
  assert_int_equal(npy_write(io_system(), arena, in_folder("no/w.npy"), DATA_I32, 1, dim, numbers), -ENOENT);
  for (int at = 1;; at++) {
    FaultIo faults = {.fail_at = at, .error = -ENOSPC};
    int error = npy_write(fault_io(&faults), arena, in_folder("w.npy"), DATA_I32, 1, dim, numbers);
    assert_true(error == 0 || error == -ENOSPC);
    assert_true(npy_read(arena, diag_sink_new(arena), io_system(), in_folder("w.npy"), &array));
    if (faults.calls < at) break;
  }
}

// ---- npz: zip files with all that NumPy does not write --------------------------------------------------------------

typedef struct Zip {
  unsigned char bytes[4096];
  size_t size;
} Zip;

static void zip_put(Zip *z, uint64_t value, int bytes) {
  for (int k = 0; k < bytes; k++) z->bytes[z->size++] = (unsigned char)(value >> (8 * k));
}
static void zip_copy(Zip *z, const void *from, size_t count) {
  memcpy(z->bytes + z->size, from, count);
  z->size += count;
}

// A member's header, local or of the directory; `extra` bytes of it follow.
static void zip_header(Zip *z, bool central, const char *name, uint32_t crc, uint32_t packed, uint32_t plain,
                       uint32_t at, size_t extra) {
  zip_put(z, central ? 0x02014b50 : 0x04034b50, 4);
  if (central) zip_put(z, 20, 2);
  zip_put(z, 20, 2);
  zip_put(z, 0, 2 + 2 + 4);
  zip_put(z, crc, 4);
  zip_put(z, packed, 4);
  zip_put(z, plain, 4);
  zip_put(z, strlen(name), 2);
  zip_put(z, extra, 2);
  if (central) zip_put(z, 0, 6);
  if (central) zip_put(z, 0, 4);
  if (central) zip_put(z, at, 4);
  zip_copy(z, name, strlen(name));
}

static void zip_end(Zip *z, size_t directory, size_t bytes) {
  zip_put(z, 0x06054b50, 4);
  zip_put(z, 0, 4);
  zip_put(z, 1, 2);
  zip_put(z, 1, 2);
  zip_put(z, bytes, 4);
  zip_put(z, directory, 4);
  zip_put(z, 0, 2);
}

static void put_npz(const char *name, const char *array, size_t size, const unsigned char *data) {
  Zip *z = arena_alloc(arena, sizeof *z);
  uint32_t crc = (uint32_t)crc32(0, data, (uInt)size);
  zip_header(z, false, array, crc, (uint32_t)size, (uint32_t)size, 0, 0);
  zip_copy(z, data, size);
  size_t directory = z->size;
  zip_header(z, true, array, crc, (uint32_t)size, (uint32_t)size, 0, 0);
  zip_end(z, directory, z->size - directory);
  put(name, z->bytes, z->size);
}

// The numbers of an archive with the 64-bit extensions; each can be a lie.
typedef struct Wide {
  uint64_t plain, packed, at;         // of the member, added to the truth where not 0
  uint64_t directory, bytes, record;  // where the directory begins, how long it is, where its record is: likewise
  uint32_t sign;                      // of the record, likewise
  int tag, length;                    // of the extra field: 0: right
  bool narrow;                        // the member's place has room in its header
} Wide;

static void put_wide(const Wide *w) {
  Zip *z = arena_alloc(arena, sizeof *z);
  char *array;
  size_t size;
  put_npy("x.npy");
  assert_int_equal(io_read_file(io_system(), arena, in_folder("x.npy"), 1 << 20, &array, &size), 0);
  uint32_t crc = (uint32_t)crc32(0, (const Bytef *)array, (uInt)size);
  zip_header(z, false, "x.npy", crc, (uint32_t)size, (uint32_t)size, 0, 0);
  zip_copy(z, array, size);
  size_t directory = z->size;
  zip_header(z, true, "x.npy", crc, 0xffffffff, 0xffffffff, w->narrow ? 0 : 0xffffffff, w->narrow ? 24 : 32);
  zip_put(z, 0x7777, 2);  // an extra field that means nothing here
  zip_put(z, 0, 2);
  zip_put(z, w->tag ? (uint64_t)w->tag : 1, 2);
  zip_put(z, w->length ? (uint64_t)w->length : w->narrow ? 16 : 24, 2);
  zip_put(z, size + w->plain, 8);
  zip_put(z, size + w->packed, 8);
  if (!w->narrow) zip_put(z, w->at, 8);
  size_t record = z->size;
  zip_put(z, 0x06064b50 + w->sign, 4);
  zip_put(z, 44, 8);
  zip_put(z, 45, 2 + 2);
  zip_put(z, 0, 4 + 4);
  zip_put(z, 1, 8);
  zip_put(z, 1, 8);
  zip_put(z, record - directory + w->bytes, 8);
  zip_put(z, directory + w->directory, 8);
  zip_put(z, 0x07064b50, 4);
  zip_put(z, 0, 4);
  zip_put(z, record + w->record, 8);
  zip_put(z, 1, 4);
  zip_end(z, 0xffffffff, 0xffffffff);
  put("wide.npz", z->bytes, z->size);
}

static void npz_with_wide_numbers(void **state) {
  (void)state;
  static const uint64_t minus = (uint64_t)1 << 63;
  static const struct {
    Wide wide;
    const char *says;
  } lies[] = {
      {{.plain = minus}, "its directory is damaged"},
      {{.packed = minus}, "its directory is damaged"},
      {{.at = minus}, "its directory is damaged"},
      {{.packed = INT64_MAX - 4000}, "the sizes of 'x.npy' do not fit the file"},
      {{.plain = 1}, "the sizes of 'x.npy' do not fit the file"},
      {{.at = 1}, "its directory points to no file"},
      {{.at = 4000}, "it ends within what begins at byte 4000"},
      {{.directory = minus}, "its directory does not lie within it"},
      {{.directory = 4000}, "its directory does not lie within it"},
      {{.bytes = minus}, "its directory does not lie within it"},
      {{.bytes = 4000}, "its directory does not lie within it"},
      {{.bytes = (uint64_t)1 << 30}, "its directory does not lie within it"},
      {{.directory = 1}, "its directory is damaged"},
      {{.record = minus}, "it ends within what begins at byte -"},
      {{.record = 4000}, "it ends within what begins at byte"},
      {{.record = 60}, "it ends within what begins at byte"},
      {{.sign = 1}, "its end record is damaged"},
      {{.length = 25}, "its directory is damaged"},
      {{.length = 8}, "its directory is damaged"},
      {{.length = 7}, "its directory is damaged"},
      {{.tag = 2}, "it ends within what begins at byte 4294967295"},
  };
  put_wide(&(Wide){0});
  SourceSpec spec = spec_of(SOURCE_NPZ, "wide.npz");
  assert_int_equal(data_info(open_whole(&spec)).rows, 3);
  put_wide(&(Wide){.narrow = true});
  assert_int_equal(data_info(open_whole(&spec)).rows, 3);
  for (size_t k = 0; k < sizeof lies / sizeof *lies; k++) {
    put_wide(&lies[k].wide);
    assert_refused(&spec, DIAG_E0415, lies[k].says);
  }
}

static void npz_says_what_it_holds(void **state) {
  (void)state;
  Zip *z = arena_alloc(arena, sizeof *z);
  zip_end(z, 0, 0);
  put("none.npz", z->bytes, z->size);
  SourceSpec spec = spec_of(SOURCE_NPZ, "none.npz");
  assert_refused(&spec, DIAG_E0415, "it holds no 'x'; it holds nothing");
  z->size = 0;
  for (int k = 0; k < 22; k++) zip_header(z, true, k ? "a.npy" : "b", 0, 0, 0, 0, 0);
  zip_end(z, 0, z->size);
  put("many.npz", z->bytes, z->size);
  spec = spec_of(SOURCE_NPZ, "many.npz");
  assert_refused(&spec, DIAG_E0415,
                 "it holds no 'x'; it holds b, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a "
                 "and more");
  z->size = 0;
  zip_end(z, 0, 0);
  z->bytes[8] = 2;
  put("pieces.npz", z->bytes, z->size);
  spec = spec_of(SOURCE_NPZ, "pieces.npz");
  assert_refused(&spec, DIAG_E0415, "it is in several pieces");
}

// ---- cifar, images --------------------------------------------------------------------------------------------------

static void cifar_folders_take_their_own_files(void **state) {
  (void)state;
  put_samples();
  SourceSpec spec = spec_of(SOURCE_CIFAR10, "cifar");
  assert_int_equal(data_info(open_whole(&spec)).rows, 1);
  put_text("cifar/data_batch_3.bin", "short");
  assert_refused(&spec, DIAG_E0408, "its size 5 is no multiple of the 3073 bytes of an image");
  unlink(in_folder("cifar/data_batch_3.bin"));
}

static void image_folders_have_their_rules(void **state) {
  (void)state;
  mkdir(in_folder("mixed"), 0700);
  mkdir(in_folder("mixed/.hidden"), 0700);
  put_text("mixed/.a.pgm", "no image");
  put_text("mixed/a.pgm", "P2 1 1 255 7");
  SourceSpec spec = spec_of(SOURCE_IMAGES, "mixed");
  assert_int_equal(data_info(open_whole(&spec)).rows, 1);
  put_text("mixed/b.ppm", "P3 1 1 255 1 2 3");
  assert_refused(&spec, DIAG_E0416, "it has 3 channels, the images before have 1");
  put_text("mixed/a.ppm", "P3 1 1 255 1 2 3");
  unlink(in_folder("mixed/a.pgm"));
  put_text("mixed/b.pgm", "P2 1 1 255 7");
  assert_refused(&spec, DIAG_E0416, "it has 1 channel, the images before have 3");
  spec.images.channels = 3;
  put_text("mixed/b.pgm", "P2 1 1 65535 7");
  assert_refused(&spec, DIAG_E0416, "it has 16 bits a channel, the images before have 8");
  put_text("mixed/b.pgm", "P2 2 1 255 7 8");
  assert_refused(&spec, DIAG_E0416, "it is 1x2, the images before are 1x1");
  put_text("mixed/b.pgm", "P2 1 2 255 7 8");
  assert_refused(&spec, DIAG_E0416, "it is 2x1, the images before are 1x1");
  spec.images.list = "no.csv";
  assert_refused(&spec, DIAG_E0403, "No such file");
  put_text("no.csv", "");
  assert_int_equal(data_info(open_whole(&spec)).rows, 0);
}

// Tiles of several pictures; a picture far from the row's form; a middle that lies between two pixels.
static void images_fit_at_the_edge(void **state) {
  (void)state;
  put_text("t.pgm", "P2 2 2 255 1 2 3 4");
  put_text("line.pgm", "P2 9 1 255 1 2 3 4 5 6 7 8 9");
  put_text("pole.pgm", "P2 1 9 255 1 2 3 4 5 6 7 8 9");
  const char *files[] = {"t.pgm", "line.pgm"};
  SourceSpec spec = spec_of(SOURCE_IMAGES, "t.pgm");
  spec.images = (ImagesSpec){.height = 1, .width = 1, .fit = FIT_TILES};
  spec.files = files;
  spec.n_files = 2;
  assert_int_equal(data_info(open_whole(&spec)).rows, 13);
  static const char *const thin[] = {"line.pgm", "pole.pgm"};
  for (int k = 0; k < 2; k++) {
    spec = spec_of(SOURCE_IMAGES, thin[k]);
    spec.images = (ImagesSpec){.height = 3, .width = 3, .fit = FIT_PAD};
    const uint8_t *row = data_row(open_whole(&spec), 0);
    assert_true(row[0] == 0 && row[4] == 5 && row[8] == 0);
  }
  put_text("tall.pgm", "P2 2 3 255 0 0 10 10 20 20");
  put_text("broad.pgm", "P2 3 2 255 0 10 20 0 10 20");
  static const char *const odd[] = {"tall.pgm", "broad.pgm"};
  for (int k = 0; k < 2; k++) {
    spec = spec_of(SOURCE_IMAGES, odd[k]);
    spec.images = (ImagesSpec){.height = 2, .width = 2, .fit = FIT_CROP};
    const uint8_t *row = data_row(open_whole(&spec), 0);
    assert_true(row[0] == 5 && row[3] == 15);
    spec.images.nearest = true;
    row = data_row(open_whole(&spec), 0);
    assert_true(row[0] == 10 && row[3] == 20);
  }
}

// A BMP file of one line or one column of `side` bytes with `colours` colours, all grey where `grey`.
static size_t make_bmp(unsigned char *file, int32_t width, int32_t height, int colours, bool grey) {
  size_t stride = (size_t)(width + 3) / 4 * 4, data = 54 + 4 * (size_t)(colours ? colours : 256);
  size_t lines = (size_t)(height < 0 ? -(int64_t)height : height);
  memset(file, 0, data + stride * (lines > 100000 ? 1 : lines));
  file[0] = 'B', file[1] = 'M', file[14] = 40, file[26] = 1, file[28] = 8, file[46] = (unsigned char)colours;
  for (int k = 0; k < 4; k++) file[10 + k] = (unsigned char)(data >> 8 * k);
  for (int k = 0; k < 4; k++) file[18 + k] = (unsigned char)((uint32_t)width >> 8 * k);
  for (int k = 0; k < 4; k++) file[22 + k] = (unsigned char)((uint32_t)height >> 8 * k);
  for (size_t at = 54; at < data; at += 4)
    file[at] = file[at + 1] = (unsigned char)(at / 4), file[at + 2] = (unsigned char)(at / 4 + !grey);
  return data + stride * (lines > 100000 ? 1 : lines);
}

static void bmp_palettes_and_sides(void **state) {
  (void)state;
  unsigned char *file = arena_alloc(arena, 400000);
  SourceSpec spec = spec_of(SOURCE_IMAGES, "p.bmp");
  size_t size = make_bmp(file, 2, -2, 2, true);
  file[62] = 1;  // the upper left pixel
  put("p.bmp", file, size);
  const DataSource *grey = open_whole(&spec);
  assert_int_equal(data_info(grey).dim[2], 1);
  assert_true(((const uint8_t *)data_row(grey, 0))[0] == 14 && ((const uint8_t *)data_row(grey, 0))[3] == 13);
  put("p.bmp", file, make_bmp(file, 2, 2, 0, false));
  assert_int_equal(data_info(open_whole(&spec)).dim[2], 3);
  size = make_bmp(file, 2, 2, 2, false);
  file[62] = 2;
  put("p.bmp", file, size);
  assert_refused(&spec, DIAG_E0416, "a pixel is of a colour that its palette lacks");
  put("p.bmp", file, make_bmp(file, 70000, 1, 2, true));
  assert_refused(&spec, DIAG_E0416, "it is larger than dlc reads");
  put("p.bmp", file, make_bmp(file, 1, 70000, 2, true));
  assert_refused(&spec, DIAG_E0416, "it is larger than dlc reads");
  put("p.bmp", file, make_bmp(file, 1, INT32_MIN, 2, true));
  assert_refused(&spec, DIAG_E0416, "its size cannot be read");
}

static void png_files_read_back(void **state) {
  (void)state;
  uint8_t pixels[] = {1, 2, 3, 4, 5, 6};
  for (int channels = 1; channels <= 3; channels += 2) {
    Image image = {.height = 1, .width = 2, .channels = channels, .pixels = pixels}, back;
    unsigned char *bytes;
    size_t size;
    assert_true(png_encode(arena, &image, &bytes, &size));
    assert_null(image_decode(arena, bytes, size, false, &back));
    assert_true(back.channels == channels && back.width == 2);
    assert_memory_equal(back.pixels, pixels, 2 * (size_t)channels);
  }
  Image endless = {.height = 1, .width = INT32_MAX, .channels = 3, .pixels = pixels};
  unsigned char *bytes;
  size_t size;
  assert_false(png_encode(arena, &endless, &bytes, &size));
}

// ---- safetensors as a source ----------------------------------------------------------------------------------------

static void safetensors_say_what_they_hold(void **state) {
  (void)state;
  static const int32_t numbers[] = {1, 2};
  NamedTensor many[22];
  for (int k = 0; k < 22; k++)
    many[k] =
        (NamedTensor){.name = arena_printf(arena, "t%d", k), .type = DATA_I32, .rank = 1, .dim = {2}, .data = numbers};
  assert_int_equal(safetensors_write(io_system(), arena, in_folder("many.safetensors"), many, 22, NULL), 0);
  SourceSpec spec = spec_of(SOURCE_SAFETENSORS, "many.safetensors");
  assert_refused(&spec, DIAG_E0411, "it holds no 'x'; it holds t0, t1,");
  assert_refused(&spec, DIAG_E0411, "t19 and more");
  spec.key = "t3";
  const DataSource *source = open_whole(&spec);
  assert_true(data_info(source).type == DATA_I32 && *(const int32_t *)data_row(source, 1) == 2);
  char file[256] = {0};
  int length = sprintf(file + 8, "{\"x\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}");
  file[0] = (char)length;
  memset(file + 8 + length, 0x7f, 8);
  put("wide.safetensors", file, 16 + (size_t)length);
  spec = spec_of(SOURCE_SAFETENSORS, "wide.safetensors");
  assert_refused(&spec, DIAG_E0411, "an integer of 'x' does not fit 32 bits");
}

// ---- stores and rows ------------------------------------------------------------------------------------------------

static void stores_share_files_but_not_what_was_computed(void **state) {
  (void)state;
  put_samples();
  SourceSpec spec = spec_of(SOURCE_NPY, "s.npy");
  DataStore *store = data_store_new(arena, io_system());
  DiagSink *sink = diag_sink_new(arena);
  DataSource *source = data_open(store, sink, folder, &spec);
  data_store_keep(store, &spec, source);
  DataStore *beside = data_store_beside(store);
  assert_ptr_equal(data_open(beside, sink, folder, &spec), source);
  assert_ptr_equal(data_store_recall(store, &spec), source);
  assert_null(data_store_recall(store, store));
  assert_null(data_store_recall(beside, &spec));
  SourceSpec image = spec_of(SOURCE_IMAGES, "s.pgm");
  image.field = "picture";  // its first field under any name
  assert_non_null(data_open(store, sink, folder, &image));
}

static void rows_are_narrowed(void **state) {
  (void)state;
  static const int64_t odd[] = {1, 3, 5}, ends[] = {2, 0};
  RowSet all = {.count = 9}, some = {3, odd}, two = {2, ends}, first = {.count = 2};
  assert_int_equal(rows_narrowed(arena, &all, &two).rows[0], 2);
  assert_int_equal(rows_narrowed(arena, &some, &two).rows[0], 5);
  assert_int_equal(rows_narrowed(arena, &some, &first).rows[1], 3);
  assert_int_equal(rows_narrowed(arena, &all, &first).rows[1], 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_failing_call_is_one_error),
      cmocka_unit_test(interruptions_and_short_reads_change_nothing),
      cmocka_unit_test(cells_between_two_pieces),
      cmocka_unit_test(gzip_files_end_between_two_pieces),
      cmocka_unit_test(what_is_refused_stays_refused),
      cmocka_unit_test(paths_start_at_the_root),
      cmocka_unit_test(files_that_change_are_an_error),
      cmocka_unit_test(sizes_that_no_disk_has),
      cmocka_unit_test(csv_limits),
      cmocka_unit_test(csv_columns_are_asked_for_once),
      cmocka_unit_test(npy_headers_at_the_edge),
      cmocka_unit_test(idx_of_the_largest_size),
      cmocka_unit_test(npy_files_are_written_whole_or_not),
      cmocka_unit_test(npz_with_wide_numbers),
      cmocka_unit_test(npz_says_what_it_holds),
      cmocka_unit_test(cifar_folders_take_their_own_files),
      cmocka_unit_test(image_folders_have_their_rules),
      cmocka_unit_test(images_fit_at_the_edge),
      cmocka_unit_test(bmp_palettes_and_sides),
      cmocka_unit_test(png_files_read_back),
      cmocka_unit_test(safetensors_say_what_they_hold),
      cmocka_unit_test(stores_share_files_but_not_what_was_computed),
      cmocka_unit_test(rows_are_narrowed),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
