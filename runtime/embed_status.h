// The statuses of built libraries, for what writes their headers.
#pragma once
#include "embed/embed.h"

static inline const char *embed_status_name(int status) {
  static const char *const names[] = {
#define EMBED_STATUS(name, meaning) #name,
#include "embed/status.def"
#undef EMBED_STATUS
  };
  return names[status];
}

static inline const char *embed_status_meaning(int status) {
  static const char *const meanings[] = {
#define EMBED_STATUS(name, meaning) meaning,
#include "embed/status.def"
#undef EMBED_STATUS
  };
  return meanings[status];
}
