"""Writing to the user's disk: whole files, whole folders, temporary folders that leave nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export

if TYPE_CHECKING:
    from edgeq.writing.outputs import check_apart, check_file, covers, keep_file, tell_read, told_reads
    from edgeq.writing.owned import MANIFEST, SCHEMA, is_as_written, is_unedited
    from edgeq.writing.problems import disk_problem
    from edgeq.writing.replace import check_replaceable, recover_missing, replace_folder
    from edgeq.writing.scratch import remove_scratch, scratch_folder, sweep_scratch
    from edgeq.writing.whole import write_whole

__all__ = [
    "MANIFEST",
    "SCHEMA",
    "check_apart",
    "check_file",
    "check_replaceable",
    "covers",
    "disk_problem",
    "is_as_written",
    "is_unedited",
    "keep_file",
    "recover_missing",
    "remove_scratch",
    "replace_folder",
    "scratch_folder",
    "sweep_scratch",
    "tell_read",
    "told_reads",
    "write_whole",
]

export(
    __name__,
    {
        "MANIFEST": "owned",
        "SCHEMA": "owned",
        "check_apart": "outputs",
        "check_file": "outputs",
        "check_replaceable": "replace",
        "covers": "outputs",
        "disk_problem": "problems",
        "is_as_written": "owned",
        "is_unedited": "owned",
        "keep_file": "outputs",
        "recover_missing": "replace",
        "remove_scratch": "scratch",
        "replace_folder": "replace",
        "scratch_folder": "scratch",
        "sweep_scratch": "scratch",
        "tell_read": "outputs",
        "told_reads": "outputs",
        "write_whole": "whole",
    },
)
