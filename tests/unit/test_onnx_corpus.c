// Every file of tests/fuzz/onnx through the fuzzer's target: none ends the process.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fuzz/fuzz_onnx.c"

static void test_corpus(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  const char **names, *folder = DLC_SOURCE_DIR "/tests/fuzz/onnx";
  size_t count;
  assert_int_equal(io_list(io_system(), arena, folder, &names, &count), 0);
  assert_true(count >= 10);
  for (size_t k = 0; k < count; k++) {
    char *bytes;
    size_t size;
    assert_int_equal(
        io_read_file(io_system(), arena, arena_printf(arena, "%s/%s", folder, names[k]), 1 << 20, &bytes, &size), 0);
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
  }
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
