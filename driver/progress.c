// The live line of training.
#include "progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const double LIVE_SECONDS = 0.1, PLAIN_SECONDS = 20;  // between two lines

static double now(const Session *s) { return s->clock.seconds(s->clock.state); }

Progress progress_new(Session *session) {
  const char *term = getenv("TERM");
  bool terminal = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
  return (Progress){.session = session,
                    .live = terminal && !session->options.quiet,
                    .next = now(session) + (terminal ? 0 : PLAIN_SECONDS),  // a live line from the first step on
                    .line = text_new(session->arena)};
}

static void put(Progress *p) {
  Session *s = p->session;
  (void)!s->io.ops->write(s->io.state, STDERR_FILENO, p->line.bytes, p->line.length);
}

bool progress_is_due(Progress *p) { return !p->session->options.quiet && now(p->session) >= p->next; }

void progress_time(double seconds, Text *out) {
  long long whole = seconds > 0 && seconds < 1e15 ? llround(seconds) : 0;
  if (whole < 60)
    text_printf(out, "%lld s", whole);
  else if (whole < 3600)
    text_printf(out, "%lld min %02lld s", whole / 60, whole % 60);
  else
    text_printf(out, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
}

// Columns of the terminal; 0 where it does not say.
static int columns(void) {
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// A line longer than the terminal is wide would not be written over: the scores give way first, then its end.
static void fit(Text *line, size_t begin, size_t scores, size_t scores_end) {
  size_t most = (size_t)columns(), length = line->length - begin;
  if (most < 2 || length < most) return;
  size_t over = length - (most - 1), all = scores_end - scores, cut = over < all ? over : all;
  while (cut < all && strncmp(line->bytes + scores_end - cut, "  ", 2) != 0) cut++;  // no half numbers
  memmove(line->bytes + scores_end - cut, line->bytes + scores_end, line->length - scores_end + 1);
  line->length -= cut;
  if (line->length - begin >= most) line->bytes[line->length = begin + most - 1] = '\0';
}

void progress_show(Progress *p, const ProgressPoint *point) {
  Text *line = &p->line;
  text_clear(line);
  if (p->live) text_add(line, "\r");
  size_t begin = line->length;
  if (point->epochs)
    text_printf(line, "epoch %lld/%lld  ", (long long)point->epoch, (long long)point->epochs);
  else
    text_printf(line, "epoch %lld  ", (long long)point->epoch);
  text_printf(line, "step %lld/%lld  ", (long long)point->step, (long long)point->steps);
  size_t scores = line->length;
  text_add(line, point->text);
  size_t scores_end = line->length;
  text_add(line, "  ");
  text_printf(line, "%s  ", point->rate);
  progress_time(point->seconds_left, line);
  text_add(line, " left");
  if (p->live) fit(line, begin, scores, scores_end);
  text_add(line, p->live ? "\x1b[K" : "\n");
  put(p);
  p->showing = p->live;
  p->next = now(p->session) + (p->live ? LIVE_SECONDS : PLAIN_SECONDS);
}

void progress_clear(Progress *p) {
  if (!p->showing) return;
  text_clear(&p->line);
  text_add(&p->line, "\r\x1b[K");
  put(p);
  p->showing = false;
}

void progress_say(Progress *p, const char *format, ...) {
  if (p->session->options.quiet) return;
  progress_clear(p);
  text_clear(&p->line);
  va_list args;
  va_start(args, format);
  text_vprintf(&p->line, format, args);
  va_end(args);
  text_add(&p->line, "\n");
  put(p);
}
