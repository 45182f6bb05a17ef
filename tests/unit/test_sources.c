// Sources of tables, archives and images: what the files say arrives, every cut and lie is refused with its code,
// nothing hostile gets memory, and only regular files are read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <png.h>
#include <jpeglib.h>
#include <cmocka.h>

#include "checkpoint.h"
#include "data.h"

static Guard guard;
static Arena *arena;
static char folder[] = "/tmp/dlc-sources-XXXXXX";

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

// ---- opening --------------------------------------------------------------------------------------------------------

typedef struct Opened {
  DataSource *source;
  DataInfo info;
  DiagSink *sink;
} Opened;

static Opened open_with(Io io, const SourceSpec *spec) {
  Opened o = {.sink = diag_sink_new(arena)};
  o.source = data_open(data_store_new(arena, io), o.sink, folder, spec);
  if (o.source) o.info = data_info(o.source);
  assert_int_equal(o.sink->n_errors, o.source ? 0 : 1);  // one mistake, one error
  return o;
}
static Opened open_spec(const SourceSpec *spec) { return open_with(io_system(), spec); }

static void assert_refused(const SourceSpec *spec, DiagCode code, const char *says) {
  Opened o = open_spec(spec);
  assert_null(o.source);
  assert_string_equal(diag_code_name(o.sink->items[0]->code), diag_code_name(code));
  if (says && !strstr(o.sink->items[0]->message, says)) fail_msg("'%s' lacks '%s'", o.sink->items[0]->message, says);
}

static SourceSpec spec_of(SourceKind kind, const char *file) {
  const char **files = arena_alloc(arena, sizeof *files);
  *files = file;
  return (SourceSpec){.kind = kind, .files = files, .n_files = 1, .key = "x", .csv = {.separator = ','}};
}

static float float_at(const Opened *o, int64_t row, int64_t k) { return ((const float *)data_row(o->source, row))[k]; }
static int32_t int_at(const Opened *o, int64_t row) { return *(const int32_t *)data_row(o->source, row); }
static const uint8_t *bytes_at(const Opened *o, int64_t row) { return data_row(o->source, row); }

// ---- csv ------------------------------------------------------------------------------------------------------------

static SourceSpec csv_of(const char *text, int64_t column) {
  put_text("t.csv", text);
  SourceSpec spec = spec_of(SOURCE_CSV, "t.csv");
  CsvColumn *columns = arena_alloc(arena, sizeof *columns);
  columns->number = column;
  spec.csv.columns = columns;
  spec.csv.n_columns = column >= 0;
  spec.csv.single = column >= 0;
  return spec;
}

static void csv_gives_columns(void **state) {
  (void)state;
  SourceSpec spec = csv_of(
      "\xef\xbb\xbf"
      "1,2.5,a\r\n\n -3e1 ,\"4\",b\r\n5,6,a",
      1);
  Opened o = open_spec(&spec);
  assert_int_equal(o.info.rank, 0);
  assert_int_equal(o.info.rows, 3);
  assert_true(float_at(&o, 0, 0) == 2.5f && float_at(&o, 1, 0) == 4 && float_at(&o, 2, 0) == 6);
  spec = csv_of("1,2.5,a\r\n-3e1,4,b\r\n5,6,a\n", 2);
  o = open_spec(&spec);
  assert_int_equal(o.info.type, DATA_I32);
  assert_true(int_at(&o, 0) == 0 && int_at(&o, 1) == 1 && int_at(&o, 2) == 0);
  spec = csv_of("1,2\n3,4\n", -1);
  o = open_spec(&spec);
  assert_int_equal(o.info.rank, 1);
  assert_int_equal(o.info.dim[0], 2);
  assert_true(float_at(&o, 1, 0) == 3 && float_at(&o, 1, 1) == 4);
}

static void csv_reads_quotes_as_rfc_4180_says(void **state) {
  (void)state;
  static const char *const classes[] = {"", "a \"b\", c", "two\nlines"};
  SourceSpec spec = csv_of("\"two\nlines\",1\n\"a \"\"b\"\", c\",2\n", 0);
  spec.class_names = (const char **)classes;
  spec.n_class_names = 3;
  Opened o = open_spec(&spec);
  assert_int_equal(o.info.rows, 2);
  assert_true(int_at(&o, 0) == 2 && int_at(&o, 1) == 1);
}

static void csv_finds_columns_by_name(void **state) {
  (void)state;
  SourceSpec spec = csv_of("height,\"wide, very\"\n1,2\n3,4\n", 0);
  ((CsvColumn *)spec.csv.columns)->name = "wide, very";
  spec.csv.header = spec.csv.header_given = true;
  Opened o = open_spec(&spec);
  assert_true(o.info.rows == 2 && float_at(&o, 0, 0) == 2 && float_at(&o, 1, 0) == 4);
  ((CsvColumn *)spec.csv.columns)->name = "hieght";
  assert_refused(&spec, DIAG_E0414, "no column 'hieght'; did you mean 'height'?");
}

static void csv_fills_missing_values_in(void **state) {
  (void)state;
  static const struct {
    MissingKind kind;
    float value;
  } cases[] = {{MISSING_MEAN, 3.5f}, {MISSING_MEDIAN, 1.5f}, {MISSING_MODE, 1}, {MISSING_VALUE, -1}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    SourceSpec spec = csv_of("1\n10\n?\n1\n2\nNA\n", 0);
    spec.csv.missing = cases[k].kind;
    spec.csv.fill = -1;
    Opened o = open_spec(&spec);
    assert_true(float_at(&o, 2, 0) == cases[k].value && float_at(&o, 5, 0) == cases[k].value);
    assert_true(float_at(&o, 1, 0) == 10);
  }
  SourceSpec spec = csv_of("b\n?\na\nb\n", 0);
  spec.csv.missing = MISSING_MODE;
  Opened o = open_spec(&spec);
  assert_true(int_at(&o, 0) == 1 && int_at(&o, 1) == 1 && int_at(&o, 2) == 0);
  spec.csv.missing = MISSING_MEAN;
  assert_refused(&spec, DIAG_E0414, "only missing = mode");
  spec = csv_of("?\n?\n", 0);
  spec.csv.missing = MISSING_MEAN;
  assert_refused(&spec, DIAG_E0414, "no value at all");
}

typedef struct CsvLie {
  const char *text;
  int64_t column;
  const char *says;
} CsvLie;

static void csv_mistakes_have_their_place(void **state) {
  (void)state;
  static const CsvLie lies[] = {
      {"1,2\n3\n", 0, "line 2 has 1 column, the lines before have 2"},
      {"1,2\n3,4,5\n", 0, "line 2 has 3 columns"},
      {"1,2\n3,x\n", 1, "line 2, column 1: 'x' is no number"},
      {"1,2\n3,\n", 1, "line 2, column 1: the cell is empty"},
      {"1,2\n3,nan\n", 1, "line 2, column 1: 'nan' stands for a missing value"},
      {"1\n0x10\n", 0, "'0x10' is no number"},
      {"1\ninf\n", 0, "'inf' is no number"},
      {"1\n1e999\n", 0, "too large"},
      {"1\n1e39\n", 0, "too large"},
      {"1\n1.5.2\n", 0, "'1.5.2' is no number"},
      {"1\n\"2\n3\n", 0, "the quote that line 2 opens is not closed"},
      {"1\n\"2\"x\n", 0, "line 2, column 0: text behind a closing quote"},
      {"1\n2\"3\n", 0, "a quote within a cell"},
      {"1\r2\n", 0, "a carriage return within a line"},
      {"a,b\n1,2\n", 1, "line 2, column 1: a number, but the first line has the text 'b' here"},
      {"1,2\n", 2, "it has no column 2: its 2 are counted from 0"},
      {"1,a\n2,b\n", -1, "column 1 holds texts"},
      {"\"1\n2\",x\n3,y,z\n", 1, "line 3 has 3 columns"},
  };
  for (size_t k = 0; k < sizeof lies / sizeof *lies; k++) {
    SourceSpec spec = csv_of(lies[k].text, lies[k].column);
    assert_refused(&spec, DIAG_E0414, lies[k].says);
  }
  SourceSpec spec = csv_of("", 0);
  assert_refused(&spec, DIAG_E0414, "it is empty");
  put("t.csv", "1\n\0\n", 4);
  assert_refused(&spec, DIAG_E0414, "a NUL byte");
  static const char *const classes[] = {"yes"};
  spec = csv_of("yes\nno\n", 0);
  spec.class_names = (const char **)classes;
  spec.n_class_names = 1;
  assert_refused(&spec, DIAG_E0414, "line 2, column 0: 'no' is none of the classes");
}

// A cell, a line and a file larger than any buffer.
static void csv_lines_may_be_long(void **state) {
  (void)state;
  enum { CELLS = 50000 };
  Text text = text_new(arena);
  for (int row = 0; row < 2; row++)
    for (int k = 0; k < CELLS; k++) text_printf(&text, k + 1 < CELLS ? "%d," : "%d\n", k + row);
  SourceSpec spec = csv_of(text.bytes, CELLS - 1);
  Opened o = open_spec(&spec);
  assert_true(o.info.rows == 2 && float_at(&o, 1, 0) == CELLS);
  char *cell = arena_alloc(arena, 70001);
  memset(cell, '1', 70000);
  spec = csv_of(cell, 0);
  assert_refused(&spec, DIAG_E0414, "a cell of more than 65536 bytes");
}

// ---- npz ------------------------------------------------------------------------------------------------------------

// A zip file of one member, as NumPy writes it: local header, data, directory, end.
typedef struct Zip {
  unsigned char bytes[2048];
  size_t size;
} Zip;

static void zip_put(Zip *z, uint64_t value, int bytes) {
  for (int k = 0; k < bytes; k++) z->bytes[z->size++] = (unsigned char)(value >> (8 * k));
}
static void zip_copy(Zip *z, const void *from, size_t count) {
  memcpy(z->bytes + z->size, from, count);
  z->size += count;
}

static void zip_header(Zip *z, bool central, int method, uint32_t crc, size_t packed, size_t plain, const char *name) {
  zip_put(z, central ? 0x02014b50 : 0x04034b50, 4);
  if (central) zip_put(z, 20, 2);
  zip_put(z, 20, 2);
  zip_put(z, 0, 2);
  zip_put(z, (uint64_t)method, 2);
  zip_put(z, 0, 4);
  zip_put(z, crc, 4);
  zip_put(z, packed, 4);
  zip_put(z, plain, 4);
  zip_put(z, strlen(name), 2);
  zip_put(z, 0, 2);
  if (central) {
    zip_put(z, 0, 2 + 2 + 2);
    zip_put(z, 0, 4);
    zip_put(z, 0, 4);  // the member begins the file
  }
  zip_copy(z, name, strlen(name));
}

static Zip *new_zip(bool deflated) {
  static const float values[] = {1, 2, 3, 4, 5, 6};
  static const int64_t dim[] = {3, 2};
  unsigned char plain[512], packed[600];
  Zip *z = arena_alloc(arena, sizeof *z);
  assert_int_equal(npy_write(io_system(), arena, in_folder("x.npy"), DATA_F32, 2, dim, values), 0);
  FILE *f = fopen(in_folder("x.npy"), "rb");
  size_t size = fread(plain, 1, sizeof plain, f), length = size;
  fclose(f);
  memcpy(packed, plain, size);
  if (deflated) {
    z_stream s = {.next_in = plain, .avail_in = (uInt)size, .next_out = packed, .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
    length = s.total_out;
    deflateEnd(&s);
  }
  uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), plain, (uInt)size);
  zip_header(z, false, deflated ? 8 : 0, crc, length, size, "x.npy");
  zip_copy(z, packed, length);
  size_t directory = z->size;
  zip_header(z, true, deflated ? 8 : 0, crc, length, size, "x.npy");
  size_t end = z->size;
  zip_put(z, 0x06054b50, 4);
  zip_put(z, 0, 4);
  zip_put(z, 1, 2);
  zip_put(z, 1, 2);
  zip_put(z, end - directory, 4);
  zip_put(z, directory, 4);
  zip_put(z, 0, 2);
  return z;
}

static void npz_reads_stored_and_deflated(void **state) {
  (void)state;
  for (int deflated = 0; deflated < 2; deflated++) {
    Zip *z = new_zip(deflated);
    put("x.npz", z->bytes, z->size);
    SourceSpec spec = spec_of(SOURCE_NPZ, "x.npz");
    Opened o = open_spec(&spec);
    assert_int_equal(o.info.rows, 3);
    assert_int_equal(o.info.dim[0], 2);
    assert_true(float_at(&o, 2, 1) == 6 && float_at(&o, 0, 0) == 1);
    spec.key = "y";
    assert_refused(&spec, DIAG_E0415, "it holds no 'y'; it holds x");
  }
}

static void npz_cut_anywhere_is_refused(void **state) {
  (void)state;
  for (int deflated = 0; deflated < 2; deflated++) {
    Zip *z = new_zip(deflated);
    SourceSpec spec = spec_of(SOURCE_NPZ, "x.npz");
    for (size_t k = 0; k < z->size; k++) {
      put("x.npz", z->bytes, k);
      assert_refused(&spec, DIAG_E0415, NULL);
    }
  }
}

// Every bit in turn: refused, or the same numbers (times, versions and such mean nothing).
static void npz_with_any_bit_changed_is_safe(void **state) {
  (void)state;
  for (int deflated = 0; deflated < 2; deflated++) {
    Zip *z = new_zip(deflated);
    SourceSpec spec = spec_of(SOURCE_NPZ, "x.npz");
    for (size_t bit = 0; bit < 8 * z->size; bit++) {
      z->bytes[bit / 8] = (unsigned char)(z->bytes[bit / 8] ^ 1 << bit % 8);
      put("x.npz", z->bytes, z->size);
      Opened o = open_spec(&spec);
      if (o.source) assert_true(o.info.rows == 3 && float_at(&o, 2, 1) == 6 && float_at(&o, 1, 0) == 3);
      z->bytes[bit / 8] = (unsigned char)(z->bytes[bit / 8] ^ 1 << bit % 8);
    }
  }
}

// ---- safetensors ----------------------------------------------------------------------------------------------------

static void put_safe(const char *header, const void *data, size_t size) {
  Text file = text_new(arena);
  uint64_t length = strlen(header);
  text_add_n(&file, (const char *)&length, 8);
  text_add(&file, header);
  text_add_n(&file, data, size);
  put("x.safetensors", file.bytes, file.length);
}

static void safetensors_gives_one_tensor(void **state) {
  (void)state;
  static const double doubles[] = {1.5, -2};
  static const int64_t wholes[] = {7, 1LL << 40};
  SourceSpec spec = spec_of(SOURCE_SAFETENSORS, "x.safetensors");
  put_safe(
      "{\"x\":{\"dtype\":\"F64\",\"shape\":[2,1],\"data_offsets\":[0,16]},"
      "\"m\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[16,17]}}",
      "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\xc0\x09", 17);
  Opened o = open_spec(&spec);
  assert_true(o.info.rows == 2 && o.info.rank == 1 && float_at(&o, 0, 0) == (float)doubles[0]);
  assert_true(float_at(&o, 1, 0) == (float)doubles[1]);
  spec.key = "m";
  o = open_spec(&spec);
  assert_true(o.info.type == DATA_U8 && *bytes_at(&o, 0) == 9);
  spec.key = "z";
  assert_refused(&spec, DIAG_E0411, "it holds no 'z'; it holds x, m");
  spec.key = "x";
  put_safe("{\"x\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]}}", wholes, 16);
  assert_refused(&spec, DIAG_E0411, "does not fit 32 bits");
  put_safe("{\"x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", wholes, 4);
  assert_refused(&spec, DIAG_E0411, "a single number");
  put_safe("{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,16]}}", wholes, 16);
  assert_refused(&spec, DIAG_E0411, "shape");
}

// ---- images ---------------------------------------------------------------------------------------------------------

enum { WIDE = 3, HIGH = 2 };
static const uint8_t colours[HIGH * WIDE * 3] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 40, 50, 60, 70, 80, 90};

static size_t make_png(const void *pixels, uint32_t format, uint8_t *to, size_t room) {
  png_image image = {.version = PNG_IMAGE_VERSION, .width = WIDE, .height = HIGH, .format = format};
  png_alloc_size_t size = room;
  assert_true(png_image_write_to_memory(&image, to, &size, 0, pixels, 0, NULL));
  return size;
}

static size_t make_jpeg(const uint8_t *pixels, int side, uint8_t **to) {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  unsigned long size = 0;
  *to = NULL;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, to, &size);
  jpeg.image_width = jpeg.image_height = (JDIMENSION)side;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 95, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < side; y++) {
    JSAMPROW line = (JSAMPROW)pixels + 3 * side * y;
    jpeg_write_scanlines(&jpeg, &line, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  return size;
}

static size_t make_bmp(uint8_t *to) {
  static const uint8_t header[] = {'B',  'M', 78, 0, 0,    0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0,  0,
                                   WIDE, 0,   0,  0, HIGH, 0, 0, 0, 1, 0, 24, 0, 0, 0, 0,  0, 24, 0,
                                   0,    0,   0,  0, 0,    0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  0, 0,  0};
  memset(to, 0, 78);
  memcpy(to, header, sizeof header);
  for (int y = 0; y < HIGH; y++)
    for (int x = 0; x < WIDE; x++)
      for (int c = 0; c < 3; c++) to[54 + (HIGH - 1 - y) * 12 + 3 * x + c] = colours[(y * WIDE + x) * 3 + 2 - c];
  return 78;
}

static void assert_is_colours(const Opened *o) {
  assert_non_null(o->source);
  assert_int_equal(o->info.type, DATA_U8);
  assert_true(o->info.rank == 3 && o->info.dim[0] == HIGH && o->info.dim[1] == WIDE && o->info.dim[2] == 3);
  assert_memory_equal(bytes_at(o, 0), colours, sizeof colours);
}

typedef struct Sample {
  const char *name;
  uint8_t bytes[1024];
  size_t size;
} Sample;

// The same picture in every format that loses nothing.
static Sample *samples(size_t *n) {
  static Sample list[5];
  *n = 5;
  list[0].name = "a.png";
  list[0].size = make_png(colours, PNG_FORMAT_RGB, list[0].bytes, sizeof list[0].bytes);
  list[1].name = "a.bmp";
  list[1].size = make_bmp(list[1].bytes);
  list[2].name = "a.ppm";
  list[2].size = (size_t)sprintf((char *)list[2].bytes, "P6\n# drawn\n%d %d\n255\n", WIDE, HIGH);
  memcpy(list[2].bytes + list[2].size, colours, sizeof colours);
  list[2].size += sizeof colours;
  list[3].name = "b.ppm";
  list[3].size = (size_t)sprintf((char *)list[3].bytes, "P3 %d %d 255", WIDE, HIGH);
  for (size_t k = 0; k < sizeof colours; k++)
    list[3].size += (size_t)sprintf((char *)list[3].bytes + list[3].size, " %d", colours[k]);
  list[4].name = "c.png";
  uint8_t with_alpha[HIGH * WIDE * 4];
  for (int k = 0; k < HIGH * WIDE * 4; k++) with_alpha[k] = k % 4 < 3 ? colours[k / 4 * 3 + k % 4] : 255;
  list[4].size = make_png(with_alpha, PNG_FORMAT_RGBA, list[4].bytes, sizeof list[4].bytes);
  return list;
}

static void images_of_every_format_are_the_same(void **state) {
  (void)state;
  size_t n;
  const Sample *list = samples(&n);
  for (size_t k = 0; k < n; k++) {
    put(list[k].name, list[k].bytes, list[k].size);
    SourceSpec spec = spec_of(SOURCE_IMAGES, list[k].name);
    Opened o = open_spec(&spec);
    assert_is_colours(&o);
  }
}

static void images_cut_anywhere_are_refused(void **state) {
  (void)state;
  size_t n;
  const Sample *list = samples(&n);
  for (size_t k = 0; k < n; k++) {
    SourceSpec spec = spec_of(SOURCE_IMAGES, list[k].name);
    for (size_t size = 0; size < list[k].size; size++) {
      bool shorter_number = k == 3 && size + 1 == list[k].size;  // "90" to "9"
      put(list[k].name, list[k].bytes, size);
      if (!shorter_number) assert_refused(&spec, DIAG_E0416, list[k].name);
    }
    put(list[k].name, list[k].bytes, list[k].size);
  }
}

static void images_with_any_bit_changed_are_safe(void **state) {
  (void)state;
  size_t n;
  Sample *list = samples(&n);
  for (size_t k = 0; k < n; k++) {
    SourceSpec spec = spec_of(SOURCE_IMAGES, list[k].name);
    spec.images.height = spec.images.width = 2;
    for (size_t bit = 0; bit < 8 * list[k].size; bit++) {
      list[k].bytes[bit / 8] = (uint8_t)(list[k].bytes[bit / 8] ^ 1 << bit % 8);
      put(list[k].name, list[k].bytes, list[k].size);
      open_spec(&spec);
      list[k].bytes[bit / 8] = (uint8_t)(list[k].bytes[bit / 8] ^ 1 << bit % 8);
    }
  }
}

static void jpeg_is_near_and_whole(void **state) {
  (void)state;
  enum { SIDE = 16 };
  uint8_t pixels[SIDE * SIDE * 3], *file;
  for (int k = 0; k < SIDE * SIDE * 3; k++) pixels[k] = (uint8_t)(k / 3 % SIDE * 12 + k / 3 / SIDE * 3);
  size_t size = make_jpeg(pixels, SIDE, &file);
  put("a.jpg", file, size);
  SourceSpec spec = spec_of(SOURCE_IMAGES, "a.jpg");
  Opened o = open_spec(&spec);
  assert_true(o.info.dim[0] == SIDE && o.info.dim[2] == 3);
  for (int k = 0; k < SIDE * SIDE * 3; k++) assert_true(abs(bytes_at(&o, 0)[k] - pixels[k]) <= 6);
  for (size_t cut = 0; cut + 2 < size; cut++) {  // the last two bytes say that it ends
    put("a.jpg", file, cut);
    assert_refused(&spec, DIAG_E0416, "a.jpg");
  }
  for (size_t bit = 0; bit < 8 * size; bit += 3) {
    file[bit / 8] = (uint8_t)(file[bit / 8] ^ 1 << bit % 8);
    put("a.jpg", file, size);
    spec.images.height = spec.images.width = SIDE;
    open_spec(&spec);
    file[bit / 8] = (uint8_t)(file[bit / 8] ^ 1 << bit % 8);
  }
  free(file);
}

// Headers of images that no memory holds.
static void image_headers_that_lie_get_no_memory(void **state) {
  (void)state;
  SourceSpec spec = spec_of(SOURCE_IMAGES, "lie.png");
  static const char *const texts[] = {"P5 65535 65535 255 x", "P6 99999999999999999999 1 255 x",
                                      "P5 -1 1 255 x",        "P2 2 2 99999999 1 1 1 1",
                                      "P5 65536 1 255 x",     "P4 1 1 x",
                                      "P5 2 2 0 xxxx"};
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
    put_text("lie.png", texts[k]);
    assert_refused(&spec, DIAG_E0416, NULL);
  }
  uint8_t file[1024];
  size_t size = make_bmp(file);
  memset(file + 18, 0x7f, 8);
  put("lie.png", file, size);
  assert_refused(&spec, DIAG_E0416, NULL);
  size = make_png(colours, PNG_FORMAT_RGB, file, sizeof file);
  file[16] = file[20] = 0x00;
  file[18] = file[22] = 0xf0;  // 61,443 x 61,442; libpng sees that the checksum does not fit
  put("lie.png", file, size);
  assert_refused(&spec, DIAG_E0416, NULL);
  uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), file + 12, 17);
  for (int k = 0; k < 4; k++) file[29 + k] = (uint8_t)(crc >> (24 - 8 * k));
  put("lie.png", file, size);
  assert_refused(&spec, DIAG_E0416, "larger than dlc reads");
}

// A text in a PNG file whose length is a lie.
static void png_chunks_that_lie_get_no_memory(void **state) {
  (void)state;
  uint8_t file[1024];
  static const uint8_t text[] = {0x28, 0xaa, 0, 0x10, 't', 'E', 'X', 't'};
  make_png(colours, PNG_FORMAT_RGB, file, sizeof file);
  memcpy(file + 33, text, sizeof text);  // behind the header
  SourceSpec spec = spec_of(SOURCE_IMAGES, "lie.png");
  size_t before = arena_bytes(arena);
  for (size_t size = 33; size <= 50; size++) {
    put("lie.png", file, size);
    assert_refused(&spec, DIAG_E0416, arena_printf(arena, "it ends early, at byte %zu", size));
  }
  assert_true(arena_bytes(arena) - before < 16u << 20);
}

static void images_have_labels_by_folder_and_sizes(void **state) {
  (void)state;
  size_t n;
  const Sample *list = samples(&n);
  mkdir(in_folder("set"), 0700);
  mkdir(in_folder("set/dog"), 0700);
  mkdir(in_folder("set/cat"), 0700);
  put("set/dog/a.png", list[0].bytes, list[0].size);
  put("set/cat/b.bmp", list[1].bytes, list[1].size);
  put_text("set/readme.txt", "no image");
  SourceSpec spec = spec_of(SOURCE_IMAGES, "set");
  spec.field = "label";
  Opened o = open_spec(&spec);
  assert_true(o.info.rows == 2 && int_at(&o, 0) == 0 && int_at(&o, 1) == 1);
  static const char *const classes[] = {"dog", "cat"}, *const fewer[] = {"dog"};
  spec.class_names = (const char **)classes;
  spec.n_class_names = 2;
  o = open_spec(&spec);
  assert_true(int_at(&o, 0) == 1 && int_at(&o, 1) == 0);
  spec.class_names = (const char **)fewer;
  spec.n_class_names = 1;
  assert_refused(&spec, DIAG_E0416, "none of the classes");
  spec.n_class_names = 0;
  spec.field = "size";
  o = open_spec(&spec);
  assert_true(float_at(&o, 0, 0) == HIGH && float_at(&o, 0, 1) == WIDE);
  put("set/a.png", list[0].bytes, list[0].size);
  assert_refused(&spec, DIAG_E0416, "beside folders");
  mkdir(in_folder("none"), 0700);
  spec = spec_of(SOURCE_IMAGES, "none");
  assert_refused(&spec, DIAG_E0416, "it holds no images");
  spec = spec_of(SOURCE_IMAGES, "set/cat");
  spec.field = "label";
  assert_refused(&spec, DIAG_E0416, "no labels");
}

static void images_follow_a_list(void **state) {
  (void)state;
  mkdir(in_folder("listed"), 0700);
  put_text("listed/a.pgm", "P2 1 1 255 7");
  put_text("listed/b.pgm", "P2 1 1 255 9");
  put_text("order.csv", "file,x\nb,1\na.pgm,2\nb.pgm,3\n");
  SourceSpec spec = spec_of(SOURCE_IMAGES, "listed");
  spec.images.list = "order.csv";
  spec.csv.header = true;
  Opened o = open_spec(&spec);
  assert_int_equal(o.info.rows, 3);
  assert_true(*bytes_at(&o, 0) == 9 && *bytes_at(&o, 1) == 7 && *bytes_at(&o, 2) == 9);
  put_text("order.csv", "c\n");
  spec.csv.header = false;
  assert_refused(&spec, DIAG_E0416, "no image of that name");
}

// A ramp of 8 x 8: what each way to fit makes of it.
static void images_are_made_to_fit(void **state) {
  (void)state;
  Text text = text_new(arena);
  text_add(&text, "P2 8 4 255");
  for (int k = 0; k < 32; k++) text_printf(&text, " %d", k % 8 * 20 + k / 8);
  put_text("ramp.pgm", text.bytes);
  SourceSpec spec = spec_of(SOURCE_IMAGES, "ramp.pgm");
  spec.images = (ImagesSpec){.height = 2, .width = 2, .fit = FIT_TILES};
  Opened o = open_spec(&spec);
  assert_int_equal(o.info.rows, 8);
  assert_true(bytes_at(&o, 1)[0] == 40 && bytes_at(&o, 1)[3] == 61 && bytes_at(&o, 4)[0] == 2);
  spec.images.fit = FIT_CROP;
  spec.images.nearest = true;
  o = open_spec(&spec);  // the middle 4 x 4, every second pixel's lower right
  assert_true(bytes_at(&o, 0)[0] == 61 && bytes_at(&o, 0)[1] == 101 && bytes_at(&o, 0)[2] == 63);
  spec.images = (ImagesSpec){.height = 4, .width = 4, .fit = FIT_PAD};
  o = open_spec(&spec);  // 2 x 4 in the middle, zeros above and below
  assert_true(bytes_at(&o, 0)[0] == 0 && bytes_at(&o, 0)[15] == 0 && bytes_at(&o, 0)[4] > 0);
  spec.images = (ImagesSpec){.height = 5, .width = 9, .fit = FIT_CORNER};
  o = open_spec(&spec);  // as it is, zeros beside and below
  assert_true(bytes_at(&o, 0)[7] == 140 && bytes_at(&o, 0)[8] == 0 && bytes_at(&o, 0)[9] == 1);
  assert_true(bytes_at(&o, 0)[3 * 9 + 7] == 143 && bytes_at(&o, 0)[4 * 9] == 0);
  spec.images.width = 7;
  assert_refused(&spec, DIAG_E0416, "it is 4x8, larger than the 5x7 of a row");
  // Pillow: Image.resize((4, 2), Image.BILINEAR).
  spec.images = (ImagesSpec){.height = 2, .width = 4, .fit = FIT_STRETCH};
  static const int pillow[] = {15, 51, 91, 127, 16, 52, 92, 128};
  o = open_spec(&spec);
  for (int k = 0; k < 8; k++) assert_true(abs(bytes_at(&o, 0)[k] - pillow[k]) <= 1);
}

static void deep_images_are_whole_numbers(void **state) {
  (void)state;
  put_text("deep.pgm", "P2 2 1 65535 40000 5");
  SourceSpec spec = spec_of(SOURCE_IMAGES, "deep.pgm");
  Opened o = open_spec(&spec);
  assert_true(o.info.type == DATA_I32 && int_at(&o, 0) == 40000);
  put("deep2.pgm", "P5 2 1 65535\n\x9c\x40\x00\x05", 17);
  spec = spec_of(SOURCE_IMAGES, "deep2.pgm");
  o = open_spec(&spec);
  assert_true(o.info.type == DATA_I32 && int_at(&o, 0) == 40000);
  const char *files[] = {"deep.pgm", "ramp.pgm"};
  spec.files = files;
  spec.n_files = 2;
  spec.images.height = spec.images.width = 1;
  assert_refused(&spec, DIAG_E0416, "it has 8 bits a channel, the images before have 16");
}

static void grey_is_made_of_colours_and_back(void **state) {
  (void)state;
  put_text("grey.ppm", "P3 2 1 255 100 200 50 255 255 255");
  SourceSpec spec = spec_of(SOURCE_IMAGES, "grey.ppm");
  spec.images.channels = 1;
  Opened o = open_spec(&spec);
  assert_true(o.info.dim[2] == 1 && bytes_at(&o, 0)[0] == 153 && bytes_at(&o, 0)[1] == 255);  // 29.9 + 117.4 + 5.7
  put_text("one.pgm", "P2 1 1 255 7");
  spec = spec_of(SOURCE_IMAGES, "one.pgm");
  spec.images.channels = 3;
  o = open_spec(&spec);
  assert_true(o.info.dim[2] == 3 && bytes_at(&o, 0)[2] == 7);
}

// ---- cifar100, generators -------------------------------------------------------------------------------------------

static void cifar100_has_two_labels(void **state) {
  (void)state;
  enum { RECORD = 3074 };
  uint8_t *file = arena_alloc(arena, 2 * RECORD);
  file[0] = 19, file[1] = 99, file[2] = 5, file[RECORD] = 3, file[RECORD + 1] = 42;
  put("c100.bin", file, 2 * RECORD);
  SourceSpec spec = spec_of(SOURCE_CIFAR100, "c100.bin");
  spec.field = "label";
  Opened o = open_spec(&spec);
  assert_true(o.info.rows == 2 && *bytes_at(&o, 0) == 99 && *bytes_at(&o, 1) == 42);
  spec.field = "coarse";
  o = open_spec(&spec);
  assert_true(*bytes_at(&o, 0) == 19 && *bytes_at(&o, 1) == 3);
  spec.field = "image";
  o = open_spec(&spec);
  assert_true(*bytes_at(&o, 0) == 5 && o.info.row_bytes == 3072);
  put("c100.bin", file, 2 * RECORD - 1);
  assert_refused(&spec, DIAG_E0408, "no multiple of the 3074 bytes");
  file[RECORD + 1] = 100;
  put("c100.bin", file, 2 * RECORD);
  assert_refused(&spec, DIAG_E0408, "image 1 has the label 100; there are 100 classes");
}

static SourceSpec drawn(SourceKind kind, const char *split, const char *field) {
  return (SourceSpec){
      .kind = kind, .split = split, .field = field, .count = 90, .seed = 4, .classes = 3, .spread = 0.01, .size = 32};
}

static void points_are_where_their_class_is(void **state) {
  (void)state;
  for (int kind = SOURCE_SPIRALS; kind <= SOURCE_BLOBS; kind++) {
    SourceSpec spec = drawn((SourceKind)kind, "train", "point");
    Opened points = open_spec(&spec), again = open_spec(&spec);
    spec.field = "label";
    Opened labels = open_spec(&spec);
    spec = drawn((SourceKind)kind, "test", "point");
    Opened test = open_spec(&spec);
    assert_int_equal(points.info.rows, 90);
    assert_memory_equal(data_row(points.source, 0), data_row(again.source, 0), 90 * 8);
    assert_memory_not_equal(data_row(points.source, 0), data_row(test.source, 0), 8);
    for (int64_t k = 0; k < 90; k++) {
      assert_int_equal(int_at(&labels, k), k % 3);
      float x = float_at(&points, k, 0), y = float_at(&points, k, 1), r2 = x * x + y * y;
      if (kind == SOURCE_BLOBS) assert_true(r2 > 3.6f && r2 < 4.4f);
      if (kind == SOURCE_BLOBS && k % 3 == 0) assert_true(x > 1.9f);
      if (kind == SOURCE_SPIRALS) assert_true(r2 < 1.1f);
    }
  }
}

// The mask, the boxes and the distances of a scene tell the same.
static void scenes_fit_together(void **state) {
  (void)state;
  SourceSpec spec = drawn(SOURCE_SHAPES, "train", "image");
  Opened image = open_spec(&spec);
  spec.field = "mask";
  Opened mask = open_spec(&spec);
  spec.field = "boxes";
  Opened boxes = open_spec(&spec);
  spec.field = "depth";
  Opened depth = open_spec(&spec);
  int seen[4] = {0};
  for (int64_t row = 0; row < 90; row++) {
    const uint8_t *m = data_row(mask.source, row);
    const float *b = data_row(boxes.source, row), *d = data_row(depth.source, row), *p = data_row(image.source, row);
    for (int k = 0; k < 3 * 32 * 32; k++) assert_true(p[k] >= 0 && p[k] <= 1);
    assert_true(b[0] >= 1);  // a scene has a shape
    for (int at = 0; at < 32 * 32; at++) {
      assert_in_range(m[at], 0, 3);
      seen[m[at]]++;
      assert_true(m[at] ? d[at] >= 1 && d[at] < 2 : d[at] >= 2 && d[at] <= 4);
      float x = ((float)(at % 32) + 0.5f) / 32, y = ((float)(at / 32) + 0.5f) / 32;
      bool boxed = false;
      for (int n = 0; n < 4; n++)
        boxed |= (float)m[at] == b[5 * n] && x > b[5 * n + 1] - b[5 * n + 3] / 2 &&
                 x < b[5 * n + 1] + b[5 * n + 3] / 2 && y > b[5 * n + 2] - b[5 * n + 4] / 2 &&
                 y < b[5 * n + 2] + b[5 * n + 4] / 2;
      assert_true(!m[at] || boxed);
    }
  }
  for (int k = 0; k < 4; k++) assert_true(seen[k] > 1000);
}

// ---- what is no file, and files that change -------------------------------------------------------------------------

static const SourceKind file_kinds[] = {SOURCE_IDX, SOURCE_NPY,    SOURCE_NPZ,     SOURCE_SAFETENSORS,
                                        SOURCE_CSV, SOURCE_IMAGES, SOURCE_CIFAR10, SOURCE_CIFAR100};

static void only_regular_files_are_read(void **state) {
  (void)state;
  assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
  for (size_t k = 0; k < sizeof file_kinds / sizeof *file_kinds; k++) {
    SourceSpec spec = spec_of(file_kinds[k], "fifo");
    assert_refused(&spec, DIAG_E0403, "regular file");
    spec = spec_of(file_kinds[k], "/dev/zero");
    assert_refused(&spec, DIAG_E0403, "regular file");
    spec = spec_of(file_kinds[k], "missing");
    assert_refused(&spec, DIAG_E0403, "No such file");
  }
}

// Reading gives nothing any more after so many calls, as of a file that was cut meanwhile.
static int64_t reads_left;
static ssize_t shrunk_pread(void *unused, int fd, void *buffer, size_t count, off_t offset) {
  (void)unused;
  return reads_left-- > 0 ? pread(fd, buffer, count, offset) : 0;
}

static void a_file_that_shrinks_is_an_error(void **state) {
  (void)state;
  IoOps ops = *io_system().ops;
  ops.pread = shrunk_pread;
  Io io = {&ops, NULL};
  size_t n;
  const Sample *list = samples(&n);
  put("s.png", list[0].bytes, list[0].size);
  Zip *z = new_zip(true);
  put("s.npz", z->bytes, z->size);
  put_text("s.csv", "1\n2\n");
  put_safe("{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "abcd", 4);
  SourceSpec specs[] = {spec_of(SOURCE_IMAGES, "s.png"), spec_of(SOURCE_NPZ, "s.npz"), spec_of(SOURCE_CSV, "s.csv"),
                        spec_of(SOURCE_SAFETENSORS, "x.safetensors"), spec_of(SOURCE_NPY, "x.npy")};
  for (size_t k = 0; k < sizeof specs / sizeof *specs; k++)
    for (int64_t reads = 0;; reads++) {
      reads_left = reads;
      Opened o = open_with(io, &specs[k]);
      if (o.source) break;
      assert_int_equal(o.sink->items[0]->code, DIAG_E0403);
      assert_true(reads < 100);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(csv_gives_columns),
      cmocka_unit_test(csv_reads_quotes_as_rfc_4180_says),
      cmocka_unit_test(csv_finds_columns_by_name),
      cmocka_unit_test(csv_fills_missing_values_in),
      cmocka_unit_test(csv_mistakes_have_their_place),
      cmocka_unit_test(csv_lines_may_be_long),
      cmocka_unit_test(npz_reads_stored_and_deflated),
      cmocka_unit_test(npz_cut_anywhere_is_refused),
      cmocka_unit_test(npz_with_any_bit_changed_is_safe),
      cmocka_unit_test(safetensors_gives_one_tensor),
      cmocka_unit_test(images_of_every_format_are_the_same),
      cmocka_unit_test(images_cut_anywhere_are_refused),
      cmocka_unit_test(images_with_any_bit_changed_are_safe),
      cmocka_unit_test(jpeg_is_near_and_whole),
      cmocka_unit_test(image_headers_that_lie_get_no_memory),
      cmocka_unit_test(png_chunks_that_lie_get_no_memory),
      cmocka_unit_test(images_have_labels_by_folder_and_sizes),
      cmocka_unit_test(images_follow_a_list),
      cmocka_unit_test(images_are_made_to_fit),
      cmocka_unit_test(deep_images_are_whole_numbers),
      cmocka_unit_test(grey_is_made_of_colours_and_back),
      cmocka_unit_test(cifar100_has_two_labels),
      cmocka_unit_test(points_are_where_their_class_is),
      cmocka_unit_test(scenes_fit_together),
      cmocka_unit_test(only_regular_files_are_read),
      cmocka_unit_test(a_file_that_shrinks_is_an_error),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
