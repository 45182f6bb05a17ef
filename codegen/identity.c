// A build is known by the linker's build id, a hash of all that was linked: versions do not change with every change
// of the code generator.
#include "identity.h"

#include <elf.h>
#include <link.h>
#include <llvm-c/Core.h>
#include <string.h>

typedef struct Search {
  uintptr_t address;  // inside the object that is looked for
  const unsigned char *id;
  size_t bytes;
} Search;

static bool holds(const struct dl_phdr_info *object, uintptr_t address) {
  for (int k = 0; k < object->dlpi_phnum; k++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[k];
    uintptr_t begin = object->dlpi_addr + part->p_vaddr;
    if (part->p_type == PT_LOAD && address >= begin && address - begin < part->p_memsz) return true;
  }
  return false;
}

static void look_in_notes(const char *notes, size_t bytes, Search *search) {
  for (size_t at = 0; bytes - at >= sizeof(ElfW(Nhdr));) {
    const ElfW(Nhdr) *note = (const void *)(notes + at);
    size_t name = at + sizeof *note, body = name + (note->n_namesz + 3u) / 4 * 4,
           end = body + (note->n_descsz + 3u) / 4 * 4;
    if (end > bytes) return;
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(notes + name, "GNU", 4)) {
      search->id = (const unsigned char *)notes + body;
      search->bytes = note->n_descsz;
    }
    at = end;
  }
}

static int visit(struct dl_phdr_info *object, size_t size, void *state) {
  (void)size;
  Search *search = state;
  if (!holds(object, search->address)) return 0;
  for (int k = 0; k < object->dlpi_phnum; k++)
    if (object->dlpi_phdr[k].p_type == PT_NOTE)
      look_in_notes((const char *)(object->dlpi_addr + object->dlpi_phdr[k].p_vaddr), object->dlpi_phdr[k].p_memsz,
                    search);
  return 1;
}

static bool add_build(uintptr_t address, Text *out) {
  Search search = {.address = address};
  dl_iterate_phdr(visit, &search);
  for (size_t k = 0; k < search.bytes; k++) text_printf(out, "%02x", search.id[k]);
  text_add(out, " ");
  return search.bytes > 0;
}

bool identity_add(const Target *target, Text *out) {
  unsigned major, minor, patch;
  LLVMGetVersion(&major, &minor, &patch);
  text_printf(out, "dlc %s LLVM %u.%u.%u %s %s %s %d %d %d builds ", DLC_VERSION, major, minor, patch, target->triple,
              target->cpu, target->features, target->vector_floats, target->registers, target->has_fma);
  return add_build((uintptr_t)identity_add, out) && add_build((uintptr_t)LLVMGetVersion, out);
}
