"""Writing to the user's disk: whole files, whole folders, temporary folders that leave nothing behind."""

from edgeq.writing.problems import disk_problem
from edgeq.writing.scratch import remove_scratch, scratch_folder
from edgeq.writing.whole import write_whole

__all__ = ["disk_problem", "remove_scratch", "scratch_folder", "write_whole"]
