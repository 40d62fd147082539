import pytest
import torch
from pytorch_lightning.utilities import move_data_to_device

from core_attention.segments import Segments
from datamodules.ragged import flatten


def test_items_can_be_taken_apart_again():
    items = [torch.rand(3, 2), torch.rand(0, 2), torch.rand(5, 2)]
    flat, offsets, longest, count = flatten(items)
    assert offsets.dtype == torch.int64
    assert (longest, count) == (5, 3)
    assert all(torch.equal(flat[offsets[row] : offsets[row + 1]], item) for row, item in enumerate(items))
    assert offsets[-1] == len(flat)


def test_all_but_the_tensor_are_the_segments_of_attention_also_after_a_move_to_a_device():
    items = [torch.rand(3, 2), torch.rand(0, 2), torch.rand(5, 2)]
    batch = move_data_to_device({"nodes": flatten(items)}, torch.device("cpu"))
    _, *place = batch["nodes"]
    assert batch["nodes"]._fields[1:] == Segments._fields
    assert str(Segments(*place)) == str(Segments.from_lengths([3, 0, 5]))


def test_nothing_cannot_be_flattened():
    with pytest.raises(ValueError, match="at least one item"):
        flatten([])
