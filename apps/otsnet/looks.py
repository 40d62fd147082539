"""From what a reader answered to what is drawn of it.

Shapes: L slots, N tokens, R S rows and columns of tokens, X parts of columns.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from apps.otsnet.draw_slots import Look, Slot

__all__ = ["letters_of", "look_of", "over_picture"]

FINE = 8  # parts of a token's width that a picture may end at


def letters_of(tokens_L: np.ndarray, characters: Sequence[str]) -> str:
    """The characters up to the first token that is none."""
    text = []
    for token in tokens_L.tolist():
        if not 1 <= token <= len(characters):
            break
        text.append(characters[token - 1])
    return "".join(text)


def look_of(
    picture: np.ndarray,
    answer: Mapping[str, np.ndarray],
    characters: Sequence[str],
    cells: tuple[int, int],
    rounds: Sequence[str] = (),
    truth: str | None = None,
) -> Look:
    """answer: of one word, as the exported program names its outputs: characters, confidences, confidence, attention, boxes, first, maybe
    verified and wide. cells: rows and columns of tokens.
    """
    text = letters_of(answer["characters"], characters)
    judged = answer.get("verified")
    slots, wide = [], float(answer.get("wide", 1.0))
    for place in range(min(len(text) + 1, len(answer["characters"]))):  # with the end
        slots.append(
            Slot(
                text[place] if place < len(text) else "",
                float(answer["confidences"][place]),
                over_picture(answer["attention"][place].reshape(cells), wide),
                answer["boxes"][place] if place < len(text) else None,
                None if judged is None else float(judged[place]),
            )
        )
    words = list(rounds) or [letters_of(answer["first"], characters), text]
    return Look(picture, slots, float(answer["confidence"]), words, truth)


def over_picture(map_RS: np.ndarray, wide: float) -> np.ndarray:
    """What of a map of shares lies over the picture, which is so much of its width; with finer columns where it is not all."""
    if wide == 1:
        return map_RS
    fine_RX = np.repeat(map_RS / FINE, FINE, 1)
    return fine_RX[:, : max(1, round(wide * fine_RX.shape[1]))]
