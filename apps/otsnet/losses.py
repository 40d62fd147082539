"""What training minimises, one scalar each, unweighted (section 3).

Shapes: B batch, L slots, T = L - 1 characters, N tokens, S columns, K classes.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, ctc_loss

from apps.otsnet import vocabulary
from apps.otsnet.locate import centres

__all__ = ["align", "boxed", "characters", "columns", "in_boxes", "needed_columns", "verdicts"]

FLOOR = 1e-6


def characters(logits_BLK: Tensor, tokens_BL: Tensor) -> Tensor:
    """Cross-entropy, the mean over characters and ends of the whole batch."""
    valid_BL = vocabulary.up_to_end(tokens_BL)
    return cross_entropy(logits_BLK[valid_BL].float(), tokens_BL[valid_BL])


def verdicts(verify_BL: Tensor, hypothesis_BL: Tensor, tokens_BL: Tensor) -> Tensor:
    """Whether each character of the hypothesis is right, up to the longer one's end."""
    counted_BL = vocabulary.up_to_end(tokens_BL) | vocabulary.up_to_end(hypothesis_BL)
    right_BL = (hypothesis_BL == tokens_BL).to(torch.float32)
    return binary_cross_entropy_with_logits(verify_BL[counted_BL].float(), right_BL[counted_BL])


def in_boxes(boxes_BT4: Tensor, cells: tuple[int, int]) -> Tensor:
    """Which tokens have their middle in each box, (B,T,N); none where the box is not known (NaN).

    ours: a box narrower than a token is widened to one, or it might hold no middle and be lost on the attention.
    """
    at_N2 = centres(boxes_BT4.new_zeros((1, 1)), cells)
    least_2 = boxes_BT4.new_tensor([1 / cells[1], 1 / cells[0]])
    low_BT2, high_BT2 = boxes_BT4[..., :2], boxes_BT4[..., 2:]
    grow_BT2 = ((least_2 - (high_BT2 - low_BT2)) / 2).clamp(min=0) * (1 + 1e-4)
    low_BT12, high_BT12 = (low_BT2 - grow_BT2).unsqueeze(2), (high_BT2 + grow_BT2).unsqueeze(2)
    return ((at_N2 >= low_BT12) & (at_N2 <= high_BT12)).all(-1)


def align(attention_BLN: Tensor, boxes_BT4: Tensor, cells: tuple[int, int]) -> Tensor:
    """-log of the attention within each character's box; exactly 0, without a gradient, where no box is known."""
    inside_BTN = in_boxes(boxes_BT4, cells)
    known_BT = inside_BTN.any(-1)
    if not bool(known_BT.any()):
        return attention_BLN.new_zeros(())
    mass_BT = (attention_BLN[:, : boxes_BT4.shape[1]].float() * inside_BTN).sum(-1)
    # over 1 + floor, so that all of the mass in the box is a loss of 0 and not below
    return -((mass_BT[known_BT].clamp(max=1.0) + FLOOR) / (1 + FLOOR)).log().mean()


def boxed(v_BND: Tensor, head: nn.Module, boxes_BT4: Tensor, tokens_BL: Tensor, cells: tuple[int, int]) -> Tensor:
    """Cross-entropy of the mean of the tokens in each character's true box: letters are learned before it is known where they stand.

    ours: else the two wait for each other. Exactly 0, without a gradient, where no box is known.
    """
    inside_BTN = in_boxes(boxes_BT4, cells)
    known_BT = inside_BTN.any(-1)
    if not bool(known_BT.any()):
        return v_BND.new_zeros((), dtype=torch.float32)
    share_BTN = inside_BTN / inside_BTN.sum(-1, keepdim=True).clamp(min=1)
    x_BTD = share_BTN.to(v_BND.dtype) @ v_BND
    return cross_entropy(head(x_BTD[known_BT]).float(), tokens_BL[:, : boxes_BT4.shape[1]][known_BT])


def needed_columns(tokens_BL: Tensor) -> Tensor:
    """How many columns CTC needs for each word, (B,): one a character, and a blank between equal neighbours."""
    valid_BL = vocabulary.up_to_end(tokens_BL) & (tokens_BL != vocabulary.END)
    twice_BL = valid_BL[:, 1:] & (tokens_BL[:, 1:] == tokens_BL[:, :-1])
    return valid_BL.sum(1) + twice_BL.sum(1)


def columns(logits_BSK: Tensor, tokens_BL: Tensor, characters: int, seen_BS: Tensor | None = None) -> Tensor:
    """CTC with the end's class as its blank: the mean over characters. A word that needs more columns than there are counts as 0.

    seen: columns that are of the picture, the first ones; None: all.
    """
    length_B = (vocabulary.up_to_end(tokens_BL) & (tokens_BL != vocabulary.END)).sum(1)
    log_SBK = logits_BSK.float().log_softmax(-1).transpose(0, 1)
    columns_B = torch.full_like(length_B, logits_BSK.shape[1]) if seen_BS is None else seen_BS.sum(1)
    targets_BL = tokens_BL.clamp(max=characters)  # what stands behind the end is not read
    return ctc_loss(log_SBK, targets_BL, columns_B, length_B, blank=vocabulary.END, zero_infinity=True)
