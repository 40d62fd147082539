"""From the text that a set brings to the text that is trained on and compared. The order of the steps matters (section 5.2)."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

from datamodules.errors import DataError
from datamodules.otsnet.charset import Charset, CharsetError

__all__ = ["Protocol", "Text", "decomposed", "for_comparison", "for_training", "plain"]

Protocol = Literal["parseq", "openocr"]
NOT_ALPHANUMERIC = re.compile("[^0-9a-zA-Z]+")


@dataclass(frozen=True)
class Text:
    """A label in a charset. `fault` says why it cannot be used: "too long" or "empty"."""

    text: str
    stripped: str = ""  # characters that were dropped because the charset has them not
    fault: Literal["", "too long", "empty"] = ""


def plain(label: str, charset: Charset) -> str:
    """Steps 1 and 2: without blanks, unless the charset has one; what the charset lacks decomposed to ASCII."""
    return _plain(label, charset)[0]


def _plain(label: str, charset: Charset) -> tuple[str, str]:
    """(The label after steps 1 and 2, what step 2 dropped that is a character of its own: 日 and ß, but not the accent of é.)"""
    return decomposed((" " if " " in charset else "").join(label.split()), charset)


def decomposed(text: str, charset: Charset) -> tuple[str, str]:
    """(The text in ASCII and the charset's own characters, its characters that have no form there): of all others accents are dropped,
    ligatures and the like taken apart.

    >>> decomposed("né 5€", Charset("né5")), decomposed("né 5€", Charset("ne5€"))
    (('né 5', '€'), ('ne 5€', ''))
    """
    if text.isascii():
        return text, ""
    if any(character not in charset for character in text):
        text = unicodedata.normalize("NFC", text)  # an accent that is written behind its letter
    made, beyond = [], []
    for character in text:
        if _has(charset, character):
            made.append(character)
            continue
        for piece in unicodedata.normalize("NFKD", character):
            if piece.isascii():
                made.append(piece)
            elif not unicodedata.category(piece).startswith("M"):
                beyond.append(character if piece in charset else piece)  # か is no form of が
    return "".join(made), "".join(beyond)


def _has(charset: Charset, character: str) -> bool:
    """Whether a charset beyond ASCII has the character as it will be folded."""
    return not charset.characters.isascii() and all(piece in charset for piece in _folded(character, charset))


def for_training(label: str, charset: Charset, max_length: int = 25, *, strict: bool = False, where: str = "") -> Text:
    """All six steps. The length counts after what ASCII has not is dropped, and before what else the charset has not.

    strict: such a character is an error that names `where`, not dropped
    """
    text, beyond = _plain(label, charset)
    if len(text) > max_length:
        return Text(text, beyond, "too long")
    text, stripped = _within(text, charset)
    stripped = beyond + "".join(stripped.split())  # decomposing an acute accent that stands alone leaves a blank, which nobody wrote
    if stripped and strict:
        raise CharsetError(f"{where or 'label'}: {stripped[0]!r} in {label!r} is not in the charset; extend it, or set strict=false")
    return Text(text, stripped, "" if text else "empty")


def for_comparison(text: str, charset: Charset, protocol: Protocol = "parseq") -> str:
    """What two texts, an answer and the truth, are compared as: the model may have been trained with more characters than the test's.

    parseq: blanks out, NFKD to ASCII, then folded and filtered by the test's charset. openocr: blanks out, 0-9a-zA-Z kept, lower case;
    so é is e in the one and nothing in the other.

    >>> for_comparison("It´s", charset("36")), for_comparison("café", charset("36"), "openocr")
    ('its', 'caf')
    """
    if protocol not in get_args(Protocol):
        raise DataError(f"protocol {protocol!r} is not known; there are {', '.join(get_args(Protocol))}")
    if protocol == "openocr":
        return NOT_ALPHANUMERIC.sub("", text).lower()
    return _within(plain(text, charset), charset)[0]


def _within(text: str, charset: Charset) -> tuple[str, str]:
    """Steps 4 and 5: (folded and filtered, what was filtered out)."""
    text = _folded(text, charset)
    kept = "".join(character for character in text if character in charset)
    return kept, "".join(character for character in text if character not in charset)


def _folded(text: str, charset: Charset) -> str:
    case = charset.one_case
    return text if case is None else text.lower() if case == "lower" else text.upper()
