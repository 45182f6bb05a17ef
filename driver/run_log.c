// Reading run directories.
#include "run_log.h"

#include <math.h>
#include <string.h>

enum { FILE_MOST = 1 << 28 };

static const char *read_text(Session *s, const char *folder, const char *name) {
  char *bytes;
  size_t size;
  const char *path = arena_printf(s->arena, "%s/%s", folder, name);
  return io_read_file(s->io, s->arena, path, FILE_MOST, &bytes, &size) == 0 ? bytes : NULL;
}

static cJSON *read_lines(Session *s, const char *folder, const char *name) {
  cJSON *all = cJSON_CreateArray();
  const char *text = read_text(s, folder, name);
  for (const char *line = text, *end; line && (end = strchr(line, '\n')); line = end + 1) {
    cJSON *object = cJSON_ParseWithLength(line, (size_t)(end - line));
    if (cJSON_IsObject(object))
      cJSON_AddItemToArray(all, object);
    else
      cJSON_Delete(object);
  }
  return all;
}

static const char *last_component(Arena *arena, const char *path) {
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  const char *text = arena_strndup(arena, path, length), *slash = strrchr(text, '/');
  return slash && slash[1] ? slash + 1 : text;
}

bool run_log_read(Session *s, const char *path, RunLog *run) {
  *run = (RunLog){.path = path, .name = last_component(s->arena, path)};
  const char *options = read_text(s, path, "options.json");
  run->program = read_text(s, path, "program.dl");
  if (!run->program) run->program = "";
  run->options = options ? cJSON_Parse(options) : NULL;
  if (!run->options) run->options = cJSON_CreateObject();
  run->epochs = read_lines(s, path, "log.jsonl");
  run->curves = read_lines(s, path, "curves.jsonl");
  if (cJSON_GetArraySize(run->epochs) || cJSON_GetArraySize(run->curves)) return true;
  Diag *diag = diag_error(s->sink, DIAG_E0413, SPAN_NONE, "'%s' holds no run's log", path);
  diag_line(s->sink, diag, DIAG_HELP, "dlc train FILE.dl --out DIR makes a run directory");
  return false;
}

void run_log_free(RunLog *run) {
  cJSON_Delete(run->options);
  cJSON_Delete(run->epochs);
  cJSON_Delete(run->curves);
}

double run_log_number(const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

const char *run_log_text(const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsString(item) ? item->valuestring : "";
}
