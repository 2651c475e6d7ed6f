"""EQ02xx: reading a model, its shapes, and its quantization."""

from __future__ import annotations

from typing import Final

from edgeq.errors_examples.example import Example

_EXPORT = "torch.onnx.export(model, x, 'kws.onnx', opset_version=17)"
_STATIC = "quantize_static('kws.onnx', 'kws.qdq.onnx', reader, quant_format=QuantFormat.QDQ)"

MODEL: Final[dict[str, Example]] = {
    "EQ0201": Example("edgeq check kws.onx", "edgeq check kws.onnx"),
    "EQ0202": Example("edgeq check llama-7b.onnx", "edgeq check kws.onnx"),
    "EQ0203": Example("edgeq check kws.pt", f"{_EXPORT}; edgeq check kws.onnx"),
    "EQ0204": Example("head -c 100000 kws.onnx > half.onnx; edgeq check half.onnx", "edgeq check kws.onnx"),
    "EQ0205": Example(
        "cp export/kws.onnx . && edgeq check kws.onnx",
        "cp export/kws.onnx export/kws.onnx.data . && edgeq check kws.onnx",
    ),
    "EQ0206": Example(
        "graph.sparse_initializer.append(sparse_weight)",
        "graph.initializer.append(onnx.numpy_helper.from_array(dense_weight, 'weight'))",
    ),
    "EQ0207": Example("x: float32[1, 3, 100000000, 4]", "x: float32[1, 3, 224, 224]"),
    "EQ0208": Example(
        "a loop of 100000 steps that was unrolled at export", "the body of the loop as a model of its own"
    ),
    "EQ0209": Example("If nodes inside If nodes, ten levels deep", "the branch that firmware needs, exported alone"),
    "EQ0210": Example("dims: 16, 16 with 1020 bytes of raw_data", "dims: 16, 16 with 1024 bytes of raw_data"),
    "EQ0211": Example("a local function Block whose body calls Block", "onnx.inliner.inline_local_functions(model)"),
    "EQ0212": Example("torch.onnx.export(model, x, 'kws.onnx', training=TrainingMode.TRAINING)", _EXPORT),
    "EQ0213": Example("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python edgeq check kws.onnx", "edgeq check kws.onnx"),
    "EQ0214": Example("opset_import of 99", "opset_import of 17"),
    "EQ0215": Example(
        "edgeq quantize kws.onnx --data calib.npz -o /usr/kws.qdq.onnx    (as an ordinary user)",
        "edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx",
    ),
    "EQ0216": Example("torch.onnx.export(model, x, 'kws.onnx', opset_version=6)", _EXPORT),
    "EQ0217": Example("Cast(x, round_mode='down') of opset 25", "torch.onnx.export(..., opset_version=21)"),
    "EQ0218": Example("opset 9 with an operator that ONNX's converter cannot convert", _EXPORT),
    "EQ0219": Example("a node of type Relu7", "a node of type Relu"),
    "EQ0220": Example("Reshape(x, shape) with a shape that depends on data", "Reshape(x, [1, 490])"),
    "EQ0221": Example(
        "a model on which rewriting does not end (a defect of edgeq)", "the same model, reported and mended"
    ),
    "EQ0222": Example("edgeq check kws.onnx    (x: float32[1, time, 40])", "edgeq check kws.onnx --dim time=98"),
    "EQ0223": Example("edgeq check kws.onnx --dim length=98", "edgeq check kws.onnx --dim time=98"),
    "EQ0224": Example(
        "helper.make_tensor_value_info('x', TensorProto.FLOAT, None)",
        "helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 3, 32, 32])",
    ),
    "EQ0225": Example("MatMul of [1, 64] and [32, 10]", "MatMul of [1, 64] and [64, 10]"),
    "EQ0226": Example("NonZero(x)", "Mul(x, mask), where the mask has x's shape"),
    "EQ0227": Example("Gather(constant of 4 rows, index 7)", "Gather(constant of 4 rows, index 3)"),
    "EQ0228": Example("graph.input[0].name == ''", "graph.input[0].name == 'x'"),
    "EQ0229": Example(
        "a model whose shapes rewriting changed (a defect of edgeq)", "the same model, reported and mended"
    ),
    "EQ0230": Example(
        "edgeq quantize kws.qdq.onnx --data calib.npz -o again.onnx",
        "edgeq compile kws.qdq.onnx --board microbit-v2 -o build/kws",
    ),
    "EQ0232": Example("Conv with 3 input channels and weights for 4", "Conv with 3 input channels and weights for 3"),
    "EQ0233": Example("model.half(); torch.onnx.export(model, …)", "model.float(); torch.onnx.export(model, …)"),
    "EQ0234": Example("Cast(x, to=FLOAT) of the input x: uint8[1, 28, 28]", "x: float32[1, 28, 28]"),
    "EQ0235": Example("output probabilities: sequence(map(int64, float32))", "output probabilities: float32[1, 10]"),
    "EQ0236": Example("LogisticRegression().fit(x, ['cat', 'dog', 'cat'])", "LogisticRegression().fit(x, [0, 1, 0])"),
    "EQ0237": Example(
        "to_onnx(model, x)", "to_onnx(model, x, options={id(model): {'zipmap': False}})    (the same scores)"
    ),
    "EQ0238": Example(
        "--features f.onnx    (results mfcc, energy; the model's inputs: spectrum, pitch)",
        "edgeq features mfcc --result spectrum -o f.onnx",
    ),
    "EQ0239": Example(
        "edgeq features mfcc -o f.onnx    (result [1, 49, 10]; the model's input is [1, 49, 10, 1])",
        "edgeq features mfcc --shape 1,49,10,1 -o f.onnx",
    ),
    "EQ0240": Example("build/kws/graph.json, edited by hand", "build/kws/graph.json, as edgeq compile wrote it"),
    "EQ0241": Example("Relu(x) of strings", "Relu(x) of float32"),
    "EQ0242": Example("the value conv_9 of a model with eight layers", "the value conv_8"),
    "EQ0243": Example("x of shape [1, 40, 98] where the model wants [1, 98, 40]", "x of shape [1, 98, 40]"),
    "EQ0244": Example("y = Relu(x)    (x is [1, 64, 1024, 1024])", "y = Relu(x)    (x is [1, 64, 64, 64])"),
    "EQ0245": Example(
        "edgeq quantize kws.onnx --data calib.npz -o q.onnx --max-seconds 1",
        "edgeq quantize kws.onnx --data calib.npz -o q.onnx",
    ),
    "EQ0246": Example(
        "edgeq quantize kws.onnx --data all_training_data.npz -o q.onnx    (5 GiB)",
        "edgeq quantize kws.onnx --data calib.npz -o q.onnx    (a few hundred samples)",
    ),
    "EQ0247": Example(
        "truncate -s 100 build/kws/graph.npz", "edgeq compile kws.qdq.onnx --board microbit-v2 -o build/kws"
    ),
    "EQ0250": Example(
        "edgeq compile partly.qdq.onnx --board microbit-v2 -o build/kws",
        "edgeq compile partly.qdq.onnx --data calib.npz --board microbit-v2 -o build/kws",
    ),
    "EQ0251": Example(
        "y = Relu(x)    (x is a float input of a QDQ model)", "y = Relu(DequantizeLinear(QuantizeLinear(x)))"
    ),
    "EQ0252": Example("y = MatMulInteger(x, w)    (int32, multiplied by no scale)", _STATIC),
    "EQ0253": Example("QuantizeLinear(x, scale 0)", "QuantizeLinear(x, scale 0.05)"),
    "EQ0254": Example(
        "QuantizeLinear(x, scale of 3 values, axis 1) on an activation", "QuantizeLinear(x, one scale) on an activation"
    ),
    "EQ0255": Example(
        "quantize_static(..., activation_type=QuantType.QUInt16)",
        "quantize_static(..., activation_type=QuantType.QInt16, extra_options={'ActivationSymmetric': True})",
    ),
    "EQ0256": Example(
        "DequantizeLinear(QuantizeLinear(x, 0.05), 0.1)", "DequantizeLinear(QuantizeLinear(x, 0.05), 0.05)"
    ),
    "EQ0257": Example("Relu(QuantizeLinear(x))", "Relu(DequantizeLinear(QuantizeLinear(x)))"),
    "EQ0258": Example(
        "memcpy(arena + NET_INPUT_0_OFFSET, pixels, sizeof pixels);    (x: uint8[1, 3, 32, 32])",
        "for (i = 0; i < sizeof pixels; i++) input[i] = (int8_t)(pixels[i] - 128);",
    ),
    "EQ0259": Example("DequantizeLinear(weight, block_size=32)", "DequantizeLinear(weight, axis=0)"),
    "EQ0261": Example("DequantizeLinear(w: int8[16, 3, 3, 3], scale: float32[3])", "... scale: float32[16], axis=0"),
    "EQ0262": Example("QuantizeLinear(x, scale=3e38)", "QuantizeLinear(x, scale=0.05)"),
    "EQ0263": Example("BatchNormalization(x, ..., var=-1)", "BatchNormalization(x, ..., var=0.9)"),
    "EQ0264": Example("def forward(self, x, unused): return self.net(x)", "def forward(self, x): return self.net(x)"),
    "EQ0265": Example(
        "def forward(self, x, size): return x.reshape(size)", "def forward(self, x): return x.reshape(1, 40)"
    ),
    "EQ0266": Example("--argmax    (the model ends in ArgMax)", "the same without --argmax"),
    "EQ0268": Example(
        "--argmax    (output score: float32[1, 1])", "the application compares the score with its threshold"
    ),
    "EQ0269": Example("--calibration calib.npz", "--calibration kws.calibration.npz"),
    "EQ0270": Example(
        "edgeq compile vww.onnx --data vww.npz --calibration kws.calibration.npz ...",
        "edgeq compile kws.onnx --data kws.npz --calibration kws.calibration.npz ...",
    ),
    "EQ0271": Example("--calibration saved.npz", "--save-calibration saved.npz    (once, with the options of today)"),
    "EQ0272": Example("--save-calibration /usr/kws.calibration.npz", "--save-calibration kws.calibration.npz"),
}
