// Data sources: what the files say arrives, every lie and every cut is refused, nothing hostile gets memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "data.h"
#include "random.h"

static Guard guard;
static Arena *arena;
static char folder[] = "/tmp/dlc-data-XXXXXX";

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

// The gzip form of some bytes.
static unsigned char *zipped(const void *bytes, size_t size, size_t *length) {
  unsigned char *out = arena_alloc(arena, size + 100);
  z_stream z = {
      .next_in = (unsigned char *)bytes, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)size + 100};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  *length = z.total_out;
  deflateEnd(&z);
  return out;
}

// ---- opening --------------------------------------------------------------------------------------------------------

typedef struct Opened {
  DataSource *source;
  DataInfo info;
  DiagSink *sink;
} Opened;

static Opened open_spec(const SourceSpec *spec) {
  Opened o = {.sink = diag_sink_new(arena)};
  o.source = data_open(data_store_new(arena, io_system()), o.sink, folder, spec);
  if (o.source) o.info = data_info(o.source);
  assert_int_equal(o.sink->n_errors, o.source ? 0 : 1);  // one mistake, one error
  return o;
}

static Opened open_file(SourceKind kind, const char *name) {
  SourceSpec spec = {.kind = kind, .files = &name, .n_files = 1};
  return open_spec(&spec);
}

static void assert_refused(SourceKind kind, const char *name, DiagCode code) {
  Opened o = open_file(kind, name);
  assert_null(o.source);
  assert_string_equal(diag_code_name(o.sink->items[0]->code), diag_code_name(code));
  assert_non_null(strstr(o.sink->items[0]->message, name));
}

static void a_file_that_is_not_there_says_where_it_was_sought(void **state) {
  (void)state;
  static const SourceKind kinds[] = {SOURCE_IDX, SOURCE_NPY, SOURCE_CIFAR10};
  for (size_t k = 0; k < 3; k++) assert_refused(kinds[k], "missing", DIAG_E0403);
  Opened o = open_file(SOURCE_IDX, "missing");
  assert_int_equal(o.sink->items[0]->n_lines, 1);
  assert_non_null(strstr(o.sink->items[0]->lines[0].text, folder));
}

static void folders_and_fifos_are_no_files(void **state) {
  (void)state;
  assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
  assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
  static const SourceKind kinds[] = {SOURCE_IDX, SOURCE_NPY, SOURCE_CIFAR10};
  for (size_t k = 0; k < 3; k++) assert_refused(kinds[k], "fifo", DIAG_E0403);
  assert_refused(SOURCE_IDX, "dir", DIAG_E0403);
  assert_refused(SOURCE_NPY, "dir", DIAG_E0403);
  assert_refused(SOURCE_CIFAR10, "dir", DIAG_E0408);
  assert_refused(SOURCE_IDX, "/dev/zero", DIAG_E0403);
}

// ---- idx ------------------------------------------------------------------------------------------------------------

static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0,   0, 0, 2,  0,  0,
                                       0, 3, 1, 2, 3, 4, 5, 6, 250, 8, 9, 10, 11, 12};
enum { IMAGES_HEADER = 16 };

static void assert_is_images(const Opened *o) {
  assert_non_null(o->source);
  assert_int_equal(o->info.type, DATA_U8);
  assert_int_equal(o->info.rank, 2);
  assert_int_equal(o->info.dim[0], 2);
  assert_int_equal(o->info.dim[1], 3);
  assert_int_equal(o->info.rows, 2);
  assert_int_equal(o->info.row_bytes, 6);
  assert_memory_equal(data_row(o->source, 0), images + IMAGES_HEADER, 6);
  assert_memory_equal(data_row(o->source, 1), images + IMAGES_HEADER + 6, 6);
}

static void idx_reads_plain_and_gzipped(void **state) {
  (void)state;
  put("images", images, sizeof images);
  Opened o = open_file(SOURCE_IDX, "images");
  assert_is_images(&o);
  size_t length;
  unsigned char *zip = zipped(images, sizeof images, &length);
  put("zip", zip, length);  // known by its bytes, not by its name
  o = open_file(SOURCE_IDX, "zip");
  assert_is_images(&o);
}

typedef struct TypeCase {
  unsigned char code, bytes[8];
  int size, type;
  double value;
} TypeCase;

static void idx_reads_every_element_type(void **state) {
  (void)state;
  static const TypeCase cases[] = {
      {0x08, {200}, 1, DATA_U8, 200},
      {0x09, {0xfe}, 1, DATA_I32, -2},
      {0x0b, {0xff, 0x38}, 2, DATA_I32, -200},
      {0x0c, {0x80, 0, 0, 1}, 4, DATA_I32, -2147483647},
      {0x0d, {0x3f, 0xc0, 0, 0}, 4, DATA_F32, 1.5},
      {0x0e, {0xbf, 0xd9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a}, 8, DATA_F32, -0.4},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const TypeCase *c = &cases[k];
    unsigned char file[8 + 3 * 8] = {0, 0, c->code, 1, 0, 0, 0, 3};
    for (int n = 0; n < 3; n++) memcpy(file + 8 + n * c->size, c->bytes, (size_t)c->size);
    put("typed", file, 8 + 3 * (size_t)c->size);
    Opened o = open_file(SOURCE_IDX, "typed");
    assert_non_null(o.source);
    assert_int_equal(o.info.type, c->type);
    assert_int_equal(o.info.rank, 0);
    const void *at = data_row(o.source, 2);
    double value = c->type == DATA_U8    ? (double)*(const uint8_t *)at
                   : c->type == DATA_I32 ? (double)*(const int32_t *)at
                                         : (double)*(const float *)at;
    assert_true(value == (c->type == DATA_F32 ? (double)(float)c->value : c->value));
  }
}

static void idx_cut_anywhere_is_refused(void **state) {
  (void)state;
  size_t length;
  unsigned char *zip = zipped(images, sizeof images, &length);
  for (size_t k = 0; k < sizeof images; k++) {
    put("cut", images, k);
    assert_refused(SOURCE_IDX, "cut", DIAG_E0407);
  }
  for (size_t k = 0; k < length; k++) {
    put("cut", zip, k);
    assert_refused(SOURCE_IDX, "cut", DIAG_E0407);
  }
}

static void idx_with_more_than_it_says_is_refused(void **state) {
  (void)state;
  unsigned char longer[sizeof images + 1];
  memcpy(longer, images, sizeof images);
  put("longer", longer, sizeof longer);
  assert_refused(SOURCE_IDX, "longer", DIAG_E0407);
  size_t length;
  unsigned char *zip = zipped(longer, sizeof longer, &length);
  put("longer", zip, length);
  assert_refused(SOURCE_IDX, "longer", DIAG_E0407);
  zip = zipped(images, sizeof images, &length);
  zip[length] = 'x';
  put("longer", zip, length + 1);
  assert_refused(SOURCE_IDX, "longer", DIAG_E0407);
}

// Every bit of the file in turn: refused, or other data of the same size (a plain file has no checksum, a gzip file
// has).
static void idx_with_any_bit_changed_is_safe(void **state) {
  (void)state;
  unsigned char file[sizeof images];
  memcpy(file, images, sizeof file);
  for (size_t bit = 0; bit < 8 * sizeof file; bit++) {
    file[bit / 8] = (unsigned char)(file[bit / 8] ^ 1 << bit % 8);
    put("flipped", file, sizeof file);
    Opened o = open_file(SOURCE_IDX, "flipped");
    if (bit >= 8 * IMAGES_HEADER) assert_non_null(o.source);
    if (o.source && o.info.type == DATA_U8) assert_int_equal(o.info.rows * o.info.row_bytes, 12);
    file[bit / 8] = (unsigned char)(file[bit / 8] ^ 1 << bit % 8);
  }
  size_t length;
  unsigned char *zip = zipped(images, sizeof images, &length);
  for (size_t bit = 0; bit < 8 * length; bit++) {
    zip[bit / 8] = (unsigned char)(zip[bit / 8] ^ 1 << bit % 8);
    put("flipped", zip, length);
    Opened o = open_file(SOURCE_IDX, "flipped");
    if (o.source) assert_is_images(&o);  // the gzip header's time and system mean nothing
    zip[bit / 8] = (unsigned char)(zip[bit / 8] ^ 1 << bit % 8);
  }
}

// Headers that promise the world, under a limit that could not hold a thousandth of it.
static void idx_headers_that_lie_get_no_memory(void **state) {
  (void)state;
  static const unsigned char lies[][20] = {
      {0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
      {0, 0, 8, 4, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2},  // 2^64: 0 when it wraps
      {0, 0, 14, 3, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 8},
      {0, 0, 8, 3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
      {0, 0, 12, 3, 0, 0, 0, 0, 0x80, 0, 0, 0, 0x40, 0, 0, 0},              // no rows, each of 2^63 bytes
      {0, 0, 12, 4, 0, 0, 0, 1, 0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0},  // an empty row of that size
      {0, 0, 8, 1, 0x40, 0, 0, 0},
      {0, 0, 8, 0},
      {0, 0, 8, 10},
      {0, 0, 7, 1},
      {0, 1, 8, 1},
      {1, 0, 8, 1},
  };
  for (size_t k = 0; k < sizeof lies / sizeof *lies; k++) {
    put("lie", lies[k], sizeof lies[k]);
    size_t before = arena_bytes(arena);
    assert_refused(SOURCE_IDX, "lie", DIAG_E0407);
    size_t length;
    unsigned char *zip = zipped(lies[k], sizeof lies[k], &length);
    put("lie", zip, length);
    assert_refused(SOURCE_IDX, "lie", DIAG_E0407);
    assert_true(arena_bytes(arena) - before < 16u << 20);
  }
}

static void random_files_are_safe(void **state) {
  (void)state;
  for (uint64_t k = 0; k < 3000; k++) {
    unsigned char file[64];
    size_t size = random_below(1, 1, k, sizeof file + 1);
    for (size_t n = 0; n < size; n++) file[n] = (unsigned char)random_bits(1, 2, k * 64 + n);
    if (k % 3 == 0 && size >= 4) memcpy(file, "\0\0\x08\x01", 4);
    if (k % 3 == 1 && size >= 10) memcpy(file, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
    put("random", file, size);
    open_file(SOURCE_IDX, "random");
    open_file(SOURCE_NPY, "random");
    open_file(SOURCE_CIFAR10, "random");
  }
}

// ---- cifar10 --------------------------------------------------------------------------------------------------------

enum { RECORD = 3073 };

// Record n has label n % 10; its red, green and blue planes hold p + n, p + n + 1, p + n + 2 for pixel p.
static unsigned char *records(int first, int count) {
  unsigned char *bytes = arena_array(arena, (size_t)count, RECORD);
  for (int n = 0; n < count; n++) {
    unsigned char *record = bytes + n * RECORD;
    *record++ = (unsigned char)((first + n) % 10);
    for (int c = 0; c < 3; c++)
      for (int p = 0; p < 1024; p++) record[c * 1024 + p] = (unsigned char)(p + first + n + c);
  }
  return bytes;
}

static Opened open_cifar(const char *const *files, int n, const char *split, const char *field) {
  SourceSpec spec = {
      .kind = SOURCE_CIFAR10, .files = (const char **)files, .n_files = n, .split = split, .field = field};
  return open_spec(&spec);
}

static void assert_is_record(const Opened *image, const Opened *label, int64_t row, int n) {
  const unsigned char *pixels = data_row(image->source, row);
  assert_int_equal(*(const unsigned char *)data_row(label->source, row), n % 10);
  for (int p = 0; p < 1024; p++)
    for (int c = 0; c < 3; c++) assert_int_equal(pixels[3 * p + c], (unsigned char)(p + n + c));
}

static void cifar10_reads_a_folder_or_a_list(void **state) {
  (void)state;
  assert_int_equal(mkdir(in_folder("cifar"), 0700), 0);
  put("cifar/data_batch_1.bin", records(0, 3), 3 * RECORD);
  put("cifar/data_batch_2.bin", records(3, 70), 70 * RECORD);
  put("cifar/test_batch_first.bin", records(5, 1), RECORD);
  put("cifar/readme.html", "no data", 7);
  const char *const dir[] = {"cifar"}, *const list[] = {"cifar/test_batch_first.bin", "cifar/data_batch_1.bin"};
  Opened image = open_cifar(dir, 1, "train", "image"), label = open_cifar(dir, 1, "train", "label");
  assert_int_equal(image.info.rows, 73);
  assert_int_equal(image.info.rank, 3);
  assert_int_equal(image.info.dim[0], 32);
  assert_int_equal(image.info.dim[2], 3);
  assert_int_equal(label.info.rows, 73);
  assert_int_equal(label.info.rank, 0);
  for (int n = 0; n < 73; n++) assert_is_record(&image, &label, n, n);
  image = open_cifar(dir, 1, "test", "image");
  label = open_cifar(dir, 1, "test", "label");
  assert_int_equal(image.info.rows, 1);
  assert_is_record(&image, &label, 0, 5);
  image = open_cifar(list, 2, NULL, "image");
  label = open_cifar(list, 2, NULL, "label");
  assert_int_equal(image.info.rows, 4);
  assert_is_record(&image, &label, 0, 5);
  assert_is_record(&image, &label, 3, 2);
}

static void cifar10_with_a_torn_record_or_a_wrong_label_is_refused(void **state) {
  (void)state;
  unsigned char *bytes = records(0, 2);
  for (size_t size = 0; size <= 2 * RECORD; size += size % RECORD < 2 || size % RECORD > RECORD - 3 ? 1 : 61) {
    put("torn", bytes, size);
    if (size % RECORD)
      assert_refused(SOURCE_CIFAR10, "torn", DIAG_E0408);
    else
      assert_int_equal(open_file(SOURCE_CIFAR10, "torn").info.rows, size / RECORD);
  }
  bytes[RECORD] = 10;
  put("label", bytes, 2 * RECORD);
  Opened o = open_file(SOURCE_CIFAR10, "label");
  assert_null(o.source);
  assert_non_null(strstr(o.sink->items[0]->message, "image 1 has the label 10"));
}

// ---- npy, and one file for several ----------------------------------------------------------------------------------

static void npy_rows_are_its_first_dimension(void **state) {
  (void)state;
  const float values[] = {1, 2, 3, 4, 5, 6};
  const int64_t dim[] = {3, 2};
  assert_int_equal(npy_write(io_system(), arena, in_folder("x.npy"), DATA_F32, 2, dim, values), 0);
  Opened o = open_file(SOURCE_NPY, "x.npy");
  assert_int_equal(o.info.rows, 3);
  assert_int_equal(o.info.rank, 1);
  assert_int_equal(o.info.row_bytes, 8);
  assert_memory_equal(data_row(o.source, 2), values + 4, 8);
  assert_int_equal(npy_write(io_system(), arena, in_folder("one.npy"), DATA_F32, 0, dim, values), 0);
  assert_refused(SOURCE_NPY, "one.npy", DIAG_E0410);
}

static void what_reads_the_same_file_shares_its_memory(void **state) {
  (void)state;
  put("shared", records(0, 5), 5 * RECORD);
  put("other", records(0, 5), 5 * RECORD);
  const char *files[] = {"shared", "other"};
  DataStore *store = data_store_new(arena, io_system());
  DiagSink *sink = diag_sink_new(arena);
  SourceSpec spec = {.kind = SOURCE_CIFAR10, .files = files, .n_files = 1, .field = "image"};
  DataSource *a = data_open(store, sink, folder, &spec), *b = data_open(store, sink, folder, &spec);
  assert_ptr_equal(data_row(a, 0), data_row(b, 0));
  spec.field = "label";
  assert_int_equal(data_info(data_open(store, sink, folder, &spec)).row_bytes, 1);
  spec.files = files + 1;
  spec.field = "image";
  assert_ptr_not_equal(data_row(data_open(store, sink, folder, &spec), 0), data_row(a, 0));
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static void assert_permutation(const int64_t *order, int64_t count, int64_t total) {
  bool *seen = arena_array(arena, (size_t)total, sizeof *seen);
  for (int64_t k = 0; k < count; k++) {
    assert_in_range(order[k], 0, total - 1);
    assert_false(seen[order[k]]);
    seen[order[k]] = true;
  }
}

static void parts_of_a_split_share_no_row_and_leave_none_out(void **state) {
  (void)state;
  static const int64_t totals[] = {0, 1, 2, 10, 997};
  for (size_t k = 0; k < sizeof totals / sizeof *totals; k++) {
    int64_t total = totals[k];
    SplitPart parts[] = {{true, 0, 0.7, 9, NULL}, {true, 0.7, 0.9, 9, NULL}, {true, 0.9, 1, 9, NULL}};
    int64_t *all = arena_array(arena, (size_t)total, sizeof *all), n = 0;
    for (int p = 0; p < 3; p++) {
      RowSet set = rows_of_part(arena, &parts[p], total);
      for (int64_t r = 0; r < set.count; r++) all[n++] = set.rows[r];
    }
    assert_int_equal(n, total);
    if (total) assert_permutation(all, n, total);
  }
  SplitPart part = {true, 0, 0.5, 1, NULL}, other = {true, 0, 0.5, 2, NULL};
  RowSet a = rows_of_part(arena, &part, 100), b = rows_of_part(arena, &part, 100), c = rows_of_part(arena, &other, 100);
  assert_int_equal(a.count, 50);
  assert_memory_equal(a.rows, b.rows, 50 * sizeof *a.rows);
  assert_memory_not_equal(a.rows, c.rows, 50 * sizeof *a.rows);
  SplitPart whole = {.is_part = false};
  assert_null(rows_of_part(arena, &whole, 100).rows);
  assert_int_equal(rows_of_part(arena, &whole, 100).count, 100);
}

static void epochs_are_different_permutations_of_the_rows(void **state) {
  (void)state;
  enum { COUNT = 500 };
  int64_t one[COUNT], same[COUNT], two[COUNT], seeded[COUNT], plain[COUNT];
  RowSet set = {.count = COUNT};
  rows_shuffle(3, 1, true, &set, one);
  rows_shuffle(3, 1, true, &set, same);
  rows_shuffle(3, 2, true, &set, two);
  rows_shuffle(4, 1, true, &set, seeded);
  rows_shuffle(3, 1, false, &set, plain);
  assert_permutation(one, COUNT, COUNT);
  assert_permutation(two, COUNT, COUNT);
  assert_memory_equal(one, same, sizeof one);
  assert_memory_not_equal(one, two, sizeof one);
  assert_memory_not_equal(one, seeded, sizeof one);
  for (int64_t k = 0; k < COUNT; k++) assert_int_equal(plain[k], k);
  const int64_t rows[] = {7, 3, 11};
  RowSet some = {3, rows};
  rows_shuffle(3, 1, true, &some, one);
  assert_int_equal(one[0] + one[1] + one[2], 21);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_that_is_not_there_says_where_it_was_sought),
      cmocka_unit_test(folders_and_fifos_are_no_files),
      cmocka_unit_test(idx_reads_plain_and_gzipped),
      cmocka_unit_test(idx_reads_every_element_type),
      cmocka_unit_test(idx_cut_anywhere_is_refused),
      cmocka_unit_test(idx_with_more_than_it_says_is_refused),
      cmocka_unit_test(idx_with_any_bit_changed_is_safe),
      cmocka_unit_test(idx_headers_that_lie_get_no_memory),
      cmocka_unit_test(random_files_are_safe),
      cmocka_unit_test(cifar10_reads_a_folder_or_a_list),
      cmocka_unit_test(cifar10_with_a_torn_record_or_a_wrong_label_is_refused),
      cmocka_unit_test(npy_rows_are_its_first_dimension),
      cmocka_unit_test(what_reads_the_same_file_shares_its_memory),
      cmocka_unit_test(parts_of_a_split_share_no_row_and_leave_none_out),
      cmocka_unit_test(epochs_are_different_permutations_of_the_rows),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
