// Looks over protocol buffers' bytes before anything is made of them.
//
// On entry: bytes of a file. On exit: every varint ends within ten bytes, every length within its message, messages are
// at most DEEPEST deep, and they are not so many that the tree would be out of proportion: protobuf-c recurses over
// messages and allocates for each.
#include "inside.h"

enum { DEEPEST = 64, MOST_PIECES = 8 << 20 };

typedef struct Wire {
  const uint8_t *at, *end;
} Wire;

static bool read_varint(Wire *w, uint64_t *value) {
  *value = 0;
  for (int k = 0; k < 10 && w->at < w->end; k++) {
    uint8_t byte = *w->at++;
    *value |= (uint64_t)(byte & 127) << (7 * k);
    if (byte < 128) return true;
  }
  return false;
}

static bool skip(Wire *w, uint64_t count) {
  if (count > (uint64_t)(w->end - w->at)) return false;
  w->at += count;
  return true;
}

static const char *check(const ProtobufCMessageDescriptor *kind, Wire w, int depth, int64_t *pieces) {
  if (depth > DEEPEST) return "its messages are nested too deeply";
  while (w.at < w.end) {
    uint64_t key, value;
    if (!read_varint(&w, &key) || key >> 3 == 0 || key >> 32) return "a field's number is damaged";
    switch (key & 7) {
      case 0:
        if (!read_varint(&w, &value)) return "a number does not end";
        break;
      case 1:
        if (!skip(&w, 8)) return "it ends in the middle of a number";
        break;
      case 5:
        if (!skip(&w, 4)) return "it ends in the middle of a number";
        break;
      case 2: {
        if (!read_varint(&w, &value)) return "a length does not end";
        Wire inner = {w.at, w.at};
        if (!skip(&w, value)) return "it ends in the middle of a field";
        inner.end = w.at;
        if (++*pieces > MOST_PIECES) return "it has too many parts";
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(kind, (unsigned)(key >> 3));
        if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE) break;
        const char *wrong = check(field->descriptor, inner, depth + 1, pieces);
        if (wrong) return wrong;
        break;
      }
      default:
        return "a field is of no known kind";
    }
  }
  return NULL;
}

const char *wire_check(const ProtobufCMessageDescriptor *kind, const uint8_t *bytes, size_t size) {
  int64_t pieces = 0;
  return check(kind, (Wire){bytes, bytes + size}, 0, &pieces);
}
