// Runs `dot`: its input from an unlinked file, its output into memory, so that the picture is written whole or not at
// all and no pipe can fill up on both sides.
#include "graphviz.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void graphviz_add_escaped(Text *out, const char *text) {
  for (; *text; text++) {
    switch (*text) {
      case '&':
        text_add(out, "&amp;");
        break;
      case '<':
        text_add(out, "&lt;");
        break;
      case '>':
        text_add(out, "&gt;");
        break;
      case '"':
        text_add(out, "&quot;");
        break;
      default:
        text_add_n(out, text, 1);
    }
  }
}

static bool cannot_write(Session *s, const char *path, const char *why) {
  diag_error(s->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, why);
  return false;
}

static bool write_file(Session *s, const char *path, const Text *text) {
  int error = io_replace(s->io, s->arena, path, text->bytes, text->length);
  return !error || cannot_write(s, path, strerror(-error));
}

static bool is_missing(Session *s, const char *path, int error) {
  if (error != ENOENT) return cannot_write(s, path, strerror(error));
  cannot_write(s, path, "Graphviz's program 'dot', which draws it, is not installed");
  Diag *diag = s->sink->items[s->sink->n_items - 1];
  diag_line(s->sink, diag, DIAG_HELP, "apt-get install graphviz; or write the graph's text: -o FILE.dot");
  return false;
}

static void read_all(int fd, Text *out) {
  char piece[4096];
  for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR);)
    if (n > 0) text_add_n(out, piece, (size_t)n);
}

// Starts `dot` with `input` as its standard input; *output is where its standard output is read. 0 or errno.
static int start(char *format, int input, int *output, pid_t *child) {
  int ends[2];
  char name[] = "dot";
  *output = -1;
  if (pipe(ends) != 0) return errno;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  char *argv[] = {name, format, NULL};
  int error = posix_spawnp(child, "dot", &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  *output = ends[0];
  if (error) close(ends[0]);
  return error;
}

static bool run_dot(Session *s, const char *path, char *format, FILE *input) {
  int output, status = 0;
  pid_t child;
  int error = start(format, fileno(input), &output, &child);
  if (error) return is_missing(s, path, error);
  Text picture = text_new(s->arena);
  read_all(output, &picture);
  close(output);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return is_missing(s, path, ENOENT);
  if (status != 0 || picture.length == 0) return cannot_write(s, path, "Graphviz's program 'dot' failed");
  return write_file(s, path, &picture);
}

bool graphviz_write(Session *s, const char *path, const char *dot) {
  const char *ending = strrchr(path, '.');
  if (ending && (!strcmp(ending, ".dot") || !strcmp(ending, ".gv"))) {
    Text text = text_new(s->arena);
    text_add(&text, dot);
    return write_file(s, path, &text);
  }
  if (!ending || (strcmp(ending, ".svg") && strcmp(ending, ".png") && strcmp(ending, ".pdf"))) {
    diag_error(s->sink, DIAG_E0601, SPAN_NONE, "-o takes FILE.svg, .png, .pdf or .dot, not '%s'", path);
    return false;
  }
  FILE *input = tmpfile();
  if (!input) return cannot_write(s, path, strerror(errno));
  bool done = fputs(dot, input) >= 0 && fflush(input) == 0;
  rewind(input);
  if (done)
    done = run_dot(s, path, arena_printf(s->arena, "-T%s", ending + 1), input);
  else
    cannot_write(s, path, strerror(errno));
  fclose(input);
  return done;
}
