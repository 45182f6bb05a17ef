// dlc help, dlc help COMMAND, dlc version.
#include "help.h"

#include <string.h>

#include "codegen.h"
#include "commands.h"

static const Command *find(const Session *session, const char *name) {
  for (int k = 0; k < session->commands->n_items; k++)
    if (strcmp(session->commands->items[k].name, name) == 0) return &session->commands->items[k];
  return NULL;
}

// Each line of `text`, indented.
static void add_lines(Text *out, const char *text, const char *indent) {
  while (*text) {
    size_t length = strcspn(text, "\n");
    text_printf(out, "%s%.*s\n", indent, (int)length, text);
    text += length + (text[length] == '\n');
  }
}

static void add_option(Text *out, const OptionInfo *info) {
  Text head = text_new(out->arena);
  if (info->letter) text_printf(&head, "-%c, ", info->letter);
  text_printf(&head, "--%s", info->name);
  if (info->value) text_printf(&head, " %s", info->value);
  text_printf(out, "  %-26s %s\n", head.bytes, info->meaning);
}

void help_command(Session *session, const Command *command) {
  Text *out = &session->out;
  text_printf(out, "dlc %s %s%s[options]\n\n", command->name, command->operands, *command->operands ? " " : "");
  add_lines(out, command->help, "");
  text_add(out, "\nOptions (--name value or --name=value):\n");
  for (int k = 0; k < options_count(); k++) {
    OptionInfo info = options_info(k);
    if (options_takes(k, command->name)) add_option(out, &info);
  }
  text_add(out, "\nFor example:\n");
  add_lines(out, command->example, "  ");
}

const HelpVariable help_variables[] = {
    {"DLC_DATA", "where data files are, as --data"},
    {"DLC_CACHE",
     "the folder where machine code is kept between runs, or off; else dlc in XDG_CACHE_HOME or\n"
     "~/.cache. At most 256 MiB; it may be deleted at any time"},
    {"DLC_SYMBOLS", "1: perf and gdb see the compiled kernels by name"},
    {"DLC_WORK", "1: dlc train says how many work items each thread did"},
    {"CC", "the C compiler that links for dlc build --emit shared (default cc)"},
    {"NO_COLOR", "no colour in messages"},
    {NULL, NULL},
};

const char help_program[] =
    "model hello(image: f32[N, 28, 28, 1]) {\n"
    "  image |> conv2d(8, 5, pad = 2) |> relu |> max_pool(2) |> flatten |> dense(10)\n"
    "}\n";

static void add_variable(Text *out, const HelpVariable *variable) {
  const char *end = strchr(variable->meaning, '\n');
  int length = end ? (int)(end - variable->meaning) : (int)strlen(variable->meaning);
  text_printf(out, "  %-13s %.*s\n", variable->name, length, variable->meaning);
  if (end) add_lines(out, end + 1, "                ");
}

static void overview(Session *session) {
  Text *out = &session->out;
  text_add(out, HELP_SUMMARY
           "\n\n"
           "  dlc examples/lenet/lenet5.dl         what the network is made of, layer by layer\n"
           "  dlc train examples/digits.dl         train it; the data is generated, nothing is downloaded\n"
           "  dlc help train                       a command's options\n\n"
           "Commands:\n");
  for (int k = 0; k < session->commands->n_items; k++) {
    const Command *command = &session->commands->items[k];
    text_printf(out, "  %-8s %-18s %s\n", command->name, command->operands, command->summary);
  }
  text_add(out,
           "\nA program on its own is compiled: dlc FILE.dl is dlc compile FILE.dl.\n\n"
           "Environment:\n");
  for (int k = 0; help_variables[k].name; k++) add_variable(out, &help_variables[k]);
  text_add(out, "\nA program, hello.dl:\n\n");
  add_lines(out, help_program, "  ");
}

int command_help(Session *session) {
  const Options *options = &session->options;
  if (options->man) return help_man(session), STATUS_DONE;
  if (options->completion) return help_completion(session), STATUS_DONE;
  if (options->n_operands == 0) return overview(session), STATUS_DONE;
  const Command *command = find(session, options->operands[0]);
  if (command) return help_command(session, command), STATUS_DONE;
  const char **names = arena_array(session->arena, (size_t)session->commands->n_items, sizeof *names);
  for (int k = 0; k < session->commands->n_items; k++) names[k] = session->commands->items[k].name;
  const char *nearest = text_nearest(options->operands[0], names, (size_t)session->commands->n_items);
  diag_error(session->sink, DIAG_E0601, SPAN_NONE,
             nearest ? "there is no command '%s'; did you mean '%s'?" : "there is no command '%s'; dlc help lists them",
             options->operands[0], nearest);
  return STATUS_USAGE;
}

int command_version(Session *session) {
  text_printf(&session->out, "dlc %s (%s)\n", DLC_VERSION, codegen_version(session->arena));
  return STATUS_DONE;
}
