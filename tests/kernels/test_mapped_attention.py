import pytest
import torch
from torch import Tensor

from kernels import explain
from kernels.mapped_attention import mapped_attention, torch_form
from tests.kernels.operations import HEADS, MASKS, SIZES, check_autocast, check_programs, check_traces, mask_of, numbers, strictly, textbook

DYNAMIC = torch.export.Dim.DYNAMIC


def qkv(n: int = 5, m: int = 7, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    return numbers(batch, HEADS, n, 4), numbers(batch, HEADS, m, 4, seed=1), numbers(batch, HEADS, m, 3, seed=2)


def call(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    return mapped_attention(q, k, v, mask)


def check_textbook(backend: str, kind: str) -> None:
    (q, k, v), mask = qkv(batch=3), mask_of(kind, 5, 7, 3)
    p = textbook(q, k, mask, scale=0.3).softmax(-1).nan_to_num()
    with strictly(backend):
        answer, mean = mapped_attention(q, k, v, mask, 0.3)
    torch.testing.assert_close(answer, p @ v)
    torch.testing.assert_close(mean, p.mean(1))


@pytest.mark.parametrize("kind", MASKS)
def test_the_reference_is_the_textbook_formula(kind: str) -> None:
    check_textbook("reference", kind)


# of one query, of one head, of some heads, of some samples, of all
@pytest.mark.parametrize("maps", [0, 0.4, 1, 3, 5, 100])
def test_every_size_of_piece_gives_the_textbook_formula(monkeypatch: pytest.MonkeyPatch, maps: float) -> None:
    monkeypatch.setattr(torch_form, "LEAST", 1)
    monkeypatch.setattr(torch_form, "PIECE_BYTES", int(maps * 5 * 7 * 8))
    check_textbook("torch", "none")


def test_pieces_are_as_equal_as_can_be_and_hold_no_more_than_they_may() -> None:
    assert torch_form.piece(4, 3, 785, 785 * 4) == (197, 1, 1)
    assert torch_form.piece(16, 3, 129, 129 * 4) == (129, 3, 3)
    assert torch_form.piece(2, 3, 129, 129 * 4) == (129, 3, 2)
    assert torch_form.piece(1, 12, 4000, 4000 * 4)[:2] == (64, 1)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_the_answers_gradients_are_right_in_float64_and_the_map_has_none(n: int, m: int) -> None:
    leaves = [x.requires_grad_() for x in (*qkv(n, m), numbers(2, 1, n, m))]
    assert torch.autograd.gradcheck(lambda *given: call(*given)[0], leaves, fast_mode=True)
    assert not call(*leaves)[1].requires_grad


def test_a_trace_at_one_size_is_right_at_three_others() -> None:
    check_traces(call, qkv, [(5, 7), (1, 1), (9, 2), (2, 9)])


def test_compile_and_export_equal_eager() -> None:
    check_programs(call, qkv, [{0: DYNAMIC, 2: DYNAMIC}] * 3)


def test_sums_stay_in_float32_under_autocast_and_half_inputs() -> None:
    check_autocast(call, qkv)


def test_pieces_are_for_processors_without_masks_and_gradients() -> None:
    q, k, v = qkv()
    assert explain(mapped_attention, q, k, v).startswith("torch ")
    assert "no faster" in explain(mapped_attention, q, k, v, torch.ones(5, 7, dtype=torch.bool))
    assert "a gradient needs the whole map" in explain(mapped_attention, q, k, v.requires_grad_())
    with torch.no_grad():
        assert explain(mapped_attention, q, k, v).startswith("torch ")
    assert "for processors" in explain(mapped_attention, *(x.to("meta") for x in (q, k, v)))


def test_wrong_arguments_are_named() -> None:
    q, k, v = qkv()
    with pytest.raises(ValueError, match=r"shapes do not fit: k \(2, 4, 7, 4\), v \(2, 4, 6, 3\)"):
        mapped_attention(q, k, v[:, :, 1:])
    with pytest.raises(TypeError, match="True = may attend"):
        mapped_attention(q, k, v, torch.ones(5, 7, dtype=torch.int64))
