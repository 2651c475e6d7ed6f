"""EQ03xx: what can be integer, and what the backends can express."""

from __future__ import annotations

from typing import Final

from edgeq.errors_examples.example import Example

OPERATORS: Final[dict[str, Example]] = {
    "EQ0301": Example(
        "session_options.optimized_model_filepath = 'kws.onnx'    (holds com.microsoft.FusedConv)",
        "torch.onnx.export(model, x, 'kws.onnx', opset_version=17)",
    ),
    "EQ0302": Example("y = LogSoftmax(x)", "y = x    (the class with the largest value is the same)"),
    "EQ0303": Example("y = ReduceMean(x) of int64", "y = ReduceMean(Cast(x, to=float32))"),
    "EQ0304": Example("x: float32[1, 0, 32]", "x: float32[1, 3, 32]"),
    "EQ0305": Example("y, indices = MaxPool(x), both used", "y, _ = MaxPool(x)"),
    "EQ0306": Example("Reshape(x, shape computed at run time)", "Reshape(x, [1, 490])"),
    "EQ0307": Example("MaxPool(x) of x: float32[1, 8, 4, 16, 16]", "MaxPool(x) of x: float32[1, 32, 16, 16]"),
    "EQ0308": Example("outputs: y and the constant scale uint4[2]", "outputs: y"),
    "EQ0309": Example("an initializer that holds NaN", "the checkpoint of an epoch before training diverged"),
    "EQ0310": Example("a graph without inputs", "a graph with the input x"),
    "EQ0311": Example("RandomNormal() + x", "x + a constant"),
    "EQ0312": Example("x: float32[8, 3, 32, 32]", "x: float32[1, 3, 32, 32]"),
    "EQ0313": Example("Pad(x, mode='reflect')", "Pad(x, mode='constant')"),
    "EQ0314": Example(
        "MatMul of [1, 4, 8, 16] and a constant [1, 4, 16, 8]", "one MatMul for each of the 4 matrices, and Concat"
    ),
    "EQ0315": Example("Conv of 8 output channels with a bias of 4 values", "Conv of 8 output channels and 8 biases"),
    "EQ0316": Example(
        "edgeq compile net.onnx --allow-float /gru/GRU ...", "edgeq compile net.onnx --allow-float /head/Sqrt ..."
    ),
    "EQ0317": Example(
        "edgeq compile net.onnx --allow-float '*' ...    (every node)",
        "edgeq compile net.onnx --allow-float /head/Sqrt ...    (where it matters)",
    ),
    "EQ0330": Example("an operator without integer form in a QDQ model", "`edgeq ops` lists those that have one"),
    "EQ0331": Example("Conv(x, weight computed from another input)", "Conv(x, weight) with an initializer"),
    "EQ0332": Example("Log(x) on samples that hold zeros", "Log(Clip(x, 1e-6)) on the same samples"),
    "EQ0340": Example('metadata_props: edgeq_states = "h"', 'metadata_props: edgeq_states = [["h", "h_out"]]'),
    "EQ0341": Example(
        "edgeq compile rnn.onnx --state y=x ...    (x is the only input)", "edgeq compile rnn.onnx --state h_out=h ..."
    ),
    "EQ0342": Example(
        "Conv(x, kernel 3, pads [1, 1] along time)    edgeq stream kws.onnx -o step.onnx",
        "Conv(x, kernel 3, pads [2, 0] along time)    edgeq stream kws.onnx -o step.onnx",
    ),
    "EQ0343": Example("Softmax(MatMul(q, transpose(k))) over all frames", "Conv(x, kernel 3, pads [2, 0] along time)"),
    "EQ0344": Example(
        "edgeq stream image.onnx -o step.onnx    (both axes could be time)",
        "edgeq stream image.onnx -o step.onnx --axis x:2",
    ),
    "EQ0345": Example(
        "edgeq stream lstm.qdq.onnx -o step.onnx    (cells are rounded between steps)",
        "edgeq stream gru.qdq.onnx -o step.onnx",
    ),
    "EQ0346": Example("edgeq stream step.onnx -o again.onnx", "edgeq compile step.onnx --board native -o build/kws"),
    "EQ0350": Example(
        "y = Conv(x, w), without QuantizeLinear behind it", "y = DequantizeLinear(QuantizeLinear(Conv(x, w)))"
    ),
    "EQ0351": Example("Conv(x, float32 weight) in a QDQ model", "Conv(x, DequantizeLinear(int8 weight))"),
    "EQ0352": Example("Slice(x, starts computed at run time)", "Slice(x, starts=[1])"),
    "EQ0353": Example(
        "MatMul over 200000 elements of full range in one sum", "two MatMul over 100000 elements each, and Add"
    ),
    "EQ0354": Example("x[:, ::-1] inside the model", "x reversed before it is given to the model"),
    "EQ0355": Example("an operator without integer form in a QDQ model", "`edgeq ops` lists those that have one"),
    "EQ0356": Example(
        "QuantizeLinear(x, scale of 3 values, axis 1) on an activation", "QuantizeLinear(x, one scale) on an activation"
    ),
    "EQ0357": Example("x: float32[1, time, 40]", "edgeq check kws.onnx --dim time=98"),
    "EQ0358": Example(
        "Add(a of scale 1e9, b of scale 1e-9)", "Add(a, b) after calibration with data that exercises both"
    ),
    "EQ0359": Example(
        "edgeq compile big.onnx --requantize tflite ...    (Softmax over 1000 classes)", "edgeq compile big.onnx ..."
    ),
    "EQ0360": Example("a QDQ model with Pad(mode='reflect')", "a QDQ model with Pad(mode='constant')"),
    "EQ0361": Example("Conv over x: float32[1, 3, 8, 8, 8]", "Conv over x: float32[1, 24, 8, 8]"),
    "EQ0362": Example("torch.onnx.export(model, torch.zeros(8, 3, 32, 32), ...)", "... torch.zeros(1, 3, 32, 32) ..."),
    "EQ0363": Example("a QDQ model with uint16 activations", "a QDQ model with int16 activations"),
    "EQ0364": Example(
        "edgeq compile kws.onnx --scheme w8a16 --requantize tflm ...", "edgeq compile kws.onnx --scheme w8a16 ..."
    ),
    "EQ0365": Example("Floor(x) of an int16 x that spans 256 whole numbers", "--int16 for other tensors than x"),
    "EQ0366": Example("Cast(x, to=float32) of int64 microseconds since 1970", "Cast(x - start, to=float32)"),
    "EQ0370": Example(
        "RandomForestClassifier().fit(x, y)    (x of pressures near 100000 and currents near 0.001)",
        "RandomForestClassifier().fit(x / x.std(axis=0), y)    (the application scales x in the same way)",
    ),
    "EQ0380": Example("an operator beyond the limits that `edgeq ops` lists", "the same operator within them"),
    "EQ0381": Example(
        "edgeq compile kws.onnx --board native --aligned-loads ...", "edgeq compile kws.onnx --board native ..."
    ),
    "EQ0382": Example(
        "edgeq compile net.onnx --board native --require-optimized ...",
        "edgeq compile net.onnx --board mps2-an386 --require-optimized ...",
    ),
    "EQ0383": Example(
        "--kernel conv1=eq_conv2d_winograd_s8    (conv1 has a stride of 2)", "--kernel conv1=eq_conv2d_triple_s8"
    ),
    "EQ0385": Example("edgeq compile kws.onnx --backend c,tvm ...", "edgeq compile kws.onnx --backend c ..."),
    "EQ0390": Example("edgeq compile kws.onnx --backend c,tflite ...", "edgeq compile kws.onnx --backend c ..."),
    "EQ0391": Example(
        "edgeq compile stateful.onnx --backend tflite ...", "edgeq compile stateful.onnx --backend c ..."
    ),
}
