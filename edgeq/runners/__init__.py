"""What executes or flashes an image: the native executable, QEMU, debug probes, drives.

Two kinds, one table (:data:`edgeq.runners.table.RUNNERS`): a *runner* executes a
:class:`~edgeq.runners.base.RunRequest` and answers arrays, instruction counts and the stack's depth; a *flasher* writes
an image into a board.
"""
