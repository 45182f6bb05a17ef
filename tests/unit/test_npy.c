// .npy files: what is written reads back; every prefix and every changed byte of a small file is refused or read, never
// believed beyond its length.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "data.h"

static Guard guard;
static Arena *arena;
static char path[] = "/tmp/dlc-npy-XXXXXX";

static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  int fd = mkstemp(path);
  close(fd);
  return fd < 0;
}

static int tear_down(void **state) {
  (void)state;
  unlink(path);
  arena_free(arena);
  return 0;
}

static void put(const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  fclose(f);
}

static bool get(NpyArray *array, DiagSink **sink) {
  *sink = diag_sink_new(arena);
  return npy_read(arena, *sink, io_system(), path, array);
}

// A version 1 file with this header text and data.
static size_t make(char *file, const char *header, const void *data, size_t size) {
  size_t length = strlen(header);
  memcpy(file, "\x93NUMPY\x01\x00", 8);
  file[8] = (char)(length & 255);
  file[9] = (char)(length >> 8);
  memcpy(file + 10, header, length);
  memcpy(file + 10 + length, data, size);
  return 10 + length + size;
}

static void what_is_written_reads_back(void **state) {
  (void)state;
  const float data[6] = {1, -2, 3.5f, 0, 1e30f, -0.0f};
  const int64_t dims[3] = {3, 1, 2};
  for (int rank = 0; rank <= 3; rank++) {
    int64_t count = 1;
    for (int d = 0; d < rank; d++) count *= dims[d];
    assert_int_equal(npy_write(io_system(), arena, path, DATA_F32, rank, dims, data), 0);
    NpyArray array;
    DiagSink *sink;
    assert_true(get(&array, &sink));
    assert_int_equal(array.rank, rank);
    assert_int_equal(array.count, count);
    assert_memory_equal(array.data, data, (size_t)count * 4);
  }
}

static void wide_elements_are_narrowed_where_they_fit(void **state) {
  (void)state;
  char file[512];
  NpyArray array;
  DiagSink *sink;
  int64_t whole[2] = {-5, 2147483647};
  put(file, make(file, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n", whole, 16));
  assert_true(get(&array, &sink));
  assert_int_equal(array.type, DATA_I32);
  assert_int_equal(((int32_t *)array.data)[1], 2147483647);
  whole[1] = 2147483648;
  put(file, make(file, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n", whole, 16));
  assert_false(get(&array, &sink));
  double real[1] = {0.1};
  put(file, make(file, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", real, 8));
  assert_true(get(&array, &sink));
  assert_true(*(float *)array.data == 0.1f);
}

static void foreign_kinds_are_refused(void **state) {
  (void)state;
  static const char *const headers[] = {
      "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n",
      "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
      "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }\n",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }\n",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }\n",
      "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n",
      "__import__('os')",
  };
  for (size_t k = 0; k < sizeof headers / sizeof *headers; k++) {
    char file[512];
    put(file, make(file, headers[k], "\0\0\0\0", 4));
    NpyArray array;
    DiagSink *sink;
    assert_false(get(&array, &sink));
    assert_int_equal(sink->n_errors, 1);
    assert_int_equal(sink->items[0]->code, DIAG_E0410);
  }
}

static void every_prefix_and_every_flip_is_survived(void **state) {
  (void)state;
  char file[512], bad[512];
  const float data[2] = {1, 2};
  size_t size = make(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", data, 8);
  NpyArray array;
  DiagSink *sink;
  for (size_t k = 0; k < size; k++) {
    put(file, k);
    assert_false(get(&array, &sink));
  }
  for (size_t k = 0; k < size; k++)
    for (int bit = 0; bit < 8; bit++) {
      memcpy(bad, file, size);
      bad[k] = (char)(bad[k] ^ 1 << bit);
      put(bad, size);
      if (get(&array, &sink))
        assert_int_equal(array.count * (array.type == DATA_F32 || array.type == DATA_I32 ? 4 : 1), 8);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_reads_back), cmocka_unit_test(wide_elements_are_narrowed_where_they_fit),
      cmocka_unit_test(foreign_kinds_are_refused), cmocka_unit_test(every_prefix_and_every_flip_is_survived)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
