// compile PROGRAM.dl WEIGHTS PICTURE..: compiles a network while it runs, by libdlc, says what it takes and how large it
// is, and which digit each picture shows.
//
//   dlc train examples/embed/lenet5.dl --out runs/digits
//   c++ -Iruntime examples/embed/compile.cpp -Lbuild -ldlc -Wl,-rpath,build -o compile
//   ./compile examples/embed/lenet5.dl runs/digits/step-00000471.safetensors examples/embed/digits/*.pgm
#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include "dlc.h"
#include "pgm.h"

int main(int argc, char **argv) {
  if (argc < 4) {
    std::cerr << "compile PROGRAM.dl WEIGHTS PICTURE..\n";
    return 2;
  }
  std::unique_ptr<DlcModel, decltype(&dlc_close)> model(dlc_open(argv[1], nullptr), dlc_close);
  if (!model) return 5;
  if (dlc_status(model.get()) || dlc_compile(model.get()) || dlc_load(model.get(), argv[2])) {
    std::cerr << dlc_messages(model.get());
    return dlc_status(model.get());
  }

  DlcValue input, output;
  dlc_describe(model.get(), DLC_INPUTS, 0, &input);
  dlc_describe(model.get(), DLC_OUTPUTS, 0, &output);
  std::cout << output.name << "(" << input.name << "), " << dlc_count(model.get(), DLC_PARAMETERS) << " parameters\n";

  std::vector<float> image(PIXELS), score(static_cast<size_t>(output.dim[1]));
  for (int k = 3; k < argc; k++) {
    if (!read_pgm(argv[k], image.data())) return 3;
    const void *inputs[] = {image.data()};
    void *outputs[] = {score.data()};
    if (dlc_predict(model.get(), inputs, outputs, 1)) {
      std::cerr << dlc_messages(model.get());
      return dlc_status(model.get());
    }
    std::cout << argv[k] << ": " << std::max_element(score.begin(), score.end()) - score.begin() << "\n";
  }
  return 0;
}
