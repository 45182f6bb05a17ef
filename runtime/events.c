// Events encoded by hand: the four fields of tensorflow/core/util/event.proto that a scalar needs.
#include "events.h"

#include <string.h>

// CRC-32C (Castagnoli), bit by bit: records are a few dozen bytes.
static uint32_t crc32c(const char *bytes, size_t length) {
  uint32_t crc = 0xffffffffu;
  for (size_t k = 0; k < length; k++) {
    crc ^= (unsigned char)bytes[k];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

static void add_fixed(Text *out, uint64_t value, int bytes) {
  for (int k = 0; k < bytes; k++) {
    char byte = (char)(value >> (8 * k));
    text_add_n(out, &byte, 1);
  }
}

static void add_masked_crc(Text *out, const char *bytes, size_t length) {
  uint32_t crc = crc32c(bytes, length);
  add_fixed(out, (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8u), 4);
}

static void add_varint(Text *out, uint64_t value) {
  for (; value >= 128; value >>= 7) add_fixed(out, (value & 127) | 128, 1);
  add_fixed(out, value, 1);
}

static void add_bytes(Text *out, int field, const char *bytes, size_t length) {
  add_varint(out, (uint64_t)field << 3 | 2);
  add_varint(out, length);
  text_add_n(out, bytes, length);
}

static void add_record(Text *out, const Text *event) {
  size_t begin = out->length;
  add_fixed(out, event->length, 8);
  add_masked_crc(out, out->bytes + begin, 8);
  text_add_n(out, event->bytes, event->length);
  add_masked_crc(out, event->bytes, event->length);
}

// Event.wall_time = 1, a double.
static Text event_at(Arena *arena, double unix_seconds) {
  Text event = text_new(arena);
  uint64_t bits;
  memcpy(&bits, &unix_seconds, sizeof bits);
  add_varint(&event, 1 << 3 | 1);
  add_fixed(&event, bits, 8);
  return event;
}

void events_start(Text *out, double unix_seconds) {
  Text event = event_at(out->arena, unix_seconds);
  add_bytes(&event, 3, "brain.Event:2", 13);  // Event.file_version
  add_record(out, &event);
}

void events_scalar(Text *out, const char *tag, int64_t step, double unix_seconds, float value) {
  Text summary_value = text_new(out->arena), summary = text_new(out->arena);
  add_bytes(&summary_value, 1, tag, strlen(tag));  // Summary.Value.tag
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  add_varint(&summary_value, 2 << 3 | 5);  // Summary.Value.simple_value
  add_fixed(&summary_value, bits, 4);
  add_bytes(&summary, 1, summary_value.bytes, summary_value.length);
  Text event = event_at(out->arena, unix_seconds);
  add_varint(&event, 2 << 3 | 0);  // Event.step
  add_varint(&event, (uint64_t)step);
  add_bytes(&event, 5, summary.bytes, summary.length);  // Event.summary
  add_record(out, &event);
}
