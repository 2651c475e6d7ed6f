"""EQ03xx: what can be integer, and what the backends can express."""

from __future__ import annotations

from typing import Final

OPERATORS: Final[dict[str, tuple[str, str]]] = {
    "EQ0301": ("Not a standard operator", "Operators of other domains have no defined meaning here."),
    "EQ0302": (
        "Operator not supported",
        "`edgeq ops` lists what is. The message names a replacement where one exists.",
    ),
    "EQ0303": (
        "Operands of other types",
        (
            "Each operator takes floats, which are quantized, or integers or truth values, which stay as they are, in "
            "the combinations that the message lists. `edgeq ops` lists them, too."
        ),
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
        "Inputs and constants that are outputs are copied: float32, integers of 8 to 64 bits, bool. Leave others out.",
    ),
    "EQ0309": ("A constant is not a number", "A weight holds NaN or infinity: training diverged, or export failed."),
    "EQ0310": ("The model has no input", "There is nothing to run it on."),
    "EQ0311": ("A node without inputs", "It depends on no model input and could not be folded into a constant."),
    "EQ0312": ("One sample at a time", "Firmware runs batch 1; fold other uses of the first axis into another axis."),
    "EQ0313": ("Attribute not supported", "The message names the attribute and the values that are supported."),
    "EQ0314": ("MatMul not supported", "Operands need equal leading dimensions, or one constant matrix."),
    "EQ0315": ("Operands do not fit together", "Input, weight and bias contradict each other. Export the model again."),
    "EQ0316": (
        "No form in software float",
        (
            "--allow-float takes mathematical functions, arithmetic, comparisons, products of matrices, reductions, "
            "Softmax and normalizations of float32, and what moves values between them. Leave other nodes out of it."
        ),
    ),
    "EQ0317": (
        "Nodes in software float",
        (
            "What --allow-float names is computed in float32 by library routines of integer instructions: tens to "
            "thousands of instructions an operation. `edgeq profile` shows how many. All else is integer."
        ),
    ),
    "EQ0330": ("No integer form", "The operator survived normalization, but has no quantized meaning."),
    "EQ0331": ("Not a constant", "A weight or bias is computed at run time. Export the model with constant weights."),
    "EQ0332": ("The float model fails on the data", "It computes NaN or infinity: check the preprocessing."),
    "EQ0340": (
        "The model's states cannot be read",
        "A quantized model carries them as an entry of its metadata, which was edited. Quantize the model again.",
    ),
    "EQ0341": ("No input would be left", "A time step is run on an input; what is carried on by itself is none."),
    "EQ0342": (
        "A layer is not causal",
        (
            "What it gives at a frame depends on later ones: padding behind time, or a recurrent layer that runs "
            "backwards. A step cannot know them. Train the model causally, with all padding in front of time, or "
            "without padding along time."
        ),
    ),
    "EQ0343": (
        "A node has no step form",
        (
            "Layers that slide over time, recurrent layers, and whatever works on each frame alone have one; so have "
            "means and dense layers over the whole window. Attention over time, resampling of time and constants that "
            "belong to one position of the window have none."
        ),
    ),
    "EQ0344": (
        "The axis of time is not determined",
        (
            "It is the axis of recurrent layers, or the only one along which every layer can slide. Where there are "
            "several, say which: --axis INPUT:AXIS."
        ),
    ),
    "EQ0345": (
        "Steps may differ from the window in the last bit",
        (
            "An LSTM keeps its cells in int32 within a window; between steps they are int16, as all states of "
            "recurrent layers. Everything else gives the same bits."
        ),
    ),
    "EQ0346": (
        "The model is a step form already",
        "It has states: outputs that the next step reads as inputs. `edgeq compile` keeps them as they are.",
    ),
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
        "Lowering takes int8, uint8 and int16, and int32 for biases. Quantize the model again.",
    ),
    "EQ0364": (
        "No int16 in this arithmetic",
        "highmul has formulas of all operators for int16, tflite of all but functions by table, tflm of none.",
    ),
    "EQ0365": (
        "A function of int16 is interpolated",
        (
            "A table of all 65 536 results would take 128 KB, so there are 513, and lines between them. The note "
            "states how far the lines are from the function where that is more than rounding."
        ),
    ),
    "EQ0366": (
        "Integers beyond int32 are cast to float",
        (
            "A Cast to float32 reads int32, exactly. What is larger is taken for the nearest int32, as long as the "
            "scale of the result is too small to tell the difference; else the Cast is refused."
        ),
    ),
    "EQ0370": (
        "Thresholds of a forest coincide",
        (
            "All features share the scale of the input. Those of a small range beside one of a large range have few "
            "integers, and several thresholds become one. Give features similar ranges before training."
        ),
    ),
    "EQ0380": ("No C kernel", "No kernel takes the operator with these shapes. `edgeq ops` lists the limits."),
    "EQ0381": (
        "No memory that traps unaligned loads",
        "--aligned-loads is for microcontrollers; computers allow unaligned loads. Leave the option out.",
    ),
    "EQ0382": (
        "A layer has no kernel for the core",
        (
            "--require-optimized refuses layers with a hundredth of the work or more that run in portable C alone. The "
            "bits are the same without the option; the layer is slower than others of its size."
        ),
    ),
    "EQ0383": (
        "A kernel cannot run the node that it is asked for",
        (
            "--kernel forces a kernel, but not where its shapes, types or bounds do not hold: the message has the "
            "reason, and the other candidates."
        ),
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
    "EQ0391": (
        "No states here",
        (
            "Models with states are for the C backend, native and in QEMU. With --no-state they stay inputs and "
            "outputs, which every backend has."
        ),
    ),
}
