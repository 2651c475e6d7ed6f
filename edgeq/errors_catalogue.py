"""Every error code of edgeq, with what it means and what helps: the text behind ``edgeq explain``.

The message of an error says what happened where; an entry here explains the rule behind it. One sorted table; a test
keeps it equal to the codes that the sources use.
"""

from __future__ import annotations

from typing import Final

_DEFECT = "This is a defect of edgeq, not of your model. Report it with the model or a cut-down one."

CATALOGUE: Final[dict[str, tuple[str, str]]] = {
    "EQ0101": (
        "The command line is wrong",
        "An option or argument is unknown, missing or has a bad value. `edgeq COMMAND --help` lists them.",
    ),
    "EQ0102": (
        "The model's name cannot prefix C symbols",
        "Generated functions are called NAME_run and so on, so NAME must be a lower-case C word. Pass --name.",
    ),
    "EQ0103": (
        "The output folder cannot be used",
        (
            "edgeq replaces a folder whole, and therefore only a new one, an empty one, or one whose manifest lists "
            "every file in it with its present SHA-256. --force first moves any other to OUTPUT.kept-N."
        ),
    ),
    "EQ0104": (
        "Not a compiled folder",
        "emulate, eval, verify, profile and flash work on a folder that `edgeq compile` wrote.",
    ),
    "EQ0105": (
        "Compiled by another version",
        "The layout of compiled folders has a schema number; compile the model again with this version.",
    ),
    "EQ0106": (
        "Calibration data is missing",
        (
            "A float model becomes integer by looking at typical inputs: pass --data FILE.npz with an array x of "
            "a few hundred of them. Labels are not needed."
        ),
    ),
    "EQ0107": ("Unknown choice for quantization", "`edgeq methods` lists observers and the other choices."),
    "EQ0108": ("Nothing to run", "No sample was selected: the file is empty, or --samples is below 1."),
    "EQ0109": (
        "The metric does not fit the data",
        (
            "top1 needs labels y; auc binary labels; reconstruction_auc labels and groups; agreement and mse a "
            "float model."
        ),
    ),
    "EQ0110": (
        "The data file cannot be read",
        "Data files are NumPy .npz archives without pickled objects: np.savez_compressed('data.npz', x=x, y=y).",
    ),
    "EQ0111": (
        "The data file is over the limits",
        "Archives are checked before they are unpacked, against exhaustion of memory. Split the file.",
    ),
    "EQ0112": (
        "An input's array is missing",
        "A model with one input reads x or the input's own name; one with several reads one array per input name.",
    ),
    "EQ0113": (
        "Wrong shape of samples",
        "Sample i is x[i] and has the shape of the model's input without its leading ones.",
    ),
    "EQ0114": ("The data file holds no samples", "The first axis of every array counts the samples; it is 0 here."),
    "EQ0115": ("A sample is not a number", "NaN and infinity have no place on an integer grid. Clean the data."),
    "EQ0116": ("Arrays of different length", "Every input, and `group`, needs one entry per sample."),
    "EQ0117": (
        "Wrong element type",
        "Inputs are stored as floats or as integers, with x_scale and x_offset where integers mean scaled values.",
    ),
    "EQ0118": ("Bad scale or offset", "x_scale and x_offset are single finite numbers; the scale is positive."),
    "EQ0120": (
        "The disk is full or cannot be written",
        (
            "Nothing half-written is left: the output is as it was. Results are written beside the output, temporary "
            "files to the folder that TMPDIR names; quotas and limits of file sizes count as a full disk too."
        ),
    ),
    "EQ0121": (
        "Another edgeq writes the same folder",
        "Two edgeqs that write one output wait for each other, ten minutes at most. Choose another -o, or end one.",
    ),
    "EQ0122": (
        "What was at the output was kept",
        "With --force, what edgeq did not write is moved to OUTPUT.kept-1, or the next free number.",
    ),
    "EQ0123": (
        "The output is an input",
        (
            "Writing would replace the model, the data or the board file that the command reads, also through a link "
            "or because it lies in the output folder. --force does not change that."
        ),
    ),
    "EQ0124": (
        "The output file is not edgeq's",
        (
            "A file is only replaced where edgeq wrote it and nobody has changed it since: models that edgeq writes "
            "end in a digest of themselves. --force first moves any other regular file to OUTPUT.kept-N."
        ),
    ),
    "EQ0125": (
        "A compiled folder names a file outside of itself",
        "Paths in manifest.json lead below the folder, also through links. The folder was edited; do not trust it.",
    ),
    "EQ0126": (
        "A compiled folder's board is not one",
        (
            "What board.json tells QEMU, pyOCD and OpenOCD is checked against lists: it may not name files to write or "
            "scripts to run. The file was edited; do not trust the folder."
        ),
    ),
    "EQ0130": (
        "The data is all one value",
        (
            "Ranges cannot be found in data that is zero or constant. Where one of several inputs is constant this is "
            "a warning: it may be a state that starts at zero. --accept-data uses the data as it is."
        ),
    ),
    "EQ0131": (
        "Pixels without a scale",
        (
            "Values from 0 to 255 (or -128 to 127) are taken as they are where the file holds no x_scale. Here the "
            "model's BatchNormalization or its biases say that it was trained on others. Write x_scale into the file, "
            "or scale the samples. --accept-data uses the data as it is."
        ),
    ),
    "EQ0132": (
        "Labels out of range",
        "Labels y count the model's classes from 0. --accept-data goes on all the same.",
    ),
    "EQ0133": (
        "Two arrays could be the input",
        (
            "A model with one input reads the array of the input's name, or x. The file holds both, in the input's "
            "shape. Leave one out; --accept-data takes the one of the input's name."
        ),
    ),
    "EQ0134": (
        "Samples in another layout",
        (
            "The samples have the numbers of the model's input in another order, often channels last for a model with "
            "channels first. The message has the transposition that mends it."
        ),
    ),
    "EQ0135": (
        "Data unlike the training data",
        (
            "BatchNormalization keeps mean and deviation of the training data; where there is none, the biases of the "
            "first layer tell its scale. The data given is far from that: prepare it as in training."
        ),
    ),
    "EQ0136": ("Samples are repeated", "A few hundred different samples are wanted; copies add nothing."),
    "EQ0137": (
        "A value far outside the rest",
        (
            "A single outlier, or a number that stands for something missing, widens the range and takes resolution "
            "from all other values. Remove it where the device will never see it; otherwise all is well."
        ),
    ),
    "EQ0138": (
        "A layer is dead",
        "A result is the same on all samples, such as a ReLU that never opens. The data or the model is at fault.",
    ),
    "EQ0139": (
        "The outputs hardly depend on the data",
        "The float model answers all samples alike, or with full certainty for one class: it was trained on others.",
    ),
    "EQ0140": (
        "Data unlike the calibration data",
        "The integers of the input stand for the range of the calibration data. Scale these samples in the same way.",
    ),
    "EQ0141": (
        "A scale that does not count",
        "x_scale and x_offset say what integers in x stand for. Floats, and integers for integer inputs, stay as is.",
    ),
    "EQ0142": ("Blank samples", "Many samples are one value throughout: padding, silence, or a recording that failed."),
    "EQ0160": (
        "The folder has no image for this",
        (
            "Each runner executes an image of its own: qemu the emulated one, native the host's, tvm and tflite what "
            "`--backend` adds. `compile --sources-only` makes none."
        ),
    ),
    "EQ0161": ("An image is missing", "The file that the message names is not there. Compile the model again."),
    "EQ0162": ("The reference alone proves nothing", "`verify` compares at least one runner with the reference."),
    "EQ0163": (
        "Less was compared than the model computes",
        "Some step or output was left out, so nothing is proven. Compile the folder again.",
    ),
    "EQ0164": (
        "Fewer samples than asked for",
        "The data file holds fewer samples than `--samples` says; all were used.",
    ),
    "EQ0165": ("Class names do not fit", "`class_names` in the data file needs one name for each value of the output."),
    "EQ0166": (
        "Another float model",
        "`eval --float` takes the model that the quantized one was made from: float, with the same inputs and outputs.",
    ),
    "EQ0170": (
        "Unknown runner",
        (
            "Runners execute what was compiled (native, qemu, tvm, tvm-qemu, tflite) or write images into boards "
            "(`edgeq flash`)."
        ),
    ),
    "EQ0171": ("Unknown backend", "`--backend` takes c, tvm, tflite, or several with commas between."),
    "EQ0172": (
        "Weights are rounded again",
        (
            "Firmware holds weights as int8 with zero point 0. Weights that the model quantizes as uint8, or with "
            "another zero point, can leave that range; such channels get a larger scale and lose up to one bit."
        ),
    ),
    "EQ0173": (
        "Few calibration samples",
        "Ranges are taken from the calibration data; with few samples they are uncertain. A few hundred are enough.",
    ),
    "EQ0175": (
        "The quantized outputs are poor",
        (
            "On the calibration data the outputs of the quantized model differ from the float model's by more than "
            "SQNR allows. Wrong preprocessing or unusual layers are the common causes."
        ),
    ),
    "EQ0176": ("The C compiler warns", "Generated code compiles without warnings. The firmware was built. " + _DEFECT),
    "EQ0177": ("Unknown error code", "`edgeq explain` without a code lists them all."),
    "EQ0178": (
        "Interrupted",
        "Ctrl-C or a signal ended the command. What it was about to replace is whole; nothing is left behind.",
    ),
    "EQ0180": ("A board or target file is not TOML", "Open the file named; the position is in the message."),
    "EQ0181": (
        "Unknown key in a board or target file",
        "Keys are checked strictly, so that a typing error is found.",
    ),
    "EQ0182": ("Bad value in a board or target file", "The message says which values the key takes."),
    "EQ0183": ("Bad inheritance", "`inherits` must name an existing file and may not come back to where it started."),
    "EQ0184": ("Unknown board", "`edgeq boards` lists them; a path to a board.toml of your own works too."),
    "EQ0185": ("Unknown target", "`edgeq targets` lists the processors."),
    "EQ0186": (
        "The board is larger than its emulator",
        ("An emulated image has the board's sizes at the machine's addresses; the machine must have that much memory."),
    ),
    "EQ0201": ("The model file cannot be read", "The path does not exist, is no file, or may not be read."),
    "EQ0202": (
        "The model is too large",
        "Sizes are capped before anything is parsed; such a model fits no Cortex-M.",
    ),
    "EQ0203": ("Not an ONNX model", "Another format was recognised, or nothing at all. Export the model to ONNX."),
    "EQ0204": ("Damaged ONNX file", "The file is cut off or corrupt. Export or copy it again."),
    "EQ0205": (
        "Weights in another file",
        (
            "Weights beside the model are read from plain files below its folder only: no links, no .., no absolute "
            "paths, and exactly the bytes of each tensor. Keep the files together, or save the model as one."
        ),
    ),
    "EQ0206": (
        "A tensor is stored in a form that is not read",
        (
            "Sparse tensors, tensors in segments, data that is stated twice or in the wrong field, and unknown data "
            "types are refused. Store weights as dense tensors of a standard type."
        ),
    ),
    "EQ0207": (
        "A tensor is out of bounds",
        "Rank, dimensions and elements are capped before shapes are inferred. Shrink the tensor that is named.",
    ),
    "EQ0208": (
        "Too many nodes or initializers",
        "Models of this size run on no supported processor. Export a smaller model, or only the part you need.",
    ),
    "EQ0209": (
        "Nested too deep",
        "Subgraphs and types may nest a few levels only. Export again with branches and loops resolved.",
    ),
    "EQ0210": ("A tensor's bytes do not match its shape", "The file is damaged or was made by a faulty exporter."),
    "EQ0211": (
        "Local functions are not valid",
        "Functions of a model must have distinct names and not call themselves. Export again, or inline them.",
    ),
    "EQ0212": ("Training information", "Export the model for inference."),
    "EQ0213": ("Not enough memory to read the model", "Or protobuf runs without its C parser: reinstall protobuf."),
    "EQ0214": ("Unknown ONNX version", "The file was written by a newer ONNX than this edgeq knows. Upgrade edgeq."),
    "EQ0215": ("The model cannot be written", "The path may not be written, or the disk is full."),
    "EQ0216": ("Opset not supported", "edgeq reads opsets 7 to 28. Export with opset_version=17 or 21."),
    "EQ0217": (
        "A node has no form in the working opset",
        "The node uses what only a newer opset has. Export with 21.",
    ),
    "EQ0218": ("The opset cannot be converted", "ONNX's version converter failed. Export with opset_version=21."),
    "EQ0219": (
        "Unknown operator",
        "ONNX has no operator of that name in the opset that the model states. The exporter is at fault.",
    ),
    "EQ0220": (
        "A value has no static shape",
        "Every shape must be known before memory can be planned. Export with fixed input shapes, or pass --dim.",
    ),
    "EQ0221": ("Normalization does not end", _DEFECT),
    "EQ0222": ("A dimension has no value", "Name the sizes of dynamic dimensions with --dim NAME=N; the batch is 1."),
    "EQ0223": ("Bad --dim", "The value is out of range, or the model has no dimension of that name."),
    "EQ0224": ("An input has no shape", "Export the model with input shapes."),
    "EQ0225": (
        "Shapes do not fit together",
        "ONNX's shape inference refuses the model: it would fail anywhere. Export it again.",
    ),
    "EQ0226": ("A shape depends on data", "Firmware plans its memory once: export without data-dependent shapes."),
    "EQ0227": (
        "A constant part cannot be evaluated",
        "The constants of the model lead to an error when computed. Look at the node named, and export again.",
    ),
    "EQ0228": ("A border without a name", "Inputs and outputs need names: they become part of the manifest."),
    "EQ0229": ("Normalization broke the model", _DEFECT),
    "EQ0230": ("The model is quantized already", "Compile it as it is; `edgeq quantize` takes float models."),
    "EQ0231": ("The model is not quantized", "Give calibration data, so that it becomes integer."),
    "EQ0232": (
        "A node does not fit together",
        "Its operands and attributes contradict each other: it would fail anywhere. Export the model again.",
    ),
    "EQ0233": (
        "Read as float32",
        (
            "The model computes in float16, bfloat16 or float64. Its weights and borders are converted to float32, and "
            "it is quantized like any other. Nothing to do."
        ),
    ),
    "EQ0234": (
        "An integer input is float32 here",
        (
            "The model only casts this input to float32, so the cast and the type are left out. Give calibration data "
            "as integers: they stand for the same numbers."
        ),
    ),
    "EQ0235": (
        "A border is no tensor",
        "Sequences, maps and optional values have no fixed size. Export the model with tensors as inputs and outputs.",
    ),
    "EQ0240": (
        "The integer graph cannot be read",
        "graph.json or graph.npz is damaged or of another version. Compile the model again.",
    ),
    "EQ0241": (
        "onnxruntime refuses the model",
        "It is the truth for float accuracy; what it cannot load is not valid. Its own words are in the message.",
    ),
    "EQ0242": ("No value of that name", "A tensor was asked for by a name that the model does not have."),
    "EQ0243": (
        "onnxruntime cannot run the model",
        "An input is missing or has another shape or type. Compare the data file with the model's inputs.",
    ),
    "EQ0244": (
        "Too much memory",
        (
            "A command may use a stated amount of memory, by default 768 MiB and 16 times the model file. The message "
            "says which step needs how much. Use a smaller model, or raise --max-memory."
        ),
    ),
    "EQ0245": (
        "Too much time",
        "A command may take a stated time, by default 1800 s. Use a smaller model or less data, or --max-seconds.",
    ),
    "EQ0246": (
        "Too much input",
        (
            "A command may read a stated number of bytes, by default 4 GiB, counted as they are when unpacked. Give "
            "fewer samples, or raise --max-read."
        ),
    ),
    "EQ0247": (
        "A file of the compiled folder was changed",
        "The manifest lists what compile wrote, with digests; commands read nothing else. Compile the model again.",
    ),
    "EQ0250": (
        "Operators without quantization",
        "In a QDQ model every result needs a QuantizeLinear behind it. Give --data, or export again.",
    ),
    "EQ0251": (
        "A model input is not quantized",
        "A QDQ model quantizes each input before it is used. Quantize it again.",
    ),
    "EQ0252": (
        "Operators on integers",
        "QLinearConv and its kin are another format: export QDQ (quant_format=QuantFormat.QDQ in onnxruntime).",
    ),
    "EQ0253": (
        "Bad quantization parameters",
        "Scales are constant, finite and positive, zero points constant. Quantize the model again.",
    ),
    "EQ0254": (
        "Activation quantized per channel",
        "Activations have one scale and zero point; only weights may be per channel. Change the quantizer's options.",
    ),
    "EQ0255": (
        "Quantized to another type",
        "Activations and weights are int8 or uint8, biases int32; no blocks. Change the quantizer's options.",
    ),
    "EQ0256": ("Scales differ", "A DequantizeLinear reads another scale or zero point than its QuantizeLinear wrote."),
    "EQ0257": ("Integers outside quantization", "Between QuantizeLinear and DequantizeLinear only layout may change."),
    "EQ0258": (
        "An input or output is uint8",
        (
            "The generated C computes on int8: its inputs and outputs are the model's numbers less 128, which flips "
            "the top bit of each byte. `emulate` and `eval` take and give uint8, as the model declares."
        ),
    ),
    "EQ0259": (
        "A constant is quantized in blocks",
        "Weights have one scale for all or one per output channel. Quantize without blocks.",
    ),
    "EQ0261": (
        "Scales do not fit their tensor",
        "One scale and zero point for all, or one for each index of the axis. Quantize the model again.",
    ),
    "EQ0262": ("A scale is too large", "Scale times integer must be a float32. Look at the range of the tensor named."),
    "EQ0263": (
        "A variance is not positive",
        "A BatchNormalization divides by the root of it. Training diverged, or the export is at fault.",
    ),
    "EQ0264": (
        "An input that nothing reads",
        "The firmware has no place for it; calibration data names it all the same. Leave it out of the export.",
    ),
    "EQ0301": ("Not a standard operator", "Operators of other domains have no defined meaning here."),
    "EQ0302": (
        "Operator not supported",
        "`edgeq ops` lists what is. The message names a replacement where one exists.",
    ),
    "EQ0303": (
        "Operand is not float32",
        "Normalized models compute in float32; indices and shapes must be constants.",
    ),
    "EQ0304": ("Empty tensor", "A dimension of size 0 computes nothing. Remove the branch."),
    "EQ0305": (
        "Second result not supported",
        "Only the operator's first result may be used. Remove what reads the second.",
    ),
    "EQ0306": (
        "Must be constant",
        "The operand is computed at run time, but decides shapes or memory. Export it as a constant.",
    ),
    "EQ0307": (
        "Rank not supported",
        "The operator is supported for the ranks named. Reshape around it in the float model.",
    ),
    "EQ0308": (
        "Bad model output",
        "Inputs and constants that are outputs are copied where they are float32. Leave others out of the outputs.",
    ),
    "EQ0309": ("A constant is not a number", "A weight holds NaN or infinity: training diverged, or export failed."),
    "EQ0310": ("The model has no input", "There is nothing to run it on."),
    "EQ0311": ("A node without inputs", "It depends on no model input and could not be folded into a constant."),
    "EQ0312": ("One sample at a time", "Firmware runs batch 1; fold other uses of the first axis into another axis."),
    "EQ0313": ("Attribute not supported", "The message names the attribute and the values that are supported."),
    "EQ0314": ("MatMul not supported", "Operands need equal leading dimensions, or one constant matrix."),
    "EQ0315": ("Operands do not fit together", "Input, weight and bias contradict each other. Export the model again."),
    "EQ0330": ("No integer form", "The operator survived normalization, but has no quantized meaning."),
    "EQ0331": ("Not a constant", "A weight or bias is computed at run time. Export the model with constant weights."),
    "EQ0332": ("The float model fails on the data", "It computes NaN or infinity: check the preprocessing."),
    "EQ0350": (
        "A value is not quantized",
        "Every activation needs its QuantizeLinear; quantize the float model again.",
    ),
    "EQ0351": ("Not a quantized constant", "Weights are int8 and biases int32 initializers behind DequantizeLinear."),
    "EQ0352": ("Computed at run time", "What decides shapes or memory must be constant. Export it as a constant."),
    "EQ0353": (
        "An accumulator can leave int32",
        "For the worst possible input a sum would overflow. A larger output scale or a split layer avoids it.",
    ),
    "EQ0354": ("A Slice runs backwards", "Only positive steps are supported. Reverse the data outside the model."),
    "EQ0355": ("No integer form", "`edgeq ops` lists the operators that have one."),
    "EQ0356": ("Activation quantized per channel", "Only weights may be per channel."),
    "EQ0357": ("A shape is not known", "Every shape must be static; see --dim."),
    "EQ0358": (
        "Scales too far apart",
        "int32 cannot hold the sum of operands that differ so much. Rescale the smaller one in the float model.",
    ),
    "EQ0359": ("Softmax row too long", "TFLite's integer softmax takes 511 elements a row; highmul has no limit."),
    "EQ0360": (
        "Attribute not implemented",
        "Lowering refuses what it does not implement; the message names the attribute and the values that it has.",
    ),
    "EQ0361": ("Rank not implemented", "The operator's integer form has one rank. Reshape around it."),
    "EQ0362": (
        "More than one sample at a time",
        "The backends run one sample; windows and images have a first axis of 1. Run the model once per sample.",
    ),
    "EQ0363": (
        "Integers of another type",
        "Lowering takes int8, uint8, and int32 for biases. Quantize the model again.",
    ),
    "EQ0380": ("No C kernel", "No kernel takes the operator with these shapes. `edgeq ops` lists the limits."),
    "EQ0381": (
        "No memory that traps unaligned loads",
        "--aligned-loads is for microcontrollers; computers allow unaligned loads. Leave the option out.",
    ),
    "EQ0385": (
        "The TVM backend cannot express an operator",
        "The message lists every such node. The C backend runs them all: leave tvm out of --backend.",
    ),
    "EQ0390": (
        "A TFLite file cannot express an operator",
        (
            "The format has its own rules for padding, ranks and clamps. The message lists every node that breaks one; "
            "leave tflite out of --backend, or change the model there."
        ),
    ),
    "EQ0391": ("A TFLite file cannot hold states", "Stateful models are for the C backend."),
    "EQ0401": (
        "Does not fit into RAM",
        (
            "The need is exact: arena, stack bound and harness. A smaller input, fewer channels in the layers at "
            "the peak, or another board helps."
        ),
    ),
    "EQ0402": ("Does not fit into flash", "Code, weights and harness are counted. Try --optimize=-Os, or prune."),
    "EQ0501": (
        "ARM compiler missing",
        (
            "For Cortex-M: apt-get install --no-install-recommends gcc-arm-none-eabi libnewlib-arm-none-eabi. For "
            "Linux on 64-bit Arm: gcc-aarch64-linux-gnu libc6-dev-arm64-cross."
        ),
    ),
    "EQ0502": ("Host compiler missing", "apt-get install --no-install-recommends gcc libc6-dev"),
    "EQ0503": ("Compilation failed", "The compiler refuses generated code. " + _DEFECT),
    "EQ0504": ("Linking failed", "The image does not link into the board's memory. " + _DEFECT),
    "EQ0505": ("A tool cannot be run", "`edgeq doctor` says what is missing and how to install it."),
    "EQ0506": ("The stack cannot be bounded", "Code with recursion or dynamic frames has no bound. " + _DEFECT),
    "EQ0507": ("Floating point in the image", "Integer-only is a promise that is checked. " + _DEFECT),
    "EQ0508": ("Instruction beyond Armv6-M", "Code for Cortex-M0 must run on Cortex-M0. " + _DEFECT),
    "EQ0509": ("Heap or printf in the model", "Generated code calls nothing of the C library. " + _DEFECT),
    "EQ0510": (
        "A tool did not finish",
        "It was stopped after its time limit. Try again when the computer is less busy.",
    ),
    "EQ0511": (
        "An image leaves out a step of the model",
        "Every step must be in the linked image and be called; a compiler that drops one is a wrong result prevented.",
    ),
    "EQ0512": (
        "TVM's module cannot be linked",
        "A C compiler links TVM's objects into the shared library for this computer; its own words are in the message.",
    ),
    "EQ0520": (
        "The emulator is missing",
        (
            "apt-get install --no-install-recommends qemu-system-arm; for programs of 64-bit Arm Linux qemu-user "
            "instead."
        ),
    ),
    "EQ0521": (
        "Host compiler missing",
        "The counting plugin is built once with it: apt-get install --no-install-recommends gcc libc6-dev",
    ),
    "EQ0522": (
        "Instructions cannot be counted",
        "The plugin needs QEMU 4.2 to 8.2. Everything else works without it.",
    ),
    "EQ0523": ("GDB missing", "apt-get install --no-install-recommends gdb-multiarch"),
    "EQ0524": ("pyOCD missing", "pip install 'pyocd>=0.36,<1' into the environment of edgeq."),
    "EQ0525": ("OpenOCD missing", "apt-get install --no-install-recommends openocd"),
    "EQ0526": ("No flasher available", "The message lists what each of the board's flashers lacks."),
    "EQ0527": ("A tool prints without end", "It was stopped. `edgeq doctor` shows which program is used."),
    "EQ0528": (
        "A tool made no file",
        "It ended as if it had succeeded. Is it the tool that its name says? `edgeq doctor` shows which one is used.",
    ),
    "EQ0530": (
        "An optional part is not installed",
        "Backends and runners that need large packages are optional. The message has the pip command for them.",
    ),
    "EQ0531": (
        "QEMU without a sandbox",
        (
            "An image in QEMU can ask for programs of this computer; QEMU's sandbox (seccomp, Linux) denies that, and "
            "edgeq runs no image without it. Distributions build QEMU with it."
        ),
    ),
    "EQ0601": ("No probe found", "Check the cable, the board's power, and the permissions of the USB device (udev)."),
    "EQ0602": ("The image faulted", "The message names the fault, the function and the sample. " + _DEFECT),
    "EQ0603": (
        "Time is up",
        "The image or tool did not finish within its limit. Run fewer samples, or free the computer.",
    ),
    "EQ0604": ("Wrong answer of the image", "The harness and this edgeq differ: compile the model again."),
    "EQ0605": ("The program failed, here or in QEMU", "It did not start or crashed. " + _DEFECT),
    "EQ0606": ("QEMU gave up", "The message has QEMU's own words."),
    "EQ0607": ("Image damaged", "Compile the model again."),
    "EQ0608": ("The board holds something else", "What was read back is not what was written. Flash again."),
    "EQ0609": ("Flashing failed", "The message has the tool's own words."),
    "EQ0610": ("The drive is not mounted", "Plug the board in, wait until its drive appears, or pass --drive PATH."),
    "EQ0611": ("Not the board's drive", "The folder lacks the file by which such boards are known, or is read-only."),
    "EQ0612": ("The board has no such flasher", "`edgeq boards --json` lists each board's flashers."),
    "EQ0613": ("No GDB server", "Start one (QEMU with -gdb, OpenOCD, pyocd gdbserver) or pass --server HOST:PORT."),
    "EQ0621": (
        "TVM does not load the module",
        "A module belongs to one version of TVM and one kind of computer: compile the folder again here.",
    ),
    "EQ0622": ("The TVM module is not of this model", "Compile the folder again."),
    "EQ0623": ("A run of the TVM module failed", "TVM's own words are in the message."),
    "EQ0626": (
        "The interpreter does not accept the TFLite file",
        "The file was changed, or the installed LiteRT is too old for it.",
    ),
    "EQ0627": (
        "The TFLite file is not of this model",
        "A tensor is missing, or has another type or shape: compile the folder again.",
    ),
    "EQ0628": ("A TFLite run failed", "LiteRT's own words are in the message."),
    "EQ0629": (
        "The image answers without end",
        "More bytes came than its outputs have, or it printed megabytes. The image does not belong to this model.",
    ),
    "EQ0630": (
        "An image tried to run a program of this computer",
        "QEMU's sandbox stopped it. No image that edgeq builds does this; do not trust the folder it comes from.",
    ),
    "EQ0900": ("Internal error", _DEFECT),
    "EQ0901": ("The integer graph is not valid", _DEFECT),
    "EQ0902": ("The reference contradicts the graph", _DEFECT),
    "EQ0903": ("An operator got what it does not accept", _DEFECT),
    "EQ0904": ("The reference got wrong inputs", _DEFECT),
    "EQ0905": ("The memory plan is not valid", _DEFECT),
    "EQ0906": ("A TFLite file would not have the graph's bits", _DEFECT),
}
