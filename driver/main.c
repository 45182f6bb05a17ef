// The dlc command: the list of what it can do. Adding a command is a row here, its function in a file of its own (named
// in commands.h), and the rows of the options that it takes (options.c).
#include "commands.h"

static const Command commands[] = {
    {"compile", command_compile, "FILE.dl", 1, 1, "what a program is made of, compiled",
     "Checks a program, runs every pass and compiles all kernels. Shows every layer with its shape, parameters and\n"
     "floating-point operations for one row, the kernels after fusion, the memory plan and how long compiling took.",
     "dlc examples/lenet/lenet5.dl\n"
     "dlc compile examples/resnet/resnet20.dl --batch 1 --mode infer --json"},
    {"check", command_check, "FILE.dl", 1, 1, "everything that can be known without data or code",
     "Checks names, shapes, data and train blocks, and that a gradient reaches every parameter. Opens no data and\n"
     "generates no code.",
     "dlc check examples/lenet/lenet5.dl"},
    {"dump", command_dump, "FILE.dl", 1, 1, "what the compiler holds after a stage",
     "Prints one of the compiler's representations as text. With a train block this is the training version, loss and\n"
     "gradients included, unless --mode infer; without one it is the inference version, unless --mode train.",
     "dlc dump examples/lenet/lenet5.dl --stage ir\n"
     "dlc dump examples/lenet/lenet5.dl --stage loops --mode infer --batch 1"},
    {"train", command_train, "FILE.dl", 1, 1, "run a model's train block",
     "Trains and writes a run directory: checkpoints (step-*.safetensors with the weights, step-*.run with all else that a\n"
     "resumed run needs), log.jsonl and curves.jsonl, TensorBoard's events, the program and its options. Every\n"
     "split is evaluated after each epoch. Ctrl-C writes a checkpoint and ends; --resume DIR goes on there, with the bits\n"
     "of the uninterrupted run.",
     "dlc train examples/digits.dl\n"
     "dlc train examples/lenet/lenet5.dl --data ../shared/data --epochs 3 --out runs/lenet5\n"
     "dlc train examples/lenet/lenet5.dl --data ../shared/data --resume runs/lenet5"},
    {"search", command_search, "FILE.dl", 1, 1, "choose hyperparameters by a search block",
     "Tries every combination of the search block's values, by cross-validation on the training split or on a validation\n"
     "split; prints a table with mean and standard deviation over the folds, and the winner on the test split, once. A\n"
     "network is compiled once for all combinations that do not change it. --json prints one object; -o FILE.svg draws the\n"
     "table as well, and the scores over its first row of numbers.",
     "dlc search examples/neighbours/cross_validation.dl --data ../shared/data -o table.svg"},
    {"eval", command_eval, "FILE.dl", 1, 1, "loss and metrics of saved weights on a split",
     "Runs the inference version over every row of a split of the data and prints the loss and each metric of the\n"
     "train block; --json prints them as one object.",
     "dlc eval examples/digits.dl --weights runs/digits/step-00000471.safetensors --split test"},
    {"predict", command_predict, "FILE.dl", 1, 1, "a model's outputs for given inputs",
     "Runs the inference version on any number of rows. Inputs and outputs are .npy files, by name; a model with one\n"
     "output takes --output y.npy. An image file (PNG, JPEG, BMP, PPM, PGM) is one row of an input, f32 from 0 to 1, and\n"
     "--output y.png writes rows as images. --weights may be left out for a model without parameters. With --split the\n"
     "inputs come from the train block's data, and --output may name fields that it reads as well:\n"
     "found=y.npy,label=l.npy.",
     "dlc predict examples/lenet/lenet5.dl --weights w.safetensors --input image=x.npy --output y.npy\n"
     "dlc predict examples/segmentation/membranes.dl --weights w.safetensors --input image=x.png --output y.png"},
    {"init", command_init, "FILE.dl", 1, 1, "the initial weights of a seed",
     "Writes the weights with which training with that seed would start, in the form of a checkpoint.",
     "dlc init examples/lenet/lenet5.dl --seed 1 -o w.safetensors"},
    {"import", command_import, "MODEL.onnx", 1, 1, "an ONNX model as a program",
     "Writes NAME.dl, the model as a program, and NAME.safetensors, its weights. Images become channels last, and weights are\n"
     "turned to fit. What dlc has nothing for is listed node by node, and then nothing is written. --input X=x.npy holds an\n"
     "input fixed: one that decides a shape, say. --set NAME=SIZE says what a named size of the model is. --json prints how\n"
     "inputs and outputs are called, and which dimension of the model each of theirs is.",
     "dlc import lenet5.onnx -o lenet5\n"
     "dlc import detector.onnx -o detector --set height=224 --set width=224"},
    {"export", command_export, "FILE.dl", 1, 1, "a program and its weights as an ONNX model",
     "Writes the inference version of a model with its weights as an ONNX file (opset 17). Inputs and outputs are as the\n"
     "program has them; in between images are channels first. What ONNX has nothing for is reported at its place in the\n"
     "program, and then nothing is written.",
     "dlc export examples/lenet/lenet5.dl --weights w.safetensors -o lenet5.onnx"},
    {"grad", command_grad, "FILE.dl", 1, 1, "values and gradients at a point",
     "With --at: every value of a small model at a point and the derivative of its result by each, in double, and the\n"
     "graph with each value above its gradient (not with --quiet). -o g.svg (.png, .pdf) draws it through Graphviz, -o g.dot or --dot\n"
     "writes its text. A value is a number, a list, a file (x=x.npy), or normal: random numbers of the input's shape.\n"
     "--jacobian prints Jacobians; one that is diagonal by the graph is never made.\n"
     "Otherwise from files, by the compiled kernels (--oracle: by the evaluator in double): of the train block's loss,\n"
     "or where there is none, of the output times a cotangent. The file holds value.NAME, value.loss, grad.PARAMETER\n"
     "and grad.INPUT.",
     "dlc grad examples/backprop/gradient.dl --at x=-2,y=5,z=-4\n"
     "dlc grad examples/backprop/rectifier.dl --at x=normal --batch 100 --jacobian\n"
     "dlc grad examples/lenet/lenet5.dl --weights w.safetensors --input image=x.npy,label=y.npy -o grads.safetensors"},
    {"build", command_build, "FILE.dl", 1, 1, "a C library of a network",
     "Writes NAME.h and NAME.o (or libNAME.a, libNAME.so): the network for C and C++ programs, which need neither dlc nor\n"
     "LLVM then, only libc and libm. It allocates nothing and has no state of its own: the caller gives memory, whose size\n"
     "the header states. With --weights they stand in the library; without, it loads them from a safetensors file. With\n"
     "--train it trains on the caller's data as dlc train does. The bits are those of dlc predict and dlc train.\n"
     "--target makes it for another machine; --cpu may list several levels of x86-64, the best of which is chosen when the\n"
     "library is opened.",
     "dlc build examples/lenet/lenet5.dl --weights w.safetensors -o lenet5\n"
     "dlc build examples/lenet/lenet5.dl --train --emit static --cpu x86-64,x86-64-v3 -o lenet5\n"
     "dlc build examples/lenet/lenet5.dl --target aarch64 -o lenet5"},
    {"doctor", command_doctor, "FILE.dl", 1, 1, "what to check before a long run, checked",
     "Looks at the data, the first weights and the gradients, and trains for a moment on a sample: inputs, labels, first\n"
     "loss, regularisation, steps without slope, gradients against finite differences, 20 samples learnt by heart, a range\n"
     "of learning rates, dead ReLUs, update to weight ratios. Each check has a verdict and, where something is wrong,\n"
     "advice. Exit status 1 where anything was found. Takes seconds, for large networks a minute or more.",
     "dlc doctor examples/digits.dl"},
    {"report", command_report, "RUN..", 1, 64, "the learning curves of a run, or of several",
     "Writes one page about a training run (default RUN/report.html): loss, metrics, learning rate, update to weight ratios,\n"
     "histograms of activations and gradients by layer, a classifier's confusion matrix and worst mistakes, the program.\n"
     "Several runs are compared. -o FILE.svg writes the curves alone. The page fetches nothing.",
     "dlc report runs/lenet5 -o lenet5.html\n"
     "dlc report runs/sgd runs/adam -o optimizers.svg"},
    {"graph", command_graph, "FILE.dl", 1, 1, "a drawing of the network",
     "Draws the network through Graphviz: a box for each call that the model makes, with its parameters, the shapes on the\n"
     "edges. -o takes FILE.svg, .png, .pdf or .dot; without it the text for Graphviz is printed. --depth 2 opens the\n"
     "functions of the program itself.",
     "dlc graph examples/lenet/lenet5.dl -o lenet5.svg\n"
     "dlc graph examples/resnet/resnet20.dl --depth 2 -o resnet20.svg"},
    {"bench", command_bench, "FILE.dl", 1, 1, "how fast a step is",
     "Times steps on data in memory: normal inputs, uniform labels; opens no data. A model without a train block takes\n"
     "the mean square of its output as its loss and plain SGD. --profile shows each kernel's time.",
     "dlc bench examples/lenet/lenet5.dl --mode train --batch 64\n"
     "dlc bench examples/resnet/resnet20.dl --mode infer --batch 1 --json"},
    {"explain", command_explain, "FILE.dl", 1, 1, "what each line costs, and why",
     "Runs steps as dlc bench does, and shows the program's text with each line's shape, operations, bytes, time and share\n"
     "of the machine's peak, and the kernels that it became part of; then every kernel, and what kept it from being one with\n"
     "its neighbours.",
     "dlc explain examples/lenet/lenet5.dl\n"
     "dlc explain examples/resnet/resnet20.dl --mode infer --batch 1"},
    {"fmt", command_fmt, "FILE.dl", 1, 1, "format a program",
     "Writes the program back with canonical indentation and blanks. Line breaks, comments and columns that are lined up\n"
     "with blanks stay. -o FILE writes there instead, -o - to standard output; --check only says whether it is formatted.",
     "dlc fmt examples/lenet/lenet5.dl -o -\n"
     "dlc fmt --check examples/lenet/lenet5.dl"},
    {"opt", command_opt, "FILE.dlir", 1, 1, "run passes over the IR's text form",
     "Reads a graph, verifies it, runs the passes that --passes names, in that order, and prints the result. Without\n"
     "--passes it only reads, verifies and prints.",
     "dlc opt tests/golden/driver/opt.dlir --passes=canonicalise,cse,dce"},
    {"show", command_show, "WHAT [NAME]", 1, 2, "the standard library, the operations, the passes",
     "show std       the standard library, in the language itself; show std conv2d: one of its functions\n"
     "show ops       every operation of the graph with its meaning\n"
     "show passes    every pass, in order, with what it leaves true",
     "dlc show std conv2d\n"
     "dlc show ops"},
    {"help", command_help, "[COMMAND]", 0, 1, "this, or a command's help",
     "Shows what dlc can do, or one command's usage and options.", "dlc help train"},
    {"version", command_version, "", 0, 0, "the versions of dlc and LLVM, and the CPU",
     "Shows the versions of dlc and LLVM, and the CPU that it compiles for.", "dlc version"},
};

int main(int argc, char **argv) {
  static const CommandTable table = {commands, sizeof commands / sizeof *commands};
  return session_main(&table, argc, argv);
}
