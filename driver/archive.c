// Static libraries: an archive in the form that every Unix linker reads, of one member and an index of its symbols.
#include <string.h>

#include "build.h"

enum { HEADER_BYTES = 60 };

// Numbers and names padded with spaces; dates and owners are 0, so that equal libraries are equal files.
static void add_header(Text *out, const char *name, size_t size) {
  text_printf(out, "%-16.16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644", size);
}

static void add_big_endian(Text *out, size_t value) {
  char bytes[4];
  for (int k = 0; k < 4; k++) bytes[k] = (char)(value >> (24 - 8 * k));
  text_add_n(out, bytes, sizeof bytes);
}

static void pad_even(Text *out) {
  if (out->length % 2) text_add(out, "\n");
}

void archive_write(const char *member, const char *object, size_t size, const char *const *symbols, int n, Text *out) {
  Text names = text_new(out->arena);
  for (int k = 0; k < n; k++) text_add_n(&names, symbols[k], strlen(symbols[k]) + 1);
  size_t index = 4 + 4 * (size_t)n + names.length, index_end = index + index % 2;
  text_add(out, "!<arch>\n");
  add_header(out, "/", index);
  add_big_endian(out, (size_t)n);
  // Long names stand in a member of their own, which comes between the index and the object.
  bool is_long = strlen(member) > 15;
  size_t table = is_long ? strlen(member) + 2 : 0, at = 8 + HEADER_BYTES + index_end;
  if (is_long) at += HEADER_BYTES + table + table % 2;
  for (int k = 0; k < n; k++) add_big_endian(out, at);
  text_add_n(out, names.bytes, names.length);
  pad_even(out);
  if (is_long) {
    add_header(out, "//", table);
    text_printf(out, "%s/\n", member);
    pad_even(out);
  }
  const char *name = is_long ? "/0" : arena_printf(out->arena, "%s/", member);
  add_header(out, name, size);
  text_add_n(out, object, size);
  pad_even(out);
}
