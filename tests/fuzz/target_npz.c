// NumPy's .npz files: zip files of .npy files. The first byte chooses what of them is asked for.
#include "fuzz.h"

void fuzz_target(Fuzz *f) {
  const char *key = fuzz_byte(f) & 1 ? "absent" : "x";
  fuzz_open(f, &(SourceSpec){.kind = SOURCE_NPZ, .key = key});
}
