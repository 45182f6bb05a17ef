// CSV files. The first two bytes choose the options.
#include "fuzz.h"

static const char *const classes[] = {"a", "b"};
static const CsvColumn first = {.number = 0}, second = {.number = 1}, named = {.name = "a"};

void fuzz_target(Fuzz *f) {
  static const CsvColumn *const columns[] = {NULL, &first, &second, &named};
  static const char separators[] = {',', ';', '\t', ' '};
  static const MissingKind missing[] = {MISSING_REFUSED, MISSING_MEAN, MISSING_MEDIAN, MISSING_MODE,
                                        MISSING_VALUE,   MISSING_MEAN, MISSING_MODE,   MISSING_REFUSED};
  unsigned choice = fuzz_byte(f), more = fuzz_byte(f);
  SourceSpec spec = {.kind = SOURCE_CSV, .csv = {.columns = columns[choice & 3], .separator = separators[more & 3]}};
  spec.csv.n_columns = spec.csv.columns != NULL;
  spec.csv.single = spec.csv.n_columns && choice & 4;
  spec.csv.header = spec.csv.columns == &named || choice & 8;
  spec.csv.header_given = spec.csv.header || choice & 16;
  spec.csv.missing = missing[choice >> 5];
  spec.csv.fill = -1;
  if (more & 4) {
    spec.class_names = (const char **)classes;
    spec.n_class_names = 2;
  }
  fuzz_open(f, &spec);
}
