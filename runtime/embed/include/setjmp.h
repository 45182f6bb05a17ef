// base/arena.h names the type; nothing inside a built library jumps.
#pragma once
typedef struct EmbedNoJump {
  int none;
} jmp_buf;
