// How training tells where it is, on standard error: on a terminal one line that is written over, elsewhere a plain
// line now and then. Nothing with --quiet; what cannot be written is let go.
#pragma once
#include "session.h"

typedef struct Progress {
  Session *session;
  bool live;     // one line, written over
  bool showing;  // it is on the screen
  double next;   // clock seconds when the next one is due
  Text line;     // reused
} Progress;

// Where training is.
typedef struct ProgressPoint {
  int64_t epoch, epochs;  // from 1; epochs 0: a number of steps decides
  int64_t step, steps;
  const char *text;  // "loss 0.4121  accuracy 0.853"
  const char *rate;  // "52,311 images/s"
  double seconds_left;
} ProgressPoint;

Progress progress_new(Session *session);
// Is it time for another line? Asked at every step.
bool progress_is_due(Progress *progress);
void progress_show(Progress *progress, const ProgressPoint *point);
// Removes the live line: before anything else is written to standard error, and at the end.
void progress_clear(Progress *progress);
// A line that stays.
void progress_say(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));

// "41 s", "3 min 05 s", "2 h 10 min"
void progress_time(double seconds, Text *out);
