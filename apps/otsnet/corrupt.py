"""Spoilt words for the verifier to learn from: look-alikes, strangers, holes, a character too many or too few (2.5).

Shapes: B batch, L slots, V vocabulary, J look-alikes.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from apps.otsnet import vocabulary

__all__ = ["CONFUSIONS", "Hypotheses", "corrupt", "draw_hypotheses", "look_alikes"]

CONFUSIONS = ("O0oQDC", "I1l!|i", "S5s$", "Z2z", "B8", "G6", "9gq", "uvUV", "rnm", "ceo", "VW")
WARM_UP = 0.1  # of the steps, in which the model's own words are noise


def look_alikes(characters: str, groups: tuple[str, ...] = CONFUSIONS) -> Tensor:
    """Of each token those that it is mistaken for, (V,J); -1 behind the last one.

    >>> look_alikes("08B")[1:4].tolist()  # 8 and B, but no O
    [[-1], [3], [2]]
    """
    known = {character: i for i, character in enumerate(characters, start=1)}
    alike: list[list[int]] = [[] for _ in range(vocabulary.size(len(characters)))]
    for character, token in known.items():
        others = {known[other] for group in groups if character in group for other in group if other in known and other != character}
        alike[token] = sorted(others)
    longest = max(1, *(len(row) for row in alike))
    return torch.tensor([row + [-1] * (longest - len(row)) for row in alike])


def corrupt(
    tokens_BL: Tensor, rate_B: Tensor, generator: Generator, alike_VJ: Tensor, characters: int, shift_rate: float = 0.15
) -> tuple[Tensor, Tensor]:
    """(hypothesis (B,L), whether it is right (B,L)) of true words on the CPU.

    Each character is spoilt with its word's rate: half of them become a look-alike (a stranger where there is none), a quarter a
    stranger, a quarter a hole. A share `shift_rate` of the words with a rate above 0 gets or loses one character besides.
    """
    made_BL = tokens_BL.clone()
    batch, length = tokens_BL.shape

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    stranger_BL = torch.randint(1, characters + 1, (batch, length), generator=generator)
    alike_BLJ = alike_VJ[tokens_BL]
    count_BL = (alike_BLJ >= 0).sum(-1)
    pick_BL = (draw(batch, length) * count_BL).long().clamp(max=alike_VJ.shape[1] - 1)
    alike_BL = torch.where(count_BL > 0, alike_BLJ.gather(2, pick_BL.unsqueeze(2)).squeeze(2), stranger_BL)
    kind_BL = draw(batch, length)
    spoilt_BL = torch.where(kind_BL < 0.5, alike_BL, torch.where(kind_BL < 0.75, stranger_BL, vocabulary.mask(characters)))
    is_character_BL = (tokens_BL >= 1) & (tokens_BL <= characters)
    made_BL = torch.where(is_character_BL & (draw(batch, length) < rate_B.unsqueeze(1)), spoilt_BL, made_BL)

    size_B = is_character_BL.sum(1)
    place_L = torch.arange(length)
    at_B1 = (draw(batch) * (size_B + 1)).long().unsqueeze(1)
    longer_BL = made_BL.gather(1, place_L - (place_L > at_B1).long())
    longer_BL = torch.where(place_L == at_B1, stranger_BL, longer_BL)
    gone_B1 = (draw(batch) * size_B).long().unsqueeze(1)
    behind_BL = torch.cat([made_BL, torch.full_like(made_BL[:, :1], vocabulary.pad(characters))], 1)
    shorter_BL = behind_BL.gather(1, place_L + (place_L >= gone_B1).long())
    shifts_B, inserts_B = draw(batch) < shift_rate, draw(batch) < 0.5
    shifted_BL = torch.where((inserts_B | (size_B == 0)).unsqueeze(1), longer_BL, shorter_BL)
    made_BL = torch.where((shifts_B & (rate_B > 0)).unsqueeze(1), shifted_BL, made_BL)
    # ours: what falls off the end of the slots is the word's tail, never its end
    made_BL = vocabulary.close(made_BL, characters, last=True)
    return made_BL, made_BL == tokens_BL


class Hypotheses(NamedTuple):
    """What the verifier is given in training."""

    spoilt_BL: Tensor
    own_B: Tensor  # bool: take the model's own first reading instead


def draw_hypotheses(
    tokens_BL: Tensor,
    step: int,
    progress: float,
    alike_VJ: Tensor,
    characters: int,
    corrupt_rate: float = 0.3,
    own_share: float = 0.4,
    shift_rate: float = 0.15,
) -> Hypotheses:
    """By the step alone, so that runs repeat. In the first tenth of the steps nothing of the model's own."""
    generator = torch.Generator().manual_seed(step)
    truth_BL = tokens_BL.cpu()
    rate_B = corrupt_rate * torch.rand(len(truth_BL), generator=generator)
    spoilt_BL, _ = corrupt(truth_BL, rate_B, generator, alike_VJ.cpu(), characters, shift_rate)
    own_B = torch.rand(len(truth_BL), generator=generator) < (own_share if progress >= WARM_UP else 0.0)
    return Hypotheses(spoilt_BL.to(tokens_BL.device), own_B.to(tokens_BL.device))
