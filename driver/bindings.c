// Tensors of the command line: names, files, shapes.
#include "bindings.h"

#include <string.h>

#include "pictures.h"

NamedFiles bindings_parse(Arena *arena, const char *text) {
  NamedFiles list = {0};
  size_t capacity = 0;
  while (*text) {
    const char *end = strchr(text, ','), *equals = strchr(text, '=');
    if (!end) end = text + strlen(text);
    NamedFile file = {0};
    if (equals && equals < end) {
      file.name = arena_strndup(arena, text, (size_t)(equals - text));
      text = equals + 1;
    }
    file.path = arena_strndup(arena, text, (size_t)(end - text));
    list.items = arena_grow(arena, list.items, (size_t)list.n_items, &capacity, sizeof *list.items);
    list.items[list.n_items++] = file;
    text = *end ? end + 1 : end;
  }
  return list;
}

static void list_inputs(Session *session, Diag *diag, const DlcTensor *inputs, int n_inputs) {
  Text text = text_new(session->arena);
  for (int k = 0; k < n_inputs; k++) text_printf(&text, "%s%s", k ? ", " : "", inputs[k].name);
  diag_line(session->sink, diag, DIAG_NOTE, "the inputs are %s", text.bytes);
}

static const NamedFile *find_file(const NamedFiles *files, const char *name, int n_inputs) {
  for (int k = 0; k < files->n_items; k++)
    if (files->items[k].name ? !strcmp(files->items[k].name, name) : n_inputs == 1) return &files->items[k];
  return NULL;
}

static bool is_input(const DlcTensor *inputs, int n_inputs, const NamedFile *file) {
  if (!file->name) return n_inputs == 1;
  for (int k = 0; k < n_inputs; k++)
    if (!strcmp(inputs[k].name, file->name)) return true;
  return false;
}

static void add_shape(Text *text, int rank, const int64_t *dim) {
  text_add(text, "[");
  for (int d = 0; d < rank; d++) text_printf(text, "%s%lld", d ? ", " : "", (long long)dim[d]);
  text_add(text, "]");
}

static void add_input_shape(Text *text, const DlcTensor *input) {
  text_add(text, "[");
  for (int d = 0; d < input->rank; d++)
    text_printf(text, input->symbol[d] ? "%sN" : "%s%lld", d ? ", " : "", (long long)input->scale[d]);
  text_add(text, "]");
}

// A trailing dimension of 1 may be missing: [N, 28, 28] for [N, 28, 28, 1].
static bool shape_fits(const DlcTensor *input, const NpyArray *array, int64_t *rows) {
  int rank = input->rank;
  while (rank > array->rank && !input->symbol[rank - 1] && input->scale[rank - 1] == 1) rank--;
  if (rank != array->rank) return false;
  for (int d = 0; d < rank; d++) {
    if (!input->symbol[d] && array->dim[d] != input->scale[d]) return false;
    if (!input->symbol[d]) continue;
    if (array->dim[d] % input->scale[d]) return false;
    int64_t found = array->dim[d] / input->scale[d];
    if (*rows >= 0 && *rows != found) return false;
    *rows = found;
  }
  return true;
}

static bool type_fits(const DlcTensor *input, const NpyArray *array) {
  if (input->type == array->type) return true;
  return input->type == DATA_I32 && array->type == DATA_U8;
}

static bool read_one(Session *session, const DlcTensor *input, const NamedFile *file, NpyArray *array, int64_t *rows) {
  bool read = picture_named(file->path) ? picture_read(session, input, file->path, array)
                                        : npy_read(session->arena, session->sink, session->io, file->path, array);
  if (!read) return false;
  if (!type_fits(input, array)) {
    diag_error(session->sink, DIAG_E0450, SPAN_NONE, "'%s' holds %s, but input '%s' is %s", file->path,
               dtype_name((DType)array->type), input->name, dtype_name((DType)input->type));
    return false;
  }
  if (shape_fits(input, array, rows)) return true;
  Text found = text_new(session->arena), wanted = text_new(session->arena);
  add_shape(&found, array->rank, array->dim);
  add_input_shape(&wanted, input);
  diag_error(session->sink, DIAG_E0450, SPAN_NONE, "'%s' has the shape %s, but input '%s' is %s", file->path,
             found.bytes, input->name, wanted.bytes);
  return false;
}

static bool given_once(Session *session, const NamedFiles *files, const NamedFile *file) {
  for (const NamedFile *earlier = files->items; earlier < file; earlier++) {
    if (!file->name || !earlier->name || strcmp(earlier->name, file->name) != 0) continue;
    diag_error(session->sink, DIAG_E0450, SPAN_NONE, "input '%s' is given twice", file->name);
    return false;
  }
  return true;
}

bool bindings_read(Session *session, const DlcTensor *inputs, int n_inputs, const char *text, NpyArray *arrays,
                   int64_t *rows) {
  NamedFiles files = bindings_parse(session->arena, text ? text : "");
  for (int k = 0; k < files.n_items; k++) {
    if (!given_once(session, &files, &files.items[k])) return false;
    if (is_input(inputs, n_inputs, &files.items[k])) continue;
    const char *name = files.items[k].name;
    Diag *diag = name ? diag_error(session->sink, DIAG_E0450, SPAN_NONE, "the model has no input '%s'", name)
                      : diag_error(session->sink, DIAG_E0450, SPAN_NONE, "'%s' needs the name of its input: NAME=%s",
                                   files.items[k].path, files.items[k].path);
    list_inputs(session, diag, inputs, n_inputs);
    return false;
  }
  *rows = -1;
  for (int k = 0; k < n_inputs; k++) {
    const NamedFile *file = find_file(&files, inputs[k].name, n_inputs);
    if (!file) {
      Diag *diag = diag_error(session->sink, DIAG_E0450, SPAN_NONE, "input '%s' is missing", inputs[k].name);
      diag_line(session->sink, diag, DIAG_HELP, "--input %s=FILE.npy", inputs[k].name);
      return false;
    }
    if (!read_one(session, &inputs[k], file, &arrays[k], rows)) return false;
  }
  if (*rows < 0) *rows = 1;
  return true;
}

void bindings_copy(const DlcTensor *input, const NpyArray *array, int64_t first, int64_t rows, char *to) {
  int64_t per_row = runner_is_batched(input) ? runner_elements(input, 1) : 0;
  int64_t from = first * per_row, count = per_row ? rows * per_row : runner_elements(input, rows);
  if (array->type == input->type) {
    size_t size = (size_t)dtype_size((DType)array->type);
    memcpy(to, (const char *)array->data + (size_t)from * size, (size_t)count * size);
    return;
  }
  const uint8_t *bytes = array->data;
  for (int64_t k = 0; k < count; k++) ((int32_t *)to)[k] = bytes[from + k];
}
