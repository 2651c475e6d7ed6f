"""The command line: one file a command, imported only when it runs."""

from edgeq.lazily import defer

# onnx_ir imports sympy for arithmetic on symbolic dimensions: 0.3 s of each command, for something that edgeq never
# asks of it, because every shape is static before anything is computed from it.
defer("sympy", "onnx_ir._symbolic_shapes")
