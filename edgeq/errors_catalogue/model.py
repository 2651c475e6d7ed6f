"""EQ02xx: reading a model, its shapes, and its quantization."""

from __future__ import annotations

from typing import Final

_DEFECT = "This is a defect of edgeq, not of your model. Report it with the model or a cut-down one."

MODEL: Final[dict[str, tuple[str, str]]] = {
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
    "EQ0228": ("An input or output without a name", "Inputs and outputs need names: they become part of the manifest."),
    "EQ0229": ("Normalization broke the model", _DEFECT),
    "EQ0230": (
        "The model is quantized already",
        "It keeps its types and ranges. Compile it as it is; `edgeq quantize`, --int16 and --scheme take float models.",
    ),
    "EQ0232": (
        "A node does not fit together",
        "Its operands and attributes contradict each other: it would fail anywhere. Export the model again.",
    ),
    "EQ0233": (
        "Read as float32",
        (
            "The model computes in float16, bfloat16 or float64. Its weights, inputs and outputs become float32, and "
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
        "An input or output is no tensor",
        "Sequences, maps and optional values have no fixed size. Export the model with tensors as inputs and outputs.",
    ),
    "EQ0236": (
        "A word is an index",
        (
            "Firmware has no strings. A label that is a word in the model is the index of the word, in the order that "
            "the note lists; the application keeps the words."
        ),
    ),
    "EQ0237": (
        "A map is a tensor",
        "Scores of classes by their names are a tensor of scores in the order of the classes. Nothing to do.",
    ),
    "EQ0238": (
        "Features that feed no input",
        "Results of the features go to the model's inputs of the same names, or the one result to the one input.",
    ),
    "EQ0239": (
        "Features do not fit the model",
        (
            "What the features give has the shape and type of the input that it feeds. A Reshape, Transpose or Cast "
            "belongs into the features: `edgeq features KIND --shape`, `--bands-first`."
        ),
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
        "They are read where every scale is constant. Export QDQ (quant_format=QuantFormat.QDQ in onnxruntime).",
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
        "Activations are int8, uint8 or symmetric int16, weights int8 or uint8, biases int32; no blocks.",
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
    "EQ0265": (
        "An input states a shape that the model declares",
        (
            "Shapes of firmware are fixed: a length, a number of steps or a target shape has the one value that gives "
            "the outputs the shapes which the model declares. Export it as a constant."
        ),
    ),
    "EQ0266": (
        "A model that gives a class already",
        "--argmax has no more to do than to drop a Softmax in front of the ArgMax.",
    ),
    "EQ0268": (
        "An output without an axis of classes",
        (
            "--argmax takes the index of the largest score along the axis of a final Softmax, or along the only axis "
            "with more than one value. One score is no choice between classes: the application compares it with a "
            "threshold."
        ),
    ),
    "EQ0269": (
        "A saved calibration cannot be read",
        (
            "It is damaged, was edited, or another version of edgeq wrote it. Save it again: --save-calibration of "
            "`edgeq quantize` and `edgeq compile`."
        ),
    ),
    "EQ0270": (
        "A saved calibration is of another model or data",
        (
            "A calibration holds for one float model (with its --dim), one edgeq and the contents of one data file, "
            "which it names by their SHA-256. Leave out --calibration, or save one that fits."
        ),
    ),
    "EQ0271": (
        "A saved calibration lacks statistics",
        "The options given need statistics of tensors that those in effect when it was saved did not. Save it again.",
    ),
    "EQ0272": (
        "The calibration cannot be written",
        "The folder of --save-calibration is missing or may not be written. Choose another.",
    ),
}
