// Columns of CSV files (RFC 4180), plain or gzipped. The file is read twice: first for its form and the number of rows,
// then for the values, so that memory is what the columns need and a line may be of any length.
//
// A column whose first cell is a number holds numbers; else it holds texts, and gives the number of each text's class.
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data_inside.h"

enum { BUFFER = 1 << 16, MOST_CELL = 1 << 16, MOST_COLUMNS = 100000, MOST_CLASSES = 1000 };

// ---- cells ----------------------------------------------------------------------------------------------------------

typedef struct Csv {
  const Opening *o;
  const char *path;
  ByteStream *stream;
  unsigned char *buffer;  // [BUFFER]
  size_t used, filled;
  bool ended;
  int held;      // a byte that was looked at, or -1
  int64_t line;  // of the cell, from 1
  int64_t column;
  char *cell;  // [MOST_CELL + 1], NUL-terminated
  size_t length;
  bool quoted;
  bool failed;
  locale_t plain;  // "C", which the C library always has
} Csv;

__attribute__((format(printf, 2, 3))) static bool refuse(Csv *c, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *why = arena_vprintf(c->o->sink->arena, format, args);
  va_end(args);
  c->failed = true;
  return data_refuse(c->o, DIAG_E0414, c->path, "line %lld, column %lld: %s", (long long)c->line, (long long)c->column,
                     why);
}

// The next byte, or -1 at the end or after a mistake.
static int next_byte(Csv *c) {
  if (c->held >= 0) {
    int byte = c->held;
    c->held = -1;
    return byte;
  }
  if (c->used < c->filled) return c->buffer[c->used++];
  if (c->ended) return -1;
  int error = bytes_read(c->stream, c->buffer, BUFFER, &c->filled);
  c->used = 0;
  c->ended = c->filled < BUFFER;
  if (error == -EBADMSG) refuse(c, "the gzip data are damaged or end early");
  if (error && error != -EBADMSG) {
    data_unreadable(c->o, c->path, error);
    c->failed = true;
  }
  return c->failed || c->filled == 0 ? -1 : c->buffer[c->used++];
}

static bool add_byte(Csv *c, int byte) {
  if (byte == 0) return refuse(c, "a NUL byte; this is no text");
  if (c->length == MOST_CELL) return refuse(c, "a cell of more than %d bytes", MOST_CELL);
  c->cell[c->length++] = (char)byte;
  return true;
}

// What stands between quotes, where "" is one quote. The first quote is read; on exit the byte behind the last one is
// next.
static bool read_quoted(Csv *c) {
  int64_t opened = c->line;
  for (;;) {
    int byte = next_byte(c);
    if (byte < 0 && c->failed) return false;
    if (byte < 0) return refuse(c, "the quote that line %lld opens is not closed", (long long)opened);
    if (byte == '\n') c->line++;
    if (byte != '"') {
      if (!add_byte(c, byte)) return false;
      continue;
    }
    byte = next_byte(c);
    if (byte != '"') return c->held = byte, !c->failed;
    if (!add_byte(c, byte)) return false;
  }
}

typedef enum CellEnd { CELL_MORE, CELL_LINE, CELL_FILE, CELL_FAILED } CellEnd;  // what stands behind a cell

static CellEnd after_cell(Csv *c, int byte) {
  if (byte == '\r') {
    byte = next_byte(c);
    if (byte != '\n' && byte >= 0) return refuse(c, "a carriage return within a line"), CELL_FAILED;
  }
  c->cell[c->length] = '\0';
  if (c->failed) return CELL_FAILED;
  return byte < 0 ? CELL_FILE : byte == '\n' ? CELL_LINE : CELL_MORE;
}

static CellEnd read_cell(Csv *c) {
  int separator = c->o->spec->csv.separator, byte = next_byte(c);
  c->length = 0;
  c->quoted = byte == '"';
  if (c->quoted) {
    if (!read_quoted(c)) return CELL_FAILED;
    byte = next_byte(c);
    bool ends = byte < 0 || byte == separator || byte == '\n' || byte == '\r';
    if (!ends) return refuse(c, "text behind a closing quote"), CELL_FAILED;
    return after_cell(c, byte);
  }
  for (; byte >= 0 && byte != separator && byte != '\n' && byte != '\r'; byte = next_byte(c)) {
    if (byte == '"') return refuse(c, "a quote within a cell that does not begin with one"), CELL_FAILED;
    if (!add_byte(c, byte)) return CELL_FAILED;
  }
  return after_cell(c, byte);
}

// Calls each(user, csv, row) for every cell of every row that is not empty; the header is row -1. False after
// reporting, or where each says so.
typedef bool CellVisit(void *user, Csv *c, int64_t row);

static bool ragged(Csv *c, int64_t columns) {
  if (c->column + 1 == columns) return true;
  c->failed = true;
  return data_refuse(c->o, DIAG_E0414, c->path, "line %lld has %lld column%s, the lines before have %lld",
                     (long long)c->line, (long long)c->column + 1, c->column ? "s" : "", (long long)columns);
}

static bool read_rows(Csv *c, CellVisit *each, void *user, int64_t *rows, int64_t *columns) {
  int64_t row = c->o->spec->csv.header ? -1 : 0, start = row;
  for (CellEnd end = CELL_LINE; end != CELL_FILE;) {
    if (end == CELL_LINE) c->column = 0;
    int64_t line = c->line;
    end = read_cell(c);
    if (end == CELL_FAILED) return false;
    bool empty = c->column == 0 && c->length == 0 && !c->quoted && end != CELL_MORE;
    int64_t after = c->line;
    c->line = line;
    if (!empty && !each(user, c, row)) return false;
    if (!empty && end != CELL_MORE && row != start && !ragged(c, *columns)) return false;
    c->line = after + (end == CELL_LINE);
    if (end == CELL_MORE && ++c->column >= MOST_COLUMNS) return refuse(c, "more columns than %d", MOST_COLUMNS);
    if (empty || end == CELL_MORE) continue;
    if (row == start) *columns = c->column + 1;
    row++;
  }
  *rows = row < 0 ? 0 : row;
  if (row == start) *columns = 0;
  return true;
}

static bool skip_mark(Csv *c) {
  static const unsigned char mark[] = {0xef, 0xbb, 0xbf};  // of UTF-8
  int first = next_byte(c);
  if (first == mark[0] && c->filled - c->used >= 2 && !memcmp(c->buffer + c->used, mark + 1, 2))
    c->used += 2;
  else
    c->held = first;
  return !c->failed;
}

static bool with_file(Csv *c, CellVisit *each, void *user, int64_t *rows, int64_t *columns) {
  int error = bytes_open(c->o->arena, c->o->io, c->path, &c->stream);
  if (error) return data_unreadable(c->o, c->path, error);
  c->used = c->filled = 0;
  c->ended = c->failed = false;
  c->held = -1;
  c->line = 1;
  bool done = skip_mark(c) && read_rows(c, each, user, rows, columns);
  bytes_close(c->stream);
  return done;
}

// ---- the chosen columns ---------------------------------------------------------------------------------------------

typedef struct Column {
  int64_t at;        // in the file
  bool text, known;  // what it holds, once a cell has told
  const char **classes;
  size_t n_classes, capacity;
  int64_t missing;  // cells
} Column;

typedef struct Table {
  Csv csv;
  Column *columns;  // [n]
  int n;
  int *place;  // of a column of the file among the chosen ones, -1: none: [n_places]
  int64_t n_places;
  int64_t rows;
  float *values;  // [rows, n]; the number of a class until classes are sorted
} Table;

static const char *column_text(const Table *t, const Column *column) {
  const CsvSpec *csv = &t->csv.o->spec->csv;
  const char *name = csv->n_columns ? csv->columns[column - t->columns].name : NULL;
  return name ? arena_printf(t->csv.o->sink->arena, "'%s'", name)
              : arena_printf(t->csv.o->sink->arena, "%lld", (long long)column->at);
}

static bool is_missing(const Csv *c) {
  static const char *const marks[] = {"", "?", "NA", "N/A", "NaN", "nan", "NULL", "null"};
  for (size_t k = 0; !c->quoted && k < sizeof marks / sizeof *marks; k++)
    if (strcmp(c->cell, marks[k]) == 0) return true;
  return c->length == 0;
}

// A decimal number that fills the cell but for blanks around it, in the C locale; no hexadecimal, no infinity.
static bool read_number(const Csv *c, double *value) {
  const char *at = c->cell;
  while (*at == ' ' || *at == '\t') at++;
  size_t length = strspn(at, "+-0123456789.eE");
  const char *end = at + length;
  while (*end == ' ' || *end == '\t') end++;
  if (!length || *end) return false;
  char *stop;
  *value = strtod_l(at, &stop, c->plain);
  return stop == at + length;
}

static int class_of(const Column *column, const char *name) {
  for (size_t k = 0; k < column->n_classes; k++)
    if (strcmp(column->classes[k], name) == 0) return (int)k;
  return -1;
}

static bool take_class(Table *t, Column *column, float *to) {
  Csv *c = &t->csv;
  const SourceSpec *spec = c->o->spec;
  int at = class_of(column, c->cell);
  if (at < 0 && spec->n_class_names) return refuse(c, "'%s' is none of the classes", c->cell);
  if (at < 0) {
    if (column->n_classes == MOST_CLASSES) return refuse(c, "more than %d different texts", MOST_CLASSES);
    column->classes =
        arena_grow(c->o->arena, column->classes, column->n_classes, &column->capacity, sizeof *column->classes);
    at = (int)column->n_classes;
    column->classes[column->n_classes++] = arena_strdup(c->o->arena, c->cell);
  }
  *to = (float)at;
  return true;
}

static bool take_missing(Table *t, Column *column, float *to) {
  Csv *c = &t->csv;
  if (c->o->spec->csv.missing == MISSING_REFUSED) {
    refuse(c, c->length ? "'%s' stands for a missing value" : "the cell is empty%s", c->cell);
    Diag *diag = c->o->sink->items[c->o->sink->n_items - 1];
    diag_line(c->o->sink, diag, DIAG_HELP, "missing = mean, median, mode or a number fills it in");
    return false;
  }
  column->missing++;
  *to = NAN;
  return true;
}

// A text, then a number: most likely a line of names that nobody mentioned.
static bool refuse_header(Table *t, const Column *column) {
  Csv *c = &t->csv;
  refuse(c, "a number, but the first line has the text '%s' here", column->classes[0]);
  diag_line(c->o->sink, c->o->sink->items[c->o->sink->n_items - 1], DIAG_HELP,
            "header = true skips a line of names; header = false says that there is none");
  return false;
}

// The first cell that is not missing says whether the column holds numbers or texts.
static bool take_cell(Table *t, Column *column, int64_t row, float *to) {
  Csv *c = &t->csv;
  double value = 0;
  if (is_missing(c)) return take_missing(t, column, to);
  bool number = read_number(c, &value);
  if (!column->known) {
    column->known = true;
    column->text = !number;
  }
  if (column->text && row == 1 && number && !c->o->spec->csv.header_given && !c->o->spec->n_class_names)
    return refuse_header(t, column);
  if (column->text) return take_class(t, column, to);
  if (!number) {
    refuse(c, "'%s' is no number", c->cell);
    diag_line(c->o->sink, c->o->sink->items[c->o->sink->n_items - 1], DIAG_NOTE,
              "the first cell of the column is one, so that all must be");
    return false;
  }
  if (fabs(value) > (double)3.402823466e38f) return refuse(c, "%s is too large for f32", c->cell);
  *to = (float)value;
  return true;
}

static Column *column_at(const Table *t, int64_t at) {
  return at < t->n_places && t->place[at] >= 0 ? &t->columns[t->place[at]] : NULL;
}

static bool visit(void *user, Csv *c, int64_t row) {
  Table *t = user;
  if (row < 0) return true;
  Column *column = column_at(t, c->column);
  if (!column) return true;
  if (row >= t->rows) return refuse(c, "the file has grown while it was read");
  return take_cell(t, column, row, &t->values[row * t->n + (column - t->columns)]);
}

// ---- which columns --------------------------------------------------------------------------------------------------

typedef struct Header {
  const char **names;
  size_t n, capacity;
} Header;

static bool visit_header(void *user, Csv *c, int64_t row) {
  Header *header = user;
  if (row >= 0) return true;
  header->names = arena_grow(c->o->arena, header->names, header->n, &header->capacity, sizeof *header->names);
  header->names[header->n++] = arena_strdup(c->o->arena, c->cell);
  return true;
}

static int64_t find_name(const Table *t, const Header *header, const char *name) {
  for (size_t k = 0; k < header->n; k++)
    if (strcmp(header->names[k], name) == 0) return (int64_t)k;
  const char *nearest = text_nearest(name, header->names, header->n);
  Text all = text_new(t->csv.o->sink->arena);
  for (size_t k = 0; k < header->n && k < 20; k++) text_printf(&all, "%s%s", k ? ", " : "", header->names[k]);
  data_refuse(t->csv.o, DIAG_E0414, t->csv.path,
              nearest ? "it has no column '%s'; did you mean '%s'?" : "it has no column '%s'; it has %s%s", name,
              nearest ? nearest : all.bytes, header->n > 20 ? " and more" : "");
  return -1;
}

static bool choose_column(Table *t, const Header *header, const CsvColumn *written, int64_t columns, Column *column) {
  column->at = written->name ? find_name(t, header, written->name) : written->number;
  if (column->at < 0) return false;
  if (column->at < columns) return true;
  if (columns == 0) return data_refuse(t->csv.o, DIAG_E0414, t->csv.path, "it is empty");
  return data_refuse(t->csv.o, DIAG_E0414, t->csv.path, "it has no column %lld: its %lld are counted from 0",
                     (long long)column->at, (long long)columns);
}

static bool choose_columns(Table *t, const Header *header, int64_t columns) {
  const SourceSpec *spec = t->csv.o->spec;
  const CsvSpec *csv = &spec->csv;
  t->n = csv->n_columns ? csv->n_columns : (int)columns;
  t->columns = arena_array(t->csv.o->arena, (size_t)t->n, sizeof *t->columns);
  t->n_places = columns;
  t->place = arena_array(t->csv.o->arena, (size_t)columns, sizeof *t->place);
  for (int64_t k = 0; k < columns; k++) t->place[k] = -1;
  for (int k = 0; k < t->n; k++) {
    Column *column = &t->columns[k];
    column->at = k;
    if (csv->n_columns && !choose_column(t, header, &csv->columns[k], columns, column)) return false;
    if (t->place[column->at] >= 0)
      return data_refuse(t->csv.o, DIAG_E0414, t->csv.path, "column %s is asked for twice", column_text(t, column));
    t->place[column->at] = k;
    column->classes = spec->class_names;
    column->n_classes = (size_t)spec->n_class_names;
    column->text = column->known = spec->n_class_names > 0;
  }
  return true;
}

// ---- missing values and classes -------------------------------------------------------------------------------------

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

// The value that comes most often, the smallest of equals, of sorted ones.
static float mode_of(const float *sorted, int64_t n) {
  float best = sorted[0];
  int64_t most = 0;
  for (int64_t k = 0, run = 0; k < n; k++) {
    run = k && sorted[k] == sorted[k - 1] ? run + 1 : 1;
    if (run > most) best = sorted[k];
    if (run > most) most = run;
  }
  return best;
}

static float filling(const Table *t, const float *present, int64_t n) {
  const CsvSpec *csv = &t->csv.o->spec->csv;
  double sum = 0;
  for (int64_t k = 0; k < n; k++) sum += (double)present[k];
  if (csv->missing == MISSING_MEAN) return (float)(sum / (double)n);
  if (csv->missing == MISSING_MEDIAN) return (present[(n - 1) / 2] + present[n / 2]) / 2;
  if (csv->missing == MISSING_MODE) return mode_of(present, n);
  return (float)csv->fill;
}

static bool fill_missing(const Table *t, int which) {
  const Column *column = &t->columns[which];
  const CsvSpec *csv = &t->csv.o->spec->csv;
  if (!column->missing) return true;
  if (column->text && csv->missing != MISSING_MODE)
    return data_refuse(t->csv.o, DIAG_E0414, t->csv.path,
                       "column %s holds texts, and some are missing; only missing = mode fills them in",
                       column_text(t, column));
  if (column->missing == t->rows && csv->missing != MISSING_VALUE)
    return data_refuse(t->csv.o, DIAG_E0414, t->csv.path, "column %s has no value at all", column_text(t, column));
  Arena *own = arena_beside(t->csv.o->arena);
  float *present = arena_array(own, (size_t)t->rows, sizeof *present);
  int64_t n = 0;
  for (int64_t k = 0; k < t->rows; k++)
    if (!isnan(t->values[k * t->n + which])) present[n++] = t->values[k * t->n + which];
  qsort(present, (size_t)n, sizeof *present, by_value);
  float value = filling(t, present, n);
  arena_free(own);
  for (int64_t k = 0; k < t->rows; k++)
    if (isnan(t->values[k * t->n + which])) t->values[k * t->n + which] = value;
  return true;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

// Classes that the file gave are counted in the order of their texts' bytes, whatever the order of the rows.
static void sort_classes(const Table *t, const Column *column) {
  if (!column->text || t->csv.o->spec->n_class_names) return;
  const char **sorted = arena_array(t->csv.o->arena, column->n_classes, sizeof *sorted);
  float *number = arena_array(t->csv.o->arena, column->n_classes, sizeof *number);
  memcpy(sorted, column->classes, column->n_classes * sizeof *sorted);
  qsort(sorted, column->n_classes, sizeof *sorted, by_bytes);
  Column ordered = {.classes = sorted, .n_classes = column->n_classes};
  for (size_t k = 0; k < column->n_classes; k++) number[k] = (float)class_of(&ordered, column->classes[k]);
  for (int64_t k = 0; k < t->rows; k++) {
    float *value = &t->values[k * t->n + (column - t->columns)];
    if (!isnan(*value)) *value = number[(size_t)*value];
  }
}

// ---- the source -----------------------------------------------------------------------------------------------------

static void make_field(const Table *t, DataSource *field) {
  const CsvSpec *csv = &t->csv.o->spec->csv;
  int64_t row = (int64_t)sizeof(float) * t->n;
  field->info = (DataInfo){.type = DATA_F32, .rank = !csv->single, .dim = {t->n}, .rows = t->rows, .row_bytes = row};
  field->rows = (char *)t->values;
  if (!csv->single || !t->columns[0].text) return;
  int32_t *labels = arena_array(t->csv.o->arena, (size_t)t->rows, sizeof *labels);
  for (int64_t k = 0; k < t->rows; k++) labels[k] = (int32_t)t->values[k];
  field->info.type = DATA_I32;
  field->rows = (char *)labels;
}

static bool no_texts(const Table *t) {
  if (t->csv.o->spec->csv.single) return true;
  for (int k = 0; k < t->n; k++) {
    if (!t->columns[k].text) continue;
    const char *column = column_text(t, &t->columns[k]);
    return data_refuse(t->csv.o, DIAG_E0414, t->csv.path,
                       "column %s holds texts, and a list takes numbers; csv(file, %s) alone gives the class of each",
                       column, column);
  }
  return true;
}

static bool read_table(Table *t) {
  const Opening *o = t->csv.o;
  Header header = {0};
  int64_t columns, rows;
  if (!with_file(&t->csv, visit_header, &header, &t->rows, &columns) || !choose_columns(t, &header, columns))
    return false;
  t->values = arena_array(o->arena, (size_t)t->rows, (size_t)t->n * sizeof *t->values);
  if (!with_file(&t->csv, visit, t, &rows, &columns)) return false;
  if (rows != t->rows) return data_refuse(o, DIAG_E0414, t->csv.path, "the file has changed while it was read");
  if (!no_texts(t)) return false;
  for (int k = 0; k < t->n; k++) {
    sort_classes(t, &t->columns[k]);
    if (!fill_missing(t, k)) return false;
  }
  return true;
}

static Csv new_csv(const Opening *o, const char *path) {
  Csv csv = {.o = o, .path = path, .plain = newlocale(LC_ALL_MASK, "C", NULL)};
  csv.buffer = arena_alloc(o->arena, BUFFER);
  csv.cell = arena_alloc(o->arena, MOST_CELL + 1);
  return csv;
}

bool csv_open(const Opening *o, DataSource *fields) {
  Table t = {.csv = new_csv(o, data_path(o, o->spec->files[0]))};
  bool done = read_table(&t);
  if (done) make_field(&t, fields);
  freelocale(t.csv.plain);
  return done;
}

// ---- a list of names ------------------------------------------------------------------------------------------------

static bool visit_first(void *user, Csv *c, int64_t row) {
  Header *list = user;
  if (row < 0 || c->column > 0) return true;
  list->names = arena_grow(c->o->arena, list->names, list->n, &list->capacity, sizeof *list->names);
  list->names[list->n++] = arena_strdup(c->o->arena, c->cell);
  return true;
}

bool csv_names(const Opening *o, const char *path, const char ***names, size_t *count) {
  Csv csv = new_csv(o, path);
  Header list = {0};
  int64_t rows, columns;
  bool done = with_file(&csv, visit_first, &list, &rows, &columns);
  freelocale(csv.plain);
  *names = list.names;
  *count = list.n;
  return done;
}
