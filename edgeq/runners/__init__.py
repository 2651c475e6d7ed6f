"""What executes or flashes an image: the native executable, QEMU, debug probes, drives.

Two kinds, listed in :mod:`edgeq.runners.table`: a *runner* executes a
:class:`~edgeq.runners.base.RunRequest` and answers arrays, instruction counts and the stack's depth; a *flasher* writes
an image into a board.
"""
