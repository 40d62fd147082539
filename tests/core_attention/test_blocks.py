import pytest
import torch

from core_attention import Segments
from core_attention.blocks import DropPath, PreNorm


def test_a_block_has_timms_names() -> None:
    names = {name.rsplit(".", 1)[0] for name, _ in PreNorm(8, 2, layer_scale=1e-5).named_parameters()}
    assert names == {"norm1", "attn.qkv", "attn.proj", "ls1", "norm2", "mlp.fc1", "mlp.fc2", "ls2"}


def test_a_block_with_silent_branches_is_the_identity() -> None:
    x = torch.randn(2, 5, 8)
    assert torch.equal(PreNorm(8, 2, layer_scale=0.0)(x), x)
    assert not torch.equal(PreNorm(8, 2)(x), x)


def test_a_block_gives_the_map_of_its_mixer() -> None:
    x = torch.randn(2, 5, 8)
    block = PreNorm(8, 2)
    y, mean = block(x, need="mean")
    torch.testing.assert_close(y, block(x))
    torch.testing.assert_close(mean, block.attn(block.norm1(x), need="mean")[1])


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    y = DropPath(0.25).train()(torch.ones(4000, 3))
    assert y.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (y == y[:, :1]).all()
    assert y.mean() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(DropPath(0.25).eval()(y), y)


def test_drop_path_drops_whole_segments() -> None:
    torch.manual_seed(0)
    lengths = [3, 0, 2, 4] * 20
    y = DropPath(0.5).train()(torch.ones(sum(lengths), 2), Segments.from_lengths(lengths))
    parts = [part for part in y.split(lengths) if len(part)]
    assert all((part == part[0, 0]).all() for part in parts)
    assert {float(part[0, 0]) for part in parts} == {0.0, 2.0}


def test_a_rate_of_one_would_drop_everything() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        DropPath(1.0)
