// A target over kept inputs, without libFuzzer: replay_NAME FOLDER.. runs every file of the folders through it.
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int replay(Arena *arena, const char *folder) {
  const char **names;
  size_t count;
  int error = io_list(io_system(), arena, folder, &names, &count);
  for (size_t k = 0; k < count && !error; k++) {
    char *bytes;
    size_t size;
    const char *path = arena_printf(arena, "%s/%s", folder, names[k]);
    error = io_read_file(io_system(), arena, path, 1 << 20, &bytes, &size);
    if (!error) LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
  }
  if (error) fprintf(stderr, "%s: %s\n", folder, strerror(-error));
  if (!error) printf("%s: %zu inputs\n", folder, count);
  return error ? 1 : 0;
}

int main(int argc, char **argv) {
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  if (!arena || setjmp(guard.jump)) return 5;
  int status = 0;
  for (int k = 1; k < argc; k++) status |= replay(arena, argv[k]);
  arena_free(arena);
  return status;
}
