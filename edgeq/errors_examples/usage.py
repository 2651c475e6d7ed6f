"""EQ01xx: the command line, data files, boards and targets."""

from __future__ import annotations

from typing import Final

from edgeq.errors_examples.example import Example

_COMPILE = "edgeq compile kws.onnx --data calib.npz --board microbit-v2 -o build/kws"

_QUANTIZE = "edgeq quantize kws.onnx --data calib.npz -o"

USAGE: Final[dict[str, Example]] = {
    "EQ0101": Example("edgeq compile kws.onnx --data calib.npz -o build/kws", _COMPILE),
    "EQ0102": Example(f"{_COMPILE} --name 8-kws", f"{_COMPILE} --name kws8"),
    "EQ0103": Example(
        "edgeq compile kws.qdq.onnx --board microbit-v2 -o ~/project",
        "edgeq compile kws.qdq.onnx --board microbit-v2 -o ~/project/kws",
    ),
    "EQ0104": Example("edgeq verify kws.onnx", f"{_COMPILE} && edgeq verify build/kws"),
    "EQ0105": Example(
        "edgeq verify build/kws    (compiled by another version of edgeq)", f"{_COMPILE} && edgeq verify build/kws"
    ),
    "EQ0106": Example("edgeq compile kws.onnx --board microbit-v2 -o build/kws", _COMPILE),
    "EQ0107": Example(f"{_COMPILE} --observer entropy", f"{_COMPILE} --observer percentile"),
    "EQ0108": Example("np.savez('eval.npz', x=x[:0], y=y[:0])", "np.savez('eval.npz', x=x, y=y)"),
    "EQ0109": Example(
        "edgeq eval build/kws --data calib.npz --metric top1    (calib.npz holds no y)",
        "np.savez('eval.npz', x=x, y=y); edgeq eval build/kws --data eval.npz --metric top1",
    ),
    "EQ0110": Example("np.save('calib.npy', x)", "np.savez_compressed('calib.npz', x=x)"),
    "EQ0111": Example(
        "np.savez('calib.npz', x=all_training_data)    (larger than the limit in the message)",
        "np.savez('calib.npz', x=all_training_data[:500])",
    ),
    "EQ0112": Example(
        "np.savez('calib.npz', images=x)    (the model's input is called input_1)",
        "np.savez('calib.npz', x=x)    or    np.savez('calib.npz', input_1=x)",
    ),
    "EQ0113": Example(
        "np.savez('calib.npz', x=x)    (x is [500, 28, 28], the model's input [1, 784])",
        "np.savez('calib.npz', x=x.reshape(len(x), -1))",
    ),
    "EQ0114": Example("np.savez('calib.npz', x=x[:0])", "np.savez('calib.npz', x=x[:500])"),
    "EQ0115": Example(
        "np.savez('calib.npz', x=np.log(energy))    (-inf where the energy is 0)",
        "np.savez('calib.npz', x=np.log(energy + 1e-6))",
    ),
    "EQ0116": Example(
        "np.savez('calib.npz', left=a[:500], right=b[:499])", "np.savez('calib.npz', left=a[:499], right=b[:499])"
    ),
    "EQ0117": Example("np.savez('calib.npz', x=x.astype(str))", "np.savez('calib.npz', x=x.astype(np.float32))"),
    "EQ0118": Example(
        "np.savez('calib.npz', x=bytes_, x_scale=-1 / 255)", "np.savez('calib.npz', x=bytes_, x_scale=1 / 255)"
    ),
    "EQ0120": Example("df build: 0 bytes available", "df build: 40 MB available"),
    "EQ0121": Example(f"{_COMPILE}, twice at once, the first one stopped by Ctrl-Z", _COMPILE),
    "EQ0122": Example(f"{_COMPILE} --force, where build/kws holds notes.txt", _COMPILE),
    "EQ0123": Example("edgeq quantize kws.onnx --data calib.npz -o kws.onnx", f"{_QUANTIZE} kws.qdq.onnx"),
    "EQ0124": Example(f"{_QUANTIZE} thesis.onnx", f"{_QUANTIZE} kws.qdq.onnx"),
    "EQ0125": Example('"images": {"native": "/bin/sh"} in manifest.json', '"images": {"native": "native"}'),
    "EQ0126": Example('"args": ["-icount", "rr=record,rrfile=/home/me/x"] in board.json', '"args": []'),
    "EQ0130": Example("np.savez('calib.npz', x=np.zeros((500, 49, 10)))", "np.savez('calib.npz', x=recorded[:500])"),
    "EQ0131": Example(
        "np.savez('calib.npz', x=images)    (uint8; the model was trained on images / 255)",
        "np.savez('calib.npz', x=images, x_scale=1 / 255)",
    ),
    "EQ0132": Example(
        "np.savez('eval.npz', x=x, y=y)    (y is 1 to 10, the model has 10 classes)",
        "np.savez('eval.npz', x=x, y=y - 1)",
    ),
    "EQ0133": Example("np.savez('calib.npz', x=x, input_1=normalized)", "np.savez('calib.npz', x=normalized)"),
    "EQ0134": Example(
        "np.savez('calib.npz', x=x)    (x is [500, 32, 32, 3], the model's input [1, 3, 32, 32])",
        "np.savez('calib.npz', x=x.transpose(0, 3, 1, 2))",
    ),
    "EQ0135": Example(
        "np.savez('calib.npz', x=(x - x.mean()) / x.std())    (the model was trained on 0 to 1)",
        "np.savez('calib.npz', x=x)",
    ),
    "EQ0136": Example("np.savez('calib.npz', x=np.repeat(x[:1], 500, axis=0))", "np.savez('calib.npz', x=x[:500])"),
    "EQ0137": Example(
        "np.savez('calib.npz', x=np.nan_to_num(x, nan=-999))", "np.savez('calib.npz', x=x[~np.isnan(x).any(axis=1)])"
    ),
    "EQ0138": Example("Relu(Conv(x) - 1000)    (x is 0 to 1)", "Relu(Conv(x))    (exported after training)"),
    "EQ0139": Example(
        "np.savez('calib.npz', x=x / 255 / 255)    (the model was trained on x / 255)",
        "np.savez('calib.npz', x=x / 255)",
    ),
    "EQ0140": Example("np.savez('eval.npz', x=x)    (calibrated on x / 255)", "np.savez('eval.npz', x=x / 255)"),
    "EQ0141": Example(
        "np.savez('calib.npz', x=images.astype('float32'), x_scale=1 / 255)",
        "np.savez('calib.npz', x=images, x_scale=1 / 255)    (images are uint8)",
    ),
    "EQ0142": Example(
        "np.savez('calib.npz', x=np.zeros((500, 784)))    (filled in part)", "np.savez('calib.npz', x=x[:filled])"
    ),
    "EQ0143": Example(
        "np.savez('eval.npz', tokens=[[1, 2, 70000]])    (an embedding of 10000 rows)",
        "np.savez('eval.npz', tokens=[[1, 2, 7000]])",
    ),
    "EQ0145": Example(f"{_COMPILE} --state h_new=hidden", f"{_COMPILE} --state h_new=h"),
    "EQ0146": Example(
        f"{_COMPILE} --state y=h    (y is [1, 10], h is [1, 64])", f"{_COMPILE} --state h_new=h    (both are [1, 64])"
    ),
    "EQ0147": Example(f"{_COMPILE} --state h_new=h --state c_new=h", f"{_COMPILE} --state h_new=h --state c_new=c"),
    "EQ0148": Example(
        "np.savez('calib.npz', audio=a, pitch=p[:, :-1])    (a is [100, 50, 40], p is [100, 50, 1])",
        "np.savez('calib.npz', audio=a, pitch=p)",
    ),
    "EQ0149": Example("edgeq check vad.onnx    (h is an input, h_out an output)", "edgeq check vad.onnx --no-state"),
    "EQ0150": Example(
        "edgeq features logmel --frame 480 --fft 500 -o f.onnx", "edgeq features logmel --frame 480 --fft 512 -o f.onnx"
    ),
    "EQ0151": Example(
        "edgeq stream kws.onnx -o step.onnx --axis x:7    (x: [1, 1, 49, 10])",
        "edgeq stream kws.onnx -o step.onnx --axis x:2",
    ),
    "EQ0152": Example(
        "edgeq stream kws.onnx -o step.onnx --hop 3    (strides 2 and 2 over time)",
        "edgeq stream kws.onnx -o step.onnx --hop 4",
    ),
    "EQ0153": Example(
        "edgeq compile kws.onnx --allow-float Sqtr_3 ...", "edgeq compile kws.onnx --allow-float Sqrt_3 ..."
    ),
    "EQ0154": Example("--argmax    (outputs boxes, scores)", "--argmax-output scores"),
    "EQ0155": Example("--kernel fc7=eq_dense_s8    (the nodes: conv1, fc1)", "--kernel fc1=eq_dense_s8"),
    "EQ0156": Example("--kernel conv1=eq_dense_s8", "--kernel conv1=eq_conv2d_s8"),
    "EQ0157": Example("--kernels kws.onnx", "edgeq tune build/kws -o kws.json && edgeq compile ... --kernels kws.json"),
    "EQ0158": Example("edgeq tune build/kws --board native", "edgeq tune build/kws --board mps2-an386"),
    "EQ0159": Example(f"{_COMPILE} --place conv1=ccm", f"{_COMPILE} --board netduinoplus2 --place conv1=ccm"),
    "EQ0160": Example(f"{_COMPILE} --sources-only && edgeq verify build/kws", f"{_COMPILE} && edgeq verify build/kws"),
    "EQ0161": Example("rm build/kws/emulated.elf && edgeq emulate build/kws", f"{_COMPILE} && edgeq emulate build/kws"),
    "EQ0162": Example("edgeq verify build/kws --on reference", "edgeq verify build/kws --on native"),
    "EQ0163": Example("a manifest.json whose steps were removed", f"{_COMPILE} && edgeq verify build/kws"),
    "EQ0164": Example(
        "edgeq verify build/kws --data ten.npz --samples 50", "edgeq verify build/kws --data ten.npz --samples 10"
    ),
    "EQ0165": Example(
        "np.savez('eval.npz', x=x, y=y, class_names=names[:9])", "np.savez('eval.npz', x=x, y=y, class_names=names)"
    ),
    "EQ0166": Example(
        "edgeq eval build/kws --data eval.npz --float vww.onnx", "edgeq eval build/kws --data eval.npz --float kws.onnx"
    ),
    "EQ0170": Example("edgeq verify build/kws --on hardware", "edgeq verify build/kws --on native,qemu"),
    "EQ0171": Example(f"{_COMPILE} --backend rust", f"{_COMPILE} --backend c,tflite"),
    "EQ0172": Example(
        "quantize_static(..., weight_type=QuantType.QUInt8)", "quantize_static(..., weight_type=QuantType.QInt8)"
    ),
    "EQ0173": Example("np.savez('calib.npz', x=x[:5])", "np.savez('calib.npz', x=x[:500])"),
    "EQ0175": Example(
        "np.savez('calib.npz', x=images)    (0 to 255; the model was trained on 0 to 1)",
        "np.savez('calib.npz', x=images / 255)",
    ),
    "EQ0176": Example("a model for which gcc prints a warning about model.c", "every other model: gcc prints nothing"),
    "EQ0177": Example("edgeq explain EQ0499", "edgeq explain EQ0401"),
    "EQ0178": Example("timeout 1 edgeq compile kws.onnx ...", "edgeq compile kws.onnx ..."),
    "EQ0179": Example("edgeq compile kws.onnx --int16 inptu ...", "edgeq compile kws.onnx --int16 input ..."),
    "EQ0180": Example("[flash\nbase_address = 0x0", "[flash]\nbase_address = 0x0"),
    "EQ0181": Example("[flash]\nsize = 262144", "[flash]\nsize_bytes = 262144"),
    "EQ0182": Example('[ram]\nsize_bytes = "16 kB"', "[ram]\nsize_bytes = 16384"),
    "EQ0183": Example('inherits = "cortex-m4f"', 'inherits = "cortex-m4"'),
    "EQ0184": Example(
        "edgeq compile kws.qdq.onnx --board cortex-m4 -o build/kws",
        "edgeq compile kws.qdq.onnx --board mps2-an386 -o build/kws",
    ),
    "EQ0185": Example('target = "cortex-m99"', 'target = "cortex-m4"'),
    "EQ0186": Example(
        '[ram]\nsize_bytes = 65536\n[emulator]\nboard = "microbit-v1"    (the machine has 16384)',
        '[ram]\nsize_bytes = 16384\n[emulator]\nboard = "microbit-v1"',
    ),
    "EQ0187": Example(f"{_COMPILE} --backend tvm --optimize ram", f"{_COMPILE} --backend c,tvm --optimize ram"),
    "EQ0193": Example(
        'edgeq.compile(torch_model, x, board="mps2-an386")', 'edgeq.compile("kws.onnx", x, board="mps2-an386")'
    ),
}
