"""From what a reader answered to what is drawn of it.

Shapes: L slots, N tokens, R S rows and columns of tokens.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from apps.otsnet.draw_slots import Look, Slot

__all__ = ["letters_of", "look_of"]


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
    """answer: of one word, as the exported program names its outputs: characters, confidences, confidence, attention, boxes, maybe verified
    and first. cells: rows and columns of tokens.
    """
    text = letters_of(answer["characters"], characters)
    judged = answer.get("verified")
    slots = []
    for place in range(min(len(text) + 1, len(answer["characters"]))):  # with the end
        slots.append(
            Slot(
                text[place] if place < len(text) else "",
                float(answer["confidences"][place]),
                answer["attention"][place].reshape(cells),
                answer["boxes"][place] if place < len(text) else None,
                None if judged is None else float(judged[place]),
            )
        )
    words = list(rounds) or [letters_of(answer["first"], characters), text]
    return Look(picture, slots, float(answer["confidence"]), words, truth)
