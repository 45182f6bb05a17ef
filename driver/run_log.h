// A run directory as `dlc report` reads it: what training wrote, as JSON.
#pragma once
#include <cjson/cJSON.h>

#include "session.h"

typedef struct RunLog {
  const char *path;     // of the directory
  const char *name;     // its last component
  const char *program;  // text of program.dl, "" where it is missing
  cJSON *options;       // options.json; an empty object where it is missing
  cJSON *epochs;        // log.jsonl: an array of objects
  cJSON *curves;        // curves.jsonl: likewise
} RunLog;

// Reads what is there. False after reporting E0413: no log and no curves. Lines that are cut short are left out.
// run_log_free is called in any case.
bool run_log_read(Session *session, const char *path, RunLog *run);
void run_log_free(RunLog *run);

// A number of an object, NAN where it is missing or null; a text, or "".
double run_log_number(const cJSON *object, const char *name);
const char *run_log_text(const cJSON *object, const char *name);
