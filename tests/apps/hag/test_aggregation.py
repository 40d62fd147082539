"""A polyp from its frames: what must not change its size, and what may by how much."""

import numpy as np
import pytest
import torch

from apps.hag.aggregation import ENOUGH, aggregate, weighted_quantile

MM = torch.tensor([4.0, 5.0, 5.5, 6.0, 6.2, 6.9, 7.0, 8.0, 9.0])


def size(mm: torch.Tensor, weight: torch.Tensor | None = None) -> float:
    return float(aggregate(mm, torch.ones_like(mm) if weight is None else weight)["mm"])


def test_the_order_of_frames_means_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    for count in (1, 2, 5, 8, 30):
        mm, weight = torch.rand(2, count, generator=generator) * 10 + 0.1
        first = aggregate(mm, weight)
        for _ in range(5):
            order = torch.randperm(count, generator=generator)
            again = aggregate(mm[order], weight[order])
            assert {name: float(value) for name, value in again.items()} == {name: float(value) for name, value in first.items()}


def test_all_frames_twice_change_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    for count in (5, 6, 9, 40):
        for weight in (torch.ones(count), torch.rand(count, generator=generator) + 0.1):
            mm = torch.rand(count, generator=generator) * 10 + 0.1
            one, two = aggregate(mm, weight), aggregate(mm.repeat(2), weight.repeat(2))
            for name in ("mm", "spread_low", "spread_high"):
                assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-12)
            assert (int(two["frames"]), int(two["used"])) == (2 * int(one["frames"]), 2 * int(one["used"]))


def test_one_outlier_among_nine_moves_the_size_to_its_neighbour_at_most() -> None:
    middle = size(MM)
    assert middle == pytest.approx(6.2)
    for at in range(9):
        for outlier in (0.01, 1000.0):
            mm = MM.clone()
            mm[at] = outlier
            assert 6.0 - 1e-6 <= size(mm) <= 6.9 + 1e-6


def test_weights_count_as_frames_do_and_frames_of_no_size_do_not_count() -> None:
    assert size(torch.tensor([3.0, 9.0]), torch.tensor([1.0, 2.0])) == pytest.approx(size(torch.tensor([3.0, 9.0, 9.0])))
    assert size(torch.tensor([4.0, 9.0])) == pytest.approx(6.0)  # halfway in ln mm
    odd = torch.tensor([float("nan"), 0.0, -2.0, float("inf"), 6.0])
    found = aggregate(odd, torch.ones(5))
    assert (float(found["mm"]), int(found["frames"])) == (pytest.approx(6.0), 1)
    found = aggregate(MM, torch.tensor([0.0, 0.0, float("nan"), -1.0, 0.0, 0.0, 0.0, 2.0, 0.0]))
    assert (float(found["mm"]), int(found["frames"])) == (pytest.approx(8.0), 1)


@pytest.mark.parametrize("frames", range(7))
def test_fewer_than_five_frames_are_flagged(frames: int) -> None:
    found = aggregate(torch.full((frames,), 6.0), torch.ones(frames))
    assert bool(found["few"]) == (frames < ENOUGH)
    assert bool(found["mm"].isnan()) == (frames == 0)


def test_a_quantile_of_equal_weights_lies_where_numpy_puts_it() -> None:
    value = torch.from_numpy(np.random.default_rng(0).normal(size=40))
    for share in (0.1, 0.5, 0.9, 0.33):
        wanted = np.quantile(value, share, method="averaged_inverted_cdf")
        assert float(weighted_quantile(value, torch.ones(40, dtype=torch.float64), share)) == pytest.approx(float(wanted))


def test_the_tenth_at_either_end_is_outside_of_the_spread() -> None:
    mm = torch.arange(1.0, 21.0)
    found = aggregate(mm, torch.ones(20))
    assert (int(found["frames"]), int(found["used"])) == (20, 16)
    assert 2 < float(found["spread_low"]) < 3
    assert 18 < float(found["spread_high"]) < 19


def test_it_is_exported_and_answers_any_count_of_frames() -> None:
    class Program(torch.nn.Module):
        def forward(self, mm: torch.Tensor, weight: torch.Tensor) -> dict[str, torch.Tensor]:
            return aggregate(mm, weight)

    scripted = torch.jit.script(Program())
    free = {0: torch.export.Dim.DYNAMIC}
    exported = torch.export.export(Program(), (MM, torch.ones(9)), dynamic_shapes=(free, free)).module()
    for count in (2, 3, 9, 100, 1, 0):
        mm = torch.rand(count, generator=torch.Generator().manual_seed(count)) * 12
        wanted = aggregate(mm, mm.sin().abs())
        for program in (scripted, exported)[: 2 if count > 1 else 1]:
            for name, value in program(mm, mm.sin().abs()).items():
                assert float(value) == pytest.approx(float(wanted[name]), nan_ok=True), (count, name)
