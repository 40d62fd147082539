"""One decision of every row from its logits and its mask (ACCORD brief 2.4.3).

Shapes: B instances, S rollouts, A actions.
"""

from torch import Tensor

__all__ = ["choose", "log_probs"]


def log_probs(logits_BSA: Tensor, mask_BSA: Tensor, temperature: float) -> Tensor:
    """In float32. What is not allowed gets its lowest finite value, never -inf: 0 * -inf is NaN in a loss.

    The best is made 0 before the division: near temperature 0, where the others leave float32, it stays the best.
    """
    logits_BSA = logits_BSA.float()
    below_BSA = logits_BSA - closed(logits_BSA, mask_BSA).amax(2, keepdim=True)
    heat = max(temperature, 1e-30)  # two logits that differ at all are then far enough apart
    return closed((below_BSA / heat).clamp(min=-3.4028234663852886e38), mask_BSA).log_softmax(2)


def closed(score_BSA: Tensor, mask_BSA: Tensor) -> Tensor:
    return score_BSA.masked_fill(~mask_BSA, -3.4028234663852886e38)  # (TorchScript has no torch.finfo)


def choose(logp_BSA: Tensor, mask_BSA: Tensor, noise_BSA: Tensor | None) -> tuple[Tensor, Tensor]:
    """(actions, their log-probs): the best, or with Gumbel noise a sample. A forced one has log-prob 0; -1 where none is allowed."""
    score_BSA = logp_BSA if noise_BSA is None else logp_BSA + noise_BSA
    action_BS = closed(score_BSA, mask_BSA).argmax(2)
    count_BS = mask_BSA.sum(2)
    chance_BS = logp_BSA.gather(2, action_BS.unsqueeze(2)).squeeze(2)
    return action_BS.masked_fill(count_BS == 0, -1), chance_BS.masked_fill(count_BS < 2, 0.0)
