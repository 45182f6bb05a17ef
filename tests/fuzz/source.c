// A data source, opened from memory, and its rows touched.
#include "data.h"
#include "fuzz.h"

// Both ends of every row are there.
static void touch_rows(const DataSource *source) {
  DataInfo info = data_info(source);
  for (int64_t row = 0; row < info.rows && info.row_bytes; row++) {
    const volatile uint8_t *bytes = data_row(source, row);
    (void)bytes[0];
    (void)bytes[info.row_bytes - 1];
  }
}

static void check(const DataSource *source) {
  DataInfo info = data_info(source);
  int64_t bytes = info.type == DATA_U8 || info.type == DATA_BOOL ? 1 : 4;
  for (int d = 0; d < info.rank; d++) bytes *= info.dim[d];
  fuzz_require(info.rank >= 0 && info.rank <= 8 && info.rows >= 0, "a source has rows of a shape");
  fuzz_require(info.row_bytes == bytes, "a row is as long as its shape says");
  touch_rows(source);
}

void fuzz_open(Fuzz *f, const SourceSpec *spec) {
  static const char *const file = "x";
  SourceSpec asked = *spec;
  asked.files = (const char **)&file;
  asked.n_files = 1;
  fuzz_put(f, file, f->bytes, f->size);
  DataStore *store = data_store_new(f->arena, f->io);
  for (int k = 0; k < SOURCE_MOST_FIELDS; k++) {
    asked.field = source_info(spec->kind)->fields[k];
    if (k && !asked.field) break;
    size_t before = f->sink->n_errors;
    const DataSource *source = data_open(store, f->sink, "in", &asked);
    if (source) check(source);
    if (!source) fuzz_require(f->sink->n_errors == before + 1 || k, "what is refused is reported, once");
  }
}
