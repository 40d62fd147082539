"""Every format of the six kinds, read and written. `read(path)` finds out which one it is."""

from datamodules.accord.formats.best_known import best_known, with_best
from datamodules.accord.formats.converting import convert
from datamodules.accord.formats.ours import read_solutions
from datamodules.accord.formats.reading import detect_format, read, read_solution, read_stated
from datamodules.accord.formats.table import FORMATS
from datamodules.accord.formats.writing import instance_text, solution_text, write

__all__ = [
    "FORMATS",
    "best_known",
    "convert",
    "detect_format",
    "instance_text",
    "read",
    "read_solution",
    "read_solutions",
    "read_stated",
    "solution_text",
    "with_best",
    "write",
]
