"""What to do about an operator that edgeq does not take: a table by meaning for every operator of ONNX.

A hint says what computes the same, or close enough, with operators that are taken, or where the work belongs instead.
It never goes by spelling: that is for names which are no operator at all.
"""

from __future__ import annotations

from typing import Final

from edgeq.ops.base import ML_DOMAIN

UNSUPPORTED: Final = "this operator is not supported"

_APPLICATION: Final = "leave it out of the model and do it in the application"
_INTEGER_FORM: Final = "export the QDQ format: in onnxruntime, quantize with quant_format=QuantFormat.QDQ"
_BRANCH: Final = "its condition must be constant, or both branches give tensors of the same type and static shape"
_STATIC: Final = (
    "numbers of steps must be constant, 20 000 operators in all: torch.export writes out loops of fixed length"
)
_RECURRENT: Final = "export it as the operators that it consists of, or use LSTM, GRU or a convolution over time"
_TRAINING: Final = "it belongs to training: export the model in inference mode, without the loss"
_RANDOM: Final = "random numbers have no place in firmware: export the model in inference mode"
_BITS: Final = "reinterpreted bits have no integer form here: do it in the application"
_TEXT: Final = "text is prepared in the application: let the model begin at the numbers"
_SEQUENCE: Final = "sequences and optional values have no place in static memory: give and take tensors of fixed shape"
_WINDOW: Final = "its length must be constant, or follow from the declared shape of an output"
_INDEX: Final = "addresses that depend on data have no integer form yet: do it in the application"
_SHAPE: Final = "export the model with static shapes: then it is a constant"
_LP_POOL: Final = "the tensor must be float32, of static shape"

_BY_HINT: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (_APPLICATION, (
        "ImageDecoder", "MaxRoiPool", "Multinomial", "NonMaxSuppression", "Unique",
    )),
    (_INTEGER_FORM, ("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul")),
    (_BRANCH, ("If",)),
    (_STATIC, ("Loop", "Scan")),
    (_RECURRENT, ("CausalConvWithState", "LinearAttention")),
    (_TRAINING, ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")),
    (_RANDOM, ("Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")),
    (_BITS, ("BitCast",)),
    (_TEXT, ("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer")),
    (_SEQUENCE, (
        "ConcatFromSequence", "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceAt", "SequenceConstruct",
        "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence",
    )),
    (_WINDOW, ("BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix")),
    (_INDEX, (
        "Compress", "NonZero", "Scatter",
    )),
    (_SHAPE, ("ConstantOfShape", "EyeLike", "Range", "Shape", "Size")),
)  # fmt: skip

_SINGLE: Final = {
    "IsInf": "values of firmware are finite: only tensors of float32 can be asked",
    "IsNaN": "values of firmware are numbers: only tensors of float32 can be asked",
    "AffineGrid": "its size must be constant, and more than one pixel along each axis where corners are aligned",
    "Attention": "the tensors must be float32; scores behind a mask, the fourth result in mode 2, are infinite",
    "BatchNormalization": "make its parameters constants, each variance positive; in training: model.eval() first",
    "CastLike": "write it as a Cast to FLOAT, BOOL, or integers of 8 to 64 bits",
    "CenterCropPad": "the tensor must be float32, and the wanted shape constant",
    "Constant": "store it as an initializer",
    "Col2Im": "the shapes of image and blocks must be constant",
    "ConvTranspose": "its weight must be constant, over at most three dimensions",
    "CumProd": "only running products of at most 32 numbers along a constant axis are supported",
    "DFT": "its length and axis must be constant, samples times frequencies at most 2^20; onesided ones are "
    "of real samples, or inverse ones of complex numbers",
    "DepthToSpace": "only images of rank 4 can be rearranged",
    "DeformConv": "weights, offsets and mask must be constant, for one image; pixels times samples: at most 262 144",
    "Det": "only matrices of at most three rows have a form in firmware: compute it in the application",
    "Dropout": "export the model in inference mode: call model.eval() first",
    "DynamicQuantizeLinear": "quantize statically: dynamic scales need floating point on the device",
    "Einsum": "the tensors must be float32",
    "Expand": "expand a constant, or expand to a constant shape",
    "GlobalLpPool": _LP_POOL,
    "GridSample": "the grid must be constant, for one image; pixels before times pixels behind: at most 262 144",
    "Hardmax": "the tensor must be float32",
    "LogSoftmax": "the tensor must be float32",
    "LpPool": _LP_POOL,
    "LRN": "the tensor must be float32, with channels in axis 1",
    "MeanVarianceNormalization": "the tensor must be float32",
    "MaxUnpool": "its output must have the shape that its kernel, strides and pads give: runtimes disagree on others",
    "Mean": "only tensors of float32 can be averaged",
    "ReduceProd": "only products of at most 32 numbers, over constant axes, are supported: multiply the slices",
    "RoiAlign": "the regions must be constant, averaged, of one image; pixels times points: at most 262 144",
    "RotaryEmbedding": "the tensors must be float32",
    "ReverseSequence": "the lengths must be constant",
    "STFT": "its step, window and length must be constant, the signal real with batch 1, and the length times "
    "frequencies at most 2^20",
    "SpaceToDepth": "only images of rank 4 can be rearranged",
    "Split": "the sizes of the parts must be constant",
    "Sum": "only tensors of float32 can be added",
    "SwiGLU": "the tensors must be float32",
    "TensorScatter": "its axis must be the second, third or fourth",
    "Tile": "repeat by constant numbers",
    "Trilu": "the diagonal must be constant, and the tensor of float32 or integers",
    "Upsample": "use Resize, to the nearest neighbour and by whole factors",
}

HINTS: Final = _SINGLE | {name: hint for hint, names in _BY_HINT for name in names}
"""Hint by the name of an ONNX operator that has no integer form of its own."""

_SOMETIMES: Final = frozenset(
    {
        "AffineGrid", "Attention", "BatchNormalization", "BlackmanWindow", "CastLike", "CenterCropPad", "Col2Im",
        "Constant", "ConstantOfShape", "ConvTranspose", "CumProd", "DFT", "DeformConv", "DepthToSpace", "Det",
        "Dropout", "DynamicQuantizeLinear", "Einsum", "Expand", "EyeLike", "GlobalLpPool", "GridSample",
        "HammingWindow", "HannWindow", "Hardmax", "If", "IsInf", "IsNaN", "LRN", "LogSoftmax", "Loop", "LpPool",
        "MaxUnpool", "Mean", "MeanVarianceNormalization", "MelWeightMatrix", "Range", "ReduceProd", "ReverseSequence",
        "RoiAlign", "RotaryEmbedding", "STFT", "Scan", "Shape", "Size", "SpaceToDepth", "Split", "Sum", "SwiGLU",
        "TensorScatter", "Tile", "Trilu", "Upsample",
    }
)  # fmt: skip
NEVER: Final = frozenset(HINTS) - _SOMETIMES
"""Operators that no rewriting turns into others; only where all of their operands are constant do they disappear."""

_WORDS: Final = "look words up in the application: let the model begin and end at numbers"
_ML: Final = {
    "CastMap": "give the model a tensor of features instead of a map",
    "CategoryMapper": _WORDS,
    "DictVectorizer": "give the model a tensor of features instead of a map",
    "ZipMap": "export with options={id(model): {'zipmap': False}} in skl2onnx, or zipmap=False: then probabilities are "
    "a tensor",
}
_ML_OTHER: Final = "give it operands of static shape, outside of If, Loop and Scan"
FOREIGN: Final = "export the model with standard operators only, without runtime-specific optimization"


def hint_for(domain: str, op_type: str) -> str | None:
    """What to do about an operator of some domain, by its meaning; None where it is no operator of ONNX's."""
    if domain in ("", "ai.onnx"):
        return HINTS.get(op_type)
    if domain == ML_DOMAIN:
        return _ML.get(op_type, _ML_OTHER)
    return _INTEGER_FORM if op_type.startswith("QLinear") or op_type == "QGemm" else FOREIGN
