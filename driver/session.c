// Starting and ending a command.
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codegen.h"
#include "help.h"

bool session_colour(void) {
  const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
  if (no_colour && *no_colour) return false;
  return isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

int session_threads(const Session *session) {
  if (session->options.threads) return (int)(session->options.threads < 1024 ? session->options.threads : 1024);
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  int count = CPU_COUNT(&allowed);
  return count > 0 ? count : 1;
}

// ---- standard output and standard error -----------------------------------------------------------------------------

// All bytes, or false. EINTR and short writes are the loop's business.
static bool write_all(Session *session, int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t n = session->io.ops->write(session->io.state, fd, bytes, count);
    if (n == -EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    count -= (size_t)n;
  }
  return true;
}

bool session_flush(Session *session) {
  if (!session->wrote_badly && !write_all(session, STDOUT_FILENO, session->out.bytes, session->out.length))
    session->wrote_badly = true;
  session->out = text_new(session->arena);
  return !session->wrote_badly;
}

// A message that cannot be shown hurts nobody: failures to write to standard error are ignored.
void session_show_diagnostics(Session *session) {
  DiagSink *sink = session->sink;
  size_t kept = 0;
  for (size_t k = 0; k < sink->n_items; k++)
    if (sink->items[k]->severity == SEVERITY_ERROR || !session->options.quiet) sink->items[kept++] = sink->items[k];
  sink->n_items = kept;
  Text text = text_new(session->arena);
  diag_render(sink, session_colour(), &text);
  write_all(session, STDERR_FILENO, text.bytes, text.length);
  sink->n_items = sink->n_errors = 0;
}

// Which status a code asks for. Codes compare as text; everything not listed is a wrong program.
static int code_status(const char *code) {
  static const struct {
    const char *first, *last;
    int status;
  } ranges[] = {
      {"E0400", "E0499", STATUS_DATA},     {"E0601", "E0601", STATUS_USAGE}, {"E0602", "E0602", STATUS_RESOURCE},
      {"E0603", "E0603", STATUS_USAGE},    {"E0604", "E0604", STATUS_WRITE}, {"E0605", "E0619", STATUS_USAGE},
      {"E0640", "E0640", STATUS_DIVERGED}, {"E0641", "E0641", STATUS_WRITE}, {"E0650", "E0659", STATUS_WRITE},
  };
  for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++)
    if (strcmp(code, ranges[k].first) >= 0 && strcmp(code, ranges[k].last) <= 0) return ranges[k].status;
  return STATUS_WRONG;
}

int session_status(const DiagSink *sink) {
  for (size_t k = 0; k < sink->n_items; k++)
    if (sink->items[k]->severity == SEVERITY_ERROR) return code_status(diag_code_name(sink->items[k]->code));
  return STATUS_DONE;
}

// ---- which command --------------------------------------------------------------------------------------------------

static const Command *find_command(const CommandTable *commands, const char *name) {
  for (int k = 0; k < commands->n_items; k++)
    if (strcmp(commands->items[k].name, name) == 0) return &commands->items[k];
  return NULL;
}

static bool ends_in(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void report_unknown_command(Session *session, const char *word) {
  const CommandTable *commands = session->commands;
  const char **names = arena_array(session->arena, (size_t)commands->n_items, sizeof *names);
  for (int k = 0; k < commands->n_items; k++) names[k] = commands->items[k].name;
  const char *nearest = text_nearest(word, names, (size_t)commands->n_items);
  Diag *diag = diag_error(session->sink, DIAG_E0601, SPAN_NONE,
                          nearest ? "unknown command '%s'; did you mean '%s'?" : "unknown command '%s'", word, nearest);
  if (ends_in(word, ".dlir"))
    diag_line(session->sink, diag, DIAG_HELP, "the IR's text form is read by: dlc opt %s", word);
  else
    diag_line(session->sink, diag, DIAG_HELP, "dlc help lists the commands; a program's name ends in .dl");
}

// The command of the first argument, which is taken away unless it is a program: `dlc FILE.dl` is `dlc compile
// FILE.dl`.
static const Command *choose_command(Session *session, int *argc, char *const **argv) {
  const char *first = *argc > 0 ? **argv : "help";
  const char *name = first;
  if (strcmp(first, "--version") == 0) name = "version";
  if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) name = "help";
  if (ends_in(first, ".dl") && !find_command(session->commands, first))
    return find_command(session->commands, "compile");
  const Command *command = find_command(session->commands, name);
  if (!command) report_unknown_command(session, first);
  if (*argc > 0) {
    --*argc;
    ++*argv;
  }
  return command;
}

static bool operands_fit(Session *session) {
  const Command *command = session->command;
  const Options *options = &session->options;
  if (options->n_operands < command->min_operands) {
    diag_error(session->sink, DIAG_E0601, SPAN_NONE, "dlc %s needs %s", command->name, command->operands);
  } else if (options->n_operands > command->max_operands) {
    diag_error(session->sink, DIAG_E0601, SPAN_NONE, "dlc %s does not take '%s'", command->name,
               options->operands[command->max_operands]);
  } else {
    return true;
  }
  Diag *diag = session->sink->items[session->sink->n_items - 1];
  diag_line(session->sink, diag, DIAG_HELP, "for example: %.*s", (int)strcspn(command->example, "\n"),
            command->example);
  return false;
}

static int run_command(Session *session, int argc, char *const *argv) {
  session->command = choose_command(session, &argc, &argv);
  if (!session->command) return STATUS_USAGE;
  bool ok = options_read(session->arena, session->sink, session->command->name, argc, argv, &session->options);
  if (ok && session->options.help) return help_command(session, session->command), STATUS_DONE;
  if (!ok || !operands_fit(session)) return STATUS_USAGE;
  return session->command->run(session);
}

// ---- start and end --------------------------------------------------------------------------------------------------

// Standard descriptors that the caller closed must not become those of files that dlc opens. They are opened the wrong
// way round, so that reading or writing them still fails.
static void occupy_standard_descriptors(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

static int out_of_memory(Session *session) {
  fprintf(stderr, "dlc: error[E0602]: out of memory: %zu more bytes could not be had\n", session->guard.failed_bytes);
  arena_free(session->arena);
  return STATUS_RESOURCE;
}

static bool is_on(const char *variable) { return variable && *variable && strcmp(variable, "0") != 0; }

// The frame that holds the guard. `session` is the caller's, so nothing here changes between setjmp and a jump.
static int guarded_main(Session *session, int argc, char *const *argv) {
  if (setjmp(session->guard.jump)) return out_of_memory(session);
  session->arena = arena_new(allocator_system(), &session->guard);
  if (!session->arena) return out_of_memory(session);
  session->sink = diag_sink_new(session->arena);
  session->out = text_new(session->arena);
  session->symbols = is_on(getenv("DLC_SYMBOLS"));
  session->counts_work = is_on(getenv("DLC_WORK"));
  if (session->symbols) codegen_forget_symbols(session->arena, session->io);
  int status = run_command(session, argc, argv);
  int mistake = session_status(session->sink);
  if (mistake != STATUS_DONE) status = mistake;
  session_flush(session);
  session_show_diagnostics(session);
  if (session->wrote_badly && status == STATUS_DONE) {
    fprintf(stderr, "dlc: error[E0604]: standard output cannot be written\n");
    status = STATUS_WRITE;
  }
  arena_free(session->arena);
  return status;
}

int session_main(const CommandTable *commands, int argc, char *const *argv) {
  signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failing write, and exit 4, not death by signal
  signal(SIGXFSZ, SIG_IGN);  // so is a file at its size limit
  occupy_standard_descriptors();
  Session session = {.commands = commands, .io = io_system(), .clock = clock_system()};
  session.started = session.clock.seconds(session.clock.state);
  return guarded_main(&session, argc > 0 ? argc - 1 : 0, argc > 0 ? argv + 1 : argv);
}
