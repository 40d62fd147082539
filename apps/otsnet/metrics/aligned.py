"""Which character was read for which: an answer laid beside the truth, letter by letter."""

from collections import Counter
from collections.abc import Iterable

__all__ = ["NOTHING", "aligned", "letter_pairs"]

NOTHING = ""  # in the place of a character that was left out, or that is not there


def aligned(read: str, true: str) -> list[tuple[str, str]]:
    """(true character, read character) along a shortest way from the one to the other; the number of unlike pairs is the edit distance.

    >>> aligned("CEL", "CELL")
    [('C', 'C'), ('E', 'E'), ('L', ''), ('L', 'L')]
    """
    rows, columns = len(true) + 1, len(read) + 1
    far = [[i + j if not i or not j else 0 for j in range(columns)] for i in range(rows)]
    for i in range(1, rows):
        for j in range(1, columns):
            far[i][j] = min(far[i - 1][j - 1] + (true[i - 1] != read[j - 1]), far[i - 1][j] + 1, far[i][j - 1] + 1)
    pairs, i, j = [], rows - 1, columns - 1
    while i or j:
        if i and j and far[i][j] == far[i - 1][j - 1] + (true[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((true[i], read[j]))
        elif i and far[i][j] == far[i - 1][j] + 1:
            i -= 1
            pairs.append((true[i], NOTHING))
        else:
            j -= 1
            pairs.append((NOTHING, read[j]))
    return pairs[::-1]


def letter_pairs(answers: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """How often each (true, read) pair occurs in (read, true) words; NOTHING on either side for what was left out or added."""
    return Counter(pair for read, true in answers for pair in aligned(read, true))
