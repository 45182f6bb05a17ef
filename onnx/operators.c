// The table of operators by name.
#include "operators.h"

#include <stdlib.h>
#include <string.h>

#define OPERATOR(name, least, most, function, kind) {#name, least, most, op_##function, kind},
static const Operator operators[] = {
#include "operators.def"
};

static int by_name(const void *name, const void *row) { return strcmp(name, ((const Operator *)row)->name); }

const Operator *operator_find(const char *name) {
  return bsearch(name, operators, sizeof operators / sizeof *operators, sizeof *operators, by_name);
}

int onnx_operator_count(void) { return (int)(sizeof operators / sizeof *operators); }
const char *onnx_operator_name(int k) { return operators[k].name; }
