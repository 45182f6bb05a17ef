// The system's files, with faults: the n-th call fails, calls are interrupted, reads and writes do a byte at a time, a
// file is another one when it is opened again, sizes are lies. All off at first: (FaultIo){0}.
#pragma once
#include <errno.h>
#include <string.h>

#include "io.h"

typedef struct FaultIo {
  int calls, fail_at, error;  // the call of that number fails with `error` (a negative errno)
  bool fail_on;               // and so do all after it
  bool interrupted;           // every other open, read and write is interrupted first
  bool slow;                  // reads and writes do a byte at a time
  int opens, swap_at;         // from the open of that number on, `swap` is opened where `swapped` is asked for
  const char *swapped, *swap;
  int64_t lie;  // what every file's size is said to be; 0: the truth
  int turns, interruptions;
} FaultIo;

static int fault_of(FaultIo *f) {
  int call = ++f->calls;
  return f->fail_at && (call == f->fail_at || (f->fail_on && call > f->fail_at)) ? f->error : 0;
}
static bool fault_interrupts(FaultIo *f) { return f->interrupted && f->turns++ % 2 == 0; }

static int fault_interruption(FaultIo *f) { return f->interruptions++ % 2 ? -EAGAIN : -EINTR; }

static int fault_open(void *state, const char *path, int flags, int mode) {
  FaultIo *f = state;
  int error = fault_of(f);
  if (error) return error;
  if (fault_interrupts(f)) return -EINTR;
  bool swaps = f->swap_at && ++f->opens >= f->swap_at && strstr(path, f->swapped);
  return io_system().ops->open(NULL, swaps ? f->swap : path, flags, mode);
}
static ssize_t fault_pread(void *state, int fd, void *buffer, size_t count, off_t offset) {
  FaultIo *f = state;
  int error = fault_of(f);
  if (error) return error;
  if (fault_interrupts(f)) return fault_interruption(f);
  return io_system().ops->pread(NULL, fd, buffer, f->slow && count ? 1 : count, offset);
}
static ssize_t fault_write(void *state, int fd, const void *buffer, size_t count) {
  FaultIo *f = state;
  int error = fault_of(f);
  if (error) return error;
  if (fault_interrupts(f)) return fault_interruption(f);
  return io_system().ops->write(NULL, fd, buffer, f->slow && count ? 1 : count);
}
static int fault_fsync(void *state, int fd) {
  int error = fault_of(state);
  return error ? error : io_system().ops->fsync(NULL, fd);
}
static int fault_close(void *state, int fd) {
  int error = fault_of(state), closed = io_system().ops->close(NULL, fd);
  return error ? error : closed;
}
static int fault_rename(void *state, const char *from, const char *to) {
  int error = fault_of(state);
  return error ? error : io_system().ops->rename(NULL, from, to);
}
static int fault_unlink(void *state, const char *path) { return (void)state, io_system().ops->unlink(NULL, path); }
static int fault_mkdir(void *state, const char *path, int mode) {
  int error = fault_of(state);
  return error ? error : io_system().ops->mkdir(NULL, path, mode);
}
static int fault_size(void *state, int fd, int64_t *size, bool *regular) {
  FaultIo *f = state;
  int error = fault_of(f);
  if (!error) error = io_system().ops->fstat_size(NULL, fd, size, regular);
  if (f->lie) *size = f->lie;
  return error;
}
static int fault_list(void *state, const char *path, void (*each)(void *user, const char *name), void *user) {
  int error = fault_of(state);
  return error ? error : io_system().ops->list(NULL, path, each, user);
}

static Io fault_io(FaultIo *faults) {
  static const IoOps ops = {fault_open,   fault_pread, fault_write, fault_fsync, fault_close, fault_rename,
                            fault_unlink, fault_mkdir, fault_size,  fault_list,  NULL,        NULL};
  return (Io){&ops, faults};
}
