"""Writing to the user's disk: whole files, whole folders, temporary folders that leave nothing behind."""

from edgeq.writing.outputs import check_apart, check_file, keep_file, tell_read, told_reads
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
