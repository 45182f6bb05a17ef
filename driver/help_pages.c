// The help in forms that other programs show: a manual page, a completion for bash. Both come from the tables of
// commands and options.
#include <string.h>

#include "commands.h"
#include "help.h"

// ---- the manual page ------------------------------------------------------------------------------------------------

// Text as roff: backslashes and dashes as they are, no line that begins like a request.
static void add_roff(Text *out, const char *text) {
  bool at_start = true;
  for (const char *c = text; *c; c++) {
    if (at_start && (*c == '.' || *c == '\'')) text_add(out, "\\&");
    if (*c == '\\')
      text_add(out, "\\e");
    else if (*c == '-')
      text_add(out, "\\-");
    else
      text_add_n(out, c, 1);
    at_start = *c == '\n';
  }
  if (!at_start) text_add(out, "\n");
}

// Lines as they are written.
static void add_plain(Text *out, const char *text) {
  text_add(out, ".PP\n.RS 4\n.nf\n");
  add_roff(out, text);
  text_add(out, ".fi\n.RE\n");
}

static void add_tagged(Text *out, const char *tag, const char *meaning) {
  text_add(out, ".TP\n.B ");
  add_roff(out, tag);
  add_roff(out, meaning);
}

static void add_option(Text *out, const OptionInfo *info) {
  Text tag = text_new(out->arena);
  if (info->letter) text_printf(&tag, "-%c, ", info->letter);
  text_printf(&tag, "--%s", info->name);
  if (info->value) text_printf(&tag, " %s", info->value);
  add_tagged(out, tag.bytes, info->meaning);
}

static void add_command(Text *out, const Command *command) {
  text_add(out, ".SS ");
  add_roff(out, arena_printf(out->arena, "dlc %s %s", command->name, command->operands));
  add_roff(out, command->help);
  for (int k = 0; k < options_count(); k++) {
    OptionInfo info = options_info(k);
    if (options_takes(k, command->name) && strcmp(info.commands, "*")) add_option(out, &info);
  }
  text_add(out, ".PP\nFor example:\n");
  add_plain(out, command->example);
}

static void add_statuses(Text *out) {
  static const char *const statuses[][2] = {
      {"0", "done"},
      {"1", "the program, or the graph's text, is wrong"},
      {"2", "the command line is wrong"},
      {"3", "a program, data, weights or ONNX file is missing, unreadable or invalid"},
      {"4", "writing failed"},
      {"5", "out of memory, or over the memory limit"},
      {"6", "training stopped on a number that is not finite"},
      {"70", "a mistake of dlc itself"},
      {"130, 143", "stopped by a signal, with a checkpoint written"},
  };
  text_add(out, ".SH EXIT STATUS\n");
  for (size_t k = 0; k < sizeof statuses / sizeof *statuses; k++) add_tagged(out, statuses[k][0], statuses[k][1]);
}

void help_man(Session *session) {
  Text *out = &session->out;
  text_add(out,
           ".TH DLC 1 \"\" \"dlc " DLC_VERSION "\" \"User Commands\"\n.SH NAME\ndlc \\- a deep-learning compiler\n");
  text_add(out, ".SH SYNOPSIS\n.B dlc\n.I FILE.dl\n.br\n.B dlc\n.I COMMAND\n[options]\n.SH DESCRIPTION\n");
  add_roff(out, HELP_SUMMARY);
  add_roff(out, "A program on its own is compiled: dlc FILE.dl is dlc compile FILE.dl. A program, hello.dl:");
  add_plain(out, help_program);
  text_add(out, ".SH COMMANDS\n");
  for (int k = 0; k < session->commands->n_items; k++) add_command(out, &session->commands->items[k]);
  text_add(out, ".SH OPTIONS OF EVERY COMMAND\n");
  for (int k = 0; k < options_count(); k++) {
    OptionInfo info = options_info(k);
    if (!strcmp(info.commands, "*")) add_option(out, &info);
  }
  text_add(out, ".SH ENVIRONMENT\n");
  for (int k = 0; help_variables[k].name; k++) add_tagged(out, help_variables[k].name, help_variables[k].meaning);
  add_statuses(out);
}

// ---- completion -----------------------------------------------------------------------------------------------------

static void add_options_of(Text *out, const Command *command) {
  text_printf(out, "    %s) words=\"", command->name);
  for (int k = 0; k < options_count(); k++)
    if (options_takes(k, command->name)) text_printf(out, "--%s ", options_info(k).name);
  text_add(out, "\" ;;\n");
}

static void add_choices(Text *out, int option) {
  const char *choices = options_choices(option);
  if (!choices) return;
  text_printf(out, "    --%s) words=\"", options_info(option).name);
  for (const char *c = choices; *c; c++) text_add_n(out, *c == '|' ? " " : c, 1);
  text_add(out, "\" ;;\n");
}

void help_completion(Session *session) {
  Text *out = &session->out;
  text_add(
      out,
      "# bash completion of dlc, written by dlc help --completion. zsh reads it after bashcompinit.\n"
      "_dlc() {\n"
      "  local current=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" command=\"${COMP_WORDS[1]}\" "
      "words=\"\"\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"");
  for (int k = 0; k < session->commands->n_items; k++) text_printf(out, "%s ", session->commands->items[k].name);
  text_add(out,
           "\" -- \"$current\") $(compgen -f -X '!*.dl' -- \"$current\") $(compgen -d -- \"$current\"))\n"
           "    return\n"
           "  fi\n"
           "  case \"$before\" in\n");
  for (int k = 0; k < options_count(); k++) add_choices(out, k);
  text_add(out,
           "  esac\n"
           "  if [ -n \"$words\" ]; then\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "    return\n"
           "  fi\n"
           "  case \"$command\" in *.dl) command=compile ;; esac\n"
           "  case \"$command\" in\n");
  for (int k = 0; k < session->commands->n_items; k++) add_options_of(out, &session->commands->items[k]);
  text_add(out,
           "  esac\n"
           "  case \"$current\" in\n"
           "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
           "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
           "  esac\n"
           "}\n"
           "complete -o filenames -F _dlc dlc\n");
}
