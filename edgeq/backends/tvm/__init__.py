"""TVM: the integer graph as TIR functions, compiled by LLVM for this computer and for boards.

TVM comes with the extra ``tvm``. Everything here but this file imports it, so these modules are imported lazily, after
:func:`edgeq.extras.require`; :mod:`edgeq.backends.tvm.load` needs nothing else of edgeq.
"""
