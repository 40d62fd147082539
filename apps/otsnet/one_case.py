"""Letters of one case: a capital counts as its small letter, or the other way round, as labels of such a charset are written.

Shapes: S slots or columns, K classes (0: the end, or of columns nothing).
"""

import numpy as np

from datamodules.otsnet.charset import Charset

__all__ = ["counted", "in_one_case", "other_case"]


def other_case(charset: Charset) -> np.ndarray:
    """For each class the one of the same letter in the other case; 0 where there is none."""
    other = [0]
    for character in charset.characters:
        swapped = character.swapcase()
        other.append(charset.characters.index(swapped) + 1 if swapped != character and swapped in charset else 0)
    return np.array(other)


def in_one_case(charset: Charset, asked: Charset) -> np.ndarray | None:
    """The class that each class of the reader's charset counts as where letters of one case are asked for; None: each as itself."""
    if asked.one_case is None:
        return None
    other_K, own_K = other_case(charset), np.arange(charset.classes)
    to_K = np.array([False, *(character not in asked and character.swapcase() in asked for character in charset.characters)])
    return np.where(to_K & (other_K > 0), other_K, own_K)


def counted(table_SK: np.ndarray, counts_as_K: np.ndarray) -> np.ndarray:
    """The table in which a class has its own probability and that of all that count as it."""
    made_SK = np.zeros_like(table_SK)
    np.add.at(made_SK.T, counts_as_K, table_SK.T)
    return made_SK
