"""Shapes: B batch, H heads, N queries, M and K keys, E head width."""

import torch

from core_attention.functional import attend
from core_attention.merge import merge


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def test_two_sets_of_keys_merged_are_one_set():
    q_BHNE, k_BHME, v_BHME = drawn(2, 3, 4, 8), drawn(2, 3, 9, 8), drawn(2, 3, 9, 5)
    for cut in (1, 4, 8):
        first, second = (attend(q_BHNE, k_BHME[:, :, part], v_BHME[:, :, part], need_lse=True) for part in (slice(cut), slice(cut, None)))
        assert first[1] is not None
        assert second[1] is not None
        found = merge(first[0], first[1], second[0], second[1])
        torch.testing.assert_close(found, attend(q_BHNE, k_BHME, v_BHME, need_lse=True))


def test_a_query_that_sees_nothing_on_one_side_takes_the_other_and_on_both_gets_zeros():
    o, lse, nothing = drawn(2, 3, 4, 5), drawn(2, 3, 4), torch.full((2, 3, 4), -torch.inf, dtype=torch.float64)
    torch.testing.assert_close(merge(o, lse, torch.zeros_like(o), nothing), (o, lse))
    both, none = merge(torch.zeros_like(o), nothing, torch.zeros_like(o), nothing)
    assert torch.equal(both, torch.zeros_like(o))
    assert torch.equal(none, nothing)


def test_gradients_are_those_of_one_set():
    tensors = [drawn(1, 1, 2, 4), drawn(1, 1, 6, 4), drawn(1, 1, 6, 4)]
    split, whole = ([tensor.clone().requires_grad_() for tensor in tensors] for _ in range(2))
    q, k, v = split
    (o1, lse1), (o2, lse2) = (attend(q, k[:, :, part], v[:, :, part], need_lse=True) for part in (slice(2), slice(2, None)))
    assert lse1 is not None
    assert lse2 is not None
    merge(o1, lse1, o2, lse2)[0].square().sum().backward()
    attend(*whole)[0].square().sum().backward()
    for mine, theirs in zip(split, whole, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)
