// What the runtime inside built libraries takes from the C library's stdio.h: loading and saving files. The numbers are
// those of every C library on Linux.
#pragma once
#include <stddef.h>
typedef struct EmbedFile FILE;
#define SEEK_SET 0
FILE *fopen(const char *path, const char *mode);
int fclose(FILE *file);
size_t fread(void *to, size_t size, size_t count, FILE *file);
size_t fwrite(const void *from, size_t size, size_t count, FILE *file);
int fseek(FILE *file, long offset, int whence);
int fflush(FILE *file);
int remove(const char *path);
int rename(const char *from, const char *to);
