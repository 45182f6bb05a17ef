// The op table's own columns: names, arities, classes, types.
#include "inside.h"

#include <string.h>

static const OpInfo table[OP_COUNT] = {
#define OP_POINTWISE(mnemonic, arity, types, gradient, meaning) \
  [OP_##mnemonic] = {#mnemonic, meaning, arity, OPC_POINTWISE, OPT_##types},
#define OP_TENSOR(mnemonic, arity, class, gradient, meaning) \
  [OP_##mnemonic] = {#mnemonic, meaning, arity, OPC_##class, OPT_OWN},
#include "ops.def"
};

const OpInfo *op_info(Op op) {
  dlc_assert((unsigned)op < OP_COUNT);
  return &table[op];
}

bool op_by_name(const char *name, Op *op) {
  for (int k = 0; k < OP_COUNT; k++)
    if (!strcmp(name, table[k].name)) {
      *op = (Op)k;
      return true;
    }
  return false;
}

const char *const *op_names(void) {
  static const char *const names[OP_COUNT] = {
#define OP_POINTWISE(mnemonic, ...) [OP_##mnemonic] = #mnemonic,
#define OP_TENSOR(mnemonic, ...) [OP_##mnemonic] = #mnemonic,
#include "ops.def"
  };
  return names;
}

static bool all_are(DType type, const DType *in, int n_in) {
  for (int k = 0; k < n_in; k++)
    if (in[k] != type) return false;
  return true;
}

static bool numbers_alike(const DType *in, int n_in) { return all_are(DT_F32, in, n_in) || all_are(DT_I32, in, n_in); }

bool op_result_type(Op op, const DType *in, DType *result) {
  const OpInfo *info = op_info(op);
  switch (info->types) {
    case OPT_F_F:
      *result = DT_F32;
      return all_are(DT_F32, in, info->arity);
    case OPT_N_N:
      *result = in[0];
      return numbers_alike(in, info->arity);
    case OPT_N_B:
      *result = DT_BOOL;
      return numbers_alike(in, info->arity);
    case OPT_B_B:
      *result = DT_BOOL;
      return all_are(DT_BOOL, in, info->arity);
    case OPT_SELECT:
      *result = in[1];
      return in[0] == DT_BOOL && in[1] == in[2] && in[1] != DT_U8;
    case OPT_TO_F:
      *result = DT_F32;
      return true;
    case OPT_TO_I:
      *result = DT_I32;
      return true;
    case OPT_OWN:
      break;
  }
  return false;
}

const char *op_types_meaning(OpTypes types) {
  switch (types) {
    case OPT_F_F:
      return "f32 operands";
    case OPT_N_N:
    case OPT_N_B:
      return "operands that are all f32 or all i32";
    case OPT_B_B:
      return "bool operands";
    case OPT_SELECT:
      return "a bool and two operands of one type";
    case OPT_TO_F:
    case OPT_TO_I:
    case OPT_OWN:
      break;
  }
  return "other operands";
}

const char *combine_name(Combine combine) {
  static const char *const names[COMBINE_COUNT] = {
      [COMBINE_MAP] = "map",   [COMBINE_SUM] = "sum",       [COMBINE_MAX] = "max",      [COMBINE_MIN] = "min",
      [COMBINE_PROD] = "prod", [COMBINE_ARGMAX] = "argmax", [COMBINE_ARGMIN] = "argmin"};
  return (unsigned)combine < COMBINE_COUNT ? names[combine] : "?";
}

bool combine_by_name(const char *name, Combine *combine) {
  for (int k = 0; k < COMBINE_COUNT; k++)
    if (!strcmp(name, combine_name((Combine)k))) {
      *combine = (Combine)k;
      return true;
    }
  return false;
}
