"""EQ01xx: the command line, data files, boards and targets."""

from __future__ import annotations

from typing import Final

_DEFECT = "This is a defect of edgeq, not of your model. Report it with the model or a cut-down one."

USAGE: Final[dict[str, tuple[str, str]]] = {
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
    "EQ0115": ("A sample is not a number", "No integer stands for NaN or infinity. Clean the data."),
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
    "EQ0143": (
        "An integer is out of range",
        (
            "An integer has the range of its type, and an index tells apart as many elements as its table has (from "
            "the end where it is negative). The message states the range of the input."
        ),
    ),
    "EQ0145": (
        "A state that the model does not have",
        "`--state OUT=IN` names an output of the model and the input that reads it in the next time step.",
    ),
    "EQ0146": (
        "The two sides of a state differ",
        (
            "What an output holds is what the input reads in the next time step, so both have one shape and one type. "
            "Name another pair, or make the model's output like its input."
        ),
    ),
    "EQ0147": ("Two outputs for one state", "In the next time step an input can read one output only."),
    "EQ0148": (
        "Sequences of different lengths",
        "In one time step all inputs of a model with states are read: their arrays have equally many time steps.",
    ),
    "EQ0149": (
        "Outputs are taken as states by their names",
        (
            "An output named like an input (`h` and `h_out`) and of its shape and type is what the input reads in the "
            "next time step, unless the data has an array for the input. `--no-state` leaves both what they are."
        ),
    ),
    "EQ0150": (
        "Features that cannot be",
        "Frames fit the signal, transforms the frames, bands the spectrum, and the shape what is computed.",
    ),
    "EQ0151": (
        "The axis of time does not exist",
        "--axis INPUT:AXIS names an input of the model and one of its axes, from 0 on, or from the end with a minus.",
    ),
    "EQ0152": (
        "The hop does not fit the model",
        (
            "A layer of stride 2 over time needs two frames for each result: a step takes a multiple of the product of "
            "such strides, which `edgeq stream` without --hop takes."
        ),
    ),
    "EQ0153": (
        "No such node",
        "--allow-float takes names of nodes of the float model that compute with floats, or patterns of them.",
    ),
    "EQ0154": (
        "Which output has the scores",
        "A class is taken of one output. Where the model has several, --argmax-output names it; states do not count.",
    ),
    "EQ0155": (
        "No such step",
        (
            "--kernel and the file of --kernels name nodes of the ONNX model, or steps as the manifest does; the "
            "message lists them. A node that was folded away is no step; a file of --kernels belongs to one model."
        ),
    ),
    "EQ0156": (
        "No such kernel",
        "The message lists the kernels of the operator, and why those in brackets refuse the node.",
    ),
    "EQ0157": (
        "The file of kernels cannot be read",
        "--kernels takes what `edgeq tune` wrote: JSON with the kernels by node.",
    ),
    "EQ0158": (
        "Nothing counts instructions",
        "`edgeq tune` counts in QEMU's machines, through a plugin. Take a board that `edgeq boards` shows with one.",
    ),
    "EQ0159": (
        "No such place for a tensor",
        (
            "--memory and --place name memories of the board, `ram` and those of `edgeq boards --json`; --place names "
            "tensors between two steps. Inputs, outputs and states stay in the RAM: the application, and DMA that may "
            "not reach other memories, read and write them."
        ),
    ),
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
    "EQ0179": (
        "No such tensor",
        "--int16 takes names of quantized tensors of the normalized model, patterns of them, or `input`.",
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
    "EQ0187": (
        "An option of a backend that is not asked for",
        "Kernels, bands of rows and memories are chosen by the C backend; `--backend` must name it, or leave them out.",
    ),
    "EQ0193": (
        "An argument of the Python API is of another kind",
        (
            "Models are a path, bytes or an onnx.ModelProto; data is a path, an array, a dict of arrays or an iterable "
            "of samples of one shape, samples on axis 0; `help(edgeq.compile)` lists the choices of every option."
        ),
    ),
}
