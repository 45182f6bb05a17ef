// A file's tensors: their types, and their elements as f32 or whole numbers.
//
// On entry: a message that wire.c has looked over; nothing in it is trusted. On exit: as many elements as the sizes
// say.
#include <string.h>

#include "checked.h"
#include "inside.h"

enum { MOST_ELEMENTS = 1 << 30 };

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

bool elem_of(int32_t data_type, Elem *elem) {
  switch (data_type) {
    case TYPE(FLOAT):
    case TYPE(DOUBLE):
    case TYPE(FLOAT16):
      return *elem = ELEM_F32, true;
    case TYPE(INT8):
    case TYPE(INT16):
    case TYPE(INT32):
    case TYPE(INT64):
    case TYPE(UINT8):
    case TYPE(UINT16):
      return *elem = ELEM_I32, true;
    case TYPE(BOOL):
      return *elem = ELEM_BOOL, true;
    default:
      return false;
  }
}

bool is_double(int64_t data_type) { return data_type == TYPE(DOUBLE); }

const char *elem_name(Elem elem) { return elem == ELEM_F32 ? "f32" : elem == ELEM_I32 ? "i32" : "bool"; }

static size_t type_bytes(int32_t type) {
  switch (type) {
    case TYPE(DOUBLE):
    case TYPE(INT64):
      return 8;
    case TYPE(FLOAT):
    case TYPE(INT32):
      return 4;
    case TYPE(FLOAT16):
    case TYPE(INT16):
    case TYPE(UINT16):
      return 2;
    default:
      return 1;
  }
}

// IEEE 754 binary16.
static float half_value(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = exponent == 0 ? (float)fraction * 0x1p-24f : (float)(1024 + fraction) * 0x1p-25f;
  for (int k = exponent; k > 0 && exponent < 31; k--) value *= 2.0f;
  if (exponent == 31) value = fraction ? __builtin_nanf("") : __builtin_inff();
  return bits >> 15 ? -value : value;
}

// One element of raw_data or external data, which are little-endian: its value, and as a whole number.
static double raw_element(int32_t type, const uint8_t *at, int64_t *whole) {
  union {
    float f;
    double d;
    int64_t i64;
    int32_t i32;
    int16_t i16;
    uint16_t u16;
    int8_t i8;
  } u = {0};
  memcpy(&u, at, type_bytes(type));
  *whole = 0;
  switch (type) {
    case TYPE(FLOAT):
      return (double)u.f;
    case TYPE(DOUBLE):
      return u.d;
    case TYPE(FLOAT16):
      return (double)half_value(u.u16);
    case TYPE(INT64):
      return (void)(*whole = u.i64), 0;
    case TYPE(INT32):
      return (void)(*whole = u.i32), 0;
    case TYPE(INT16):
      return (void)(*whole = u.i16), 0;
    case TYPE(UINT16):
      return (void)(*whole = u.u16), 0;
    case TYPE(INT8):
      return (void)(*whole = u.i8), 0;
    default:
      return (void)(*whole = *at), 0;
  }
}

typedef struct Elements {
  float *f;
  int64_t *i;
} Elements;

static void set(const Elements *to, int64_t k, double value, int64_t whole) {
  if (to->f)
    to->f[k] = (float)value;
  else
    to->i[k] = whole;
}

static bool from_raw(Im *m, const Onnx__TensorProto *p, const Known *known, Elements to, const uint8_t *bytes,
                     size_t size) {
  size_t each = type_bytes(p->data_type);
  if (size != (size_t)known->count * each)
    return refuse(m, "tensor '%s' has %zu bytes, not %lld elements", p->name ? p->name : "", size,
                  (long long)known->count);
  for (int64_t k = 0; k < known->count; k++) {
    int64_t whole;
    double value = raw_element(p->data_type, bytes + (size_t)k * each, &whole);
    set(&to, k, value, known->type == ELEM_BOOL ? whole != 0 : whole);
  }
  return true;
}

// Elements in the message's own fields; those of 16 bits and less are kept in int32_data.
static bool from_fields(const Onnx__TensorProto *p, const Known *known, Elements to) {
  size_t count = (size_t)known->count;
  if (p->data_type == TYPE(FLOAT) && p->n_float_data == count) {
    for (size_t k = 0; k < count; k++) to.f[k] = p->float_data[k];
  } else if (p->data_type == TYPE(DOUBLE) && p->n_double_data == count) {
    for (size_t k = 0; k < count; k++) to.f[k] = (float)p->double_data[k];
  } else if (p->data_type == TYPE(INT64) && p->n_int64_data == count) {
    for (size_t k = 0; k < count; k++) to.i[k] = p->int64_data[k];
  } else if (p->n_int32_data == count && p->data_type != TYPE(FLOAT) && p->data_type != TYPE(DOUBLE)) {
    for (size_t k = 0; k < count; k++) {
      set(&to, (int64_t)k, (double)half_value((uint16_t)p->int32_data[k]), p->int32_data[k]);
    }
  } else {
    return false;
  }
  return true;
}

Known *known_read(Im *m, const Onnx__TensorProto *p) {
  Elem elem;
  const char *name = p->name ? p->name : "";
  int64_t count = 1;
  if (!p->has_data_type || !elem_of(p->data_type, &elem))
    return refuse(m, "tensor '%s' has a type that dlc lacks", name), NULL;
  if (p->n_dims > MAX_RANK) return refuse(m, "tensor '%s' has %zu dimensions", name, p->n_dims), NULL;
  for (size_t d = 0; d < p->n_dims; d++)
    if (p->dims[d] < 0 || !checked_mul(count, p->dims[d], &count) || count > MOST_ELEMENTS)
      return refuse(m, "the sizes of tensor '%s' are no sizes, or too large", name), NULL;
  bool outside = p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
  size_t size = p->raw_data.len;
  const uint8_t *bytes = p->has_raw_data ? p->raw_data.data : NULL;
  if (outside && !(bytes = external_read(m, p, &size))) return NULL;
  // What a file does not hold is not allocated for.
  size_t held =
      bytes ? size / type_bytes(p->data_type) : p->n_float_data + p->n_double_data + p->n_int64_data + p->n_int32_data;
  if ((size_t)count > held) return refuse(m, "tensor '%s' has fewer elements than its sizes say", name), NULL;
  Known *known = known_new(m, elem, (int)p->n_dims, p->dims);
  known->source = name;
  Elements to = {(float *)known->f, (int64_t *)known->i};
  bool read = bytes ? from_raw(m, p, known, to, bytes, size) : from_fields(p, known, to);
  if (!read && !m->why) refuse(m, "tensor '%s' has other elements than its sizes say", name);
  return read ? known : NULL;
}
