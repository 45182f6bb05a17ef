// Values: shapes as the model has them, orders as the program has them, and tensors whose elements are known.
#include <math.h>
#include <string.h>

#include "checked.h"
#include "inside.h"

bool refuse(Im *m, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (!m->why) m->why = arena_vprintf(m->arena, format, args);
  va_end(args);
  return false;
}

const char *text_of(Im *m, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(m->arena, format, args);
  va_end(args);
  return text;
}

// ---- shapes
// -------------------------------------------------------------------------------------------------------------

Val *val_new(Im *m, Elem type, int rank, const Size *dim) {
  Val *v = arena_alloc(m->arena, sizeof *v);
  *v = (Val){.source = "", .type = type, .rank = rank};
  for (int d = 0; d < rank; d++) v->dim[d] = dim[d], v->axis[d] = d;
  return v;
}

Val *val_of_known(Im *m, Known *known) {
  Size dim[MAX_RANK];
  for (int d = 0; d < known->rank; d++) dim[d] = size_of(known->dim[d]);
  Val *v = val_new(m, known->type, known->rank, dim);
  v->known = known;
  v->source = known->source ? known->source : "";
  return v;
}

Val *val_view(Im *m, const Val *v) {
  Val *view = arena_alloc(m->arena, sizeof *view);
  *view = *v;
  view->plain = view->last = NULL;
  return view;
}

Size val_physical(const Val *v, int p) { return v->dim[v->axis[p]]; }

int val_place(const Val *v, int axis) {
  for (int p = 0; p < v->rank; p++)
    if (v->axis[p] == axis) return p;
  return 0;
}

bool val_is_plain(const Val *v) {
  for (int p = 0; p < v->rank; p++)
    if (v->axis[p] != p) return false;
  return !v->image_of;
}

bool val_static(const Val *v) {
  for (int d = 0; d < v->rank; d++)
    if (v->dim[d].batch) return false;
  return true;
}

bool val_elements(const Val *v, Size *elements) {
  *elements = size_of(1);
  for (int d = 0; d < v->rank; d++) {
    if (elements->batch && v->dim[d].batch) return false;
    elements->batch |= v->dim[d].batch;
    if (!checked_mul(elements->scale, v->dim[d].scale, &elements->scale)) return false;
  }
  return true;
}

bool axis_fits(Im *m, int64_t axis, int rank, int *result) {
  if (axis < -rank || axis >= rank) return refuse(m, "there is no axis %lld of %d", (long long)axis, rank);
  *result = (int)(axis < 0 ? axis + rank : axis);
  return true;
}

// ---- tensors whose elements are known
// ---------------------------------------------------------------------------------

Known *known_new(Im *m, Elem type, int rank, const int64_t *dim) {
  Known *k = arena_alloc(m->arena, sizeof *k);
  *k = (Known){.type = type, .rank = rank, .count = 1, .source = ""};
  for (int d = 0; d < rank; d++) {
    k->dim[d] = dim[d];
    k->count *= dim[d];
  }
  if (type == ELEM_F32)
    k->f = arena_array(m->arena, (size_t)k->count, sizeof *k->f);
  else
    k->i = arena_array(m->arena, (size_t)k->count, sizeof *k->i);
  return k;
}

double known_at(const Known *k, int64_t at) { return k->type == ELEM_F32 ? (double)k->f[at] : (double)k->i[at]; }

static Known *known_like(Im *m, const Known *k, int rank, const int64_t *dim) {
  Known *to = arena_alloc(m->arena, sizeof *to);
  *to = *k;
  to->rank = rank;
  for (int d = 0; d < rank; d++) to->dim[d] = dim[d];
  return to;
}

Known *known_reshaped(Im *m, const Known *k, int rank, const int64_t *dim) { return known_like(m, k, rank, dim); }

static bool is_identity(const int *axis, int rank) {
  for (int p = 0; p < rank; p++)
    if (axis[p] != p) return false;
  return true;
}

Known *known_permuted(Im *m, const Known *k, const int *axis) {
  int64_t dim[MAX_RANK] = {0}, stride[MAX_RANK], step[MAX_RANK], at[MAX_RANK] = {0}, from = 0;
  if (is_identity(axis, k->rank)) return known_like(m, k, k->rank, k->dim);
  for (int64_t d = k->rank - 1, size = 1; d >= 0; size *= k->dim[d--]) stride[d] = size;
  for (int p = 0; p < k->rank; p++) dim[p] = k->dim[axis[p]], step[p] = stride[axis[p]];
  Known *to = known_new(m, k->type, k->rank, dim);
  to->weight = k->weight;
  to->source = k->source;
  bool *batch = k->batch ? arena_array(m->arena, (size_t)k->count, sizeof *batch) : NULL;
  for (int64_t n = 0; n < k->count; n++) {
    if (k->f) ((float *)to->f)[n] = k->f[from];
    if (k->i) ((int64_t *)to->i)[n] = k->i[from];
    if (batch) batch[n] = k->batch[from];
    for (int p = k->rank - 1; p >= 0; p--) {
      from += step[p];
      if (++at[p] < dim[p]) break;
      from -= step[p] * dim[p];
      at[p] = 0;
    }
  }
  to->batch = batch;
  return to;
}

bool known_uniform(const Known *k, double *value) {
  if (!k || k->count == 0 || k->batch) return false;
  *value = known_at(k, 0);
  for (int64_t n = 1; n < k->count; n++)
    if (known_at(k, n) != *value) return false;
  return true;
}

bool known_scalar(const Val *v, double *value) {
  if (!v || !v->known || v->known->count != 1 || v->known->batch) return false;
  *value = known_at(v->known, 0);
  return true;
}

int known_list(Im *m, Val *v, const char *what, int64_t *list, int most) {
  if (!v->known) {
    if (v->var && !v->var->step)
      refuse(m, "'%s' (%s) must be known when the program is made: --input %s=FILE.npy holds it fixed", v->source, what,
             v->source);
    else
      refuse(m, "its %s is computed from the data", what);
    return -1;
  }
  if (v->known->count > most) return refuse(m, "its %s has %lld elements", what, (long long)v->known->count), -1;
  for (int64_t k = 0; k < v->known->count; k++) {
    if (v->known->batch && v->known->batch[k]) return refuse(m, "its %s depends on the batch", what), -1;
    list[k] = v->known->type == ELEM_F32 ? (int64_t)v->known->f[k] : v->known->i[k];
  }
  return (int)v->known->count;
}

// ---- orders
// -------------------------------------------------------------------------------------------------------------

// The same elements under other physical sizes.
static Val *reshape_step(Im *m, Val *v, int rank, const Size *dim) {
  Text sizes = text_new(m->arena);
  for (int d = 0; d < rank; d++) text_printf(&sizes, "%s%s", d ? ", " : "", size_text(m, dim[d]));
  Val *to = make_call(m, v, "reshape", text_of(m, "[%s]", sizes.bytes));
  to->rank = rank;
  to->image_of = NULL;
  for (int d = 0; d < rank; d++) to->dim[d] = dim[d], to->axis[d] = d;
  return to;
}

static Val *flat_plain(Im *m, Val *v) {
  Val *image = val_view(m, v->image_of);
  Size physical[MAX_RANK];
  for (int p = 0; p < image->rank; p++) physical[p] = val_physical(image, p);
  Val *flat = val_view(m, v);
  flat->image_of = NULL;
  Val *unfolded = reshape_step(m, flat, image->rank, physical);
  image->var = unfolded->var;
  image->known = NULL;
  return reshape_step(m, val_plain(m, image), v->rank, v->dim);
}

Val *val_ordered(Im *m, Val *v, const int *axis) {
  if (v->image_of) v = val_plain(m, v);
  bool same = true, ones = true;
  for (int p = 0; p < v->rank; p++) same &= v->axis[p] == axis[p];
  if (same) return v;
  Val *to = val_view(m, v);
  for (int p = 0; p < v->rank; p++) to->axis[p] = axis[p];
  if (v->known && !v->var) return to;  // known tensors are turned when they are used
  int order[MAX_RANK], last = -1;
  Size physical[MAX_RANK];
  Text text = text_new(m->arena);
  for (int p = 0; p < v->rank; p++) {
    order[p] = val_place(v, axis[p]);
    physical[p] = v->dim[axis[p]];
    if (!size_is_one(physical[p])) ones &= order[p] > last, last = order[p];
    text_printf(&text, "%s%d", p ? ", " : "", order[p]);
  }
  Val *moved =
      ones ? reshape_step(m, v, v->rank, physical) : make_call(m, v, "transpose", text_of(m, "[%s]", text.bytes));
  to->var = moved->var;
  to->known = NULL;
  return to;
}

Val *val_plain(Im *m, Val *v) {
  static const int identity[MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
  if (val_is_plain(v)) return v;
  if (!v->plain) v->plain = v->image_of ? flat_plain(m, v) : val_ordered(m, v, identity);
  v->plain->image = false;
  return v->plain;
}

Val *val_last(Im *m, Val *v) {
  int axis[MAX_RANK] = {0};
  for (int d = 2; d < v->rank; d++) axis[d - 1] = d;
  if (v->rank > 1) axis[v->rank - 1] = 1;
  if (!v->last) v->last = val_ordered(m, v, axis);
  v->last->image = v->rank > 2;
  return v->last;
}

Val *val_reshaped(Im *m, Val *v, int rank, const Size *dim) {
  v = val_plain(m, v);
  bool same = rank == v->rank;
  for (int d = 0; same && d < rank; d++) same = size_equal(dim[d], v->dim[d]);
  if (same) return v;
  if (v->known && !v->var) {
    int64_t sizes[MAX_RANK] = {0};
    for (int d = 0; d < rank; d++) sizes[d] = dim[d].scale;
    return val_of_known(m, known_reshaped(m, v->known, rank, sizes));
  }
  return reshape_step(m, v, rank, dim);
}

// ---- texts
// --------------------------------------------------------------------------------------------------------------

const char *size_text(Im *m, Size size) {
  if (!size.batch) return text_of(m, "%lld", (long long)size.scale);
  return size.scale == 1 ? "N" : text_of(m, "%lld * N", (long long)size.scale);
}

const char *shape_list(Im *m, const Val *v) {
  Text text = text_new(m->arena);
  text_add(&text, "[");
  for (int p = 0; p < v->rank; p++) text_printf(&text, "%s%s", p ? ", " : "", size_text(m, val_physical(v, p)));
  text_add(&text, "]");
  return text.bytes;
}

const char *float_argument(Im *m, double value) {
  Text text = text_new(m->arena);
  if (isnan(value)) return "log(-1.0)";
  if (isinf(value)) return value < 0 ? "log(0.0)" : "-log(0.0)";
  text_add_float(&text, (float)value);
  return text.bytes;
}

const char *float_text(Im *m, double value) {
  const char *text = float_argument(m, value);
  return text[0] == '-' ? text_of(m, "(%s)", text) : text;
}

const char *int_text(Im *m, int64_t value) { return text_of(m, value < 0 ? "(%lld)" : "%lld", (long long)value); }
