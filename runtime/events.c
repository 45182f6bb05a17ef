// Events encoded by hand: the fields of tensorflow/core/util/event.proto and summary.proto that scalars and histograms
// need.
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

static void add_double(Text *out, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  add_fixed(out, bits, 8);
}

static void add_double_field(Text *out, int field, double value) {
  add_varint(out, (uint64_t)field << 3 | 1);
  add_double(out, value);
}

// Event.wall_time = 1, a double.
static Text event_at(Arena *arena, double unix_seconds) {
  Text event = text_new(arena);
  add_double_field(&event, 1, unix_seconds);
  return event;
}

// An event of one value: Event.step = 2, Event.summary = 5 with a Summary.value = 1.
static void add_value(Text *out, int64_t step, double unix_seconds, const Text *value) {
  Text summary = text_new(out->arena);
  add_bytes(&summary, 1, value->bytes, value->length);
  Text event = event_at(out->arena, unix_seconds);
  add_varint(&event, 2 << 3 | 0);
  add_varint(&event, (uint64_t)step);
  add_bytes(&event, 5, summary.bytes, summary.length);
  add_record(out, &event);
}

void events_start(Text *out, double unix_seconds) {
  Text event = event_at(out->arena, unix_seconds);
  add_bytes(&event, 3, "brain.Event:2", 13);  // Event.file_version
  add_record(out, &event);
}

void events_scalar(Text *out, const char *tag, int64_t step, double unix_seconds, float value) {
  Text summary_value = text_new(out->arena);
  add_bytes(&summary_value, 1, tag, strlen(tag));  // Summary.Value.tag
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  add_varint(&summary_value, 2 << 3 | 5);  // Summary.Value.simple_value
  add_fixed(&summary_value, bits, 4);
  add_value(out, step, unix_seconds, &summary_value);
}

// HistogramProto: min = 1, max = 2, num = 3, sum = 4, sum_squares = 5, bucket_limit = 6, bucket = 7 (packed doubles).
void events_histogram(Text *out, const char *tag, int64_t step, double unix_seconds, const EventHistogram *h) {
  Text proto = text_new(out->arena), limits = text_new(out->arena), buckets = text_new(out->arena);
  add_double_field(&proto, 1, h->least);
  add_double_field(&proto, 2, h->greatest);
  add_double_field(&proto, 3, (double)h->count);
  add_double_field(&proto, 4, h->sum);
  add_double_field(&proto, 5, h->sum_of_squares);
  for (int k = 0; k < h->n_bins; k++) {
    add_double(&limits, h->least + (h->greatest - h->least) * (k + 1) / h->n_bins);
    add_double(&buckets, (double)h->bins[k]);
  }
  add_bytes(&proto, 6, limits.bytes, limits.length);
  add_bytes(&proto, 7, buckets.bytes, buckets.length);
  Text summary_value = text_new(out->arena);
  add_bytes(&summary_value, 1, tag, strlen(tag));
  add_bytes(&summary_value, 5, proto.bytes, proto.length);  // Summary.Value.histo
  add_value(out, step, unix_seconds, &summary_value);
}
