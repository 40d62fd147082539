import pytest
import torch

from apps.histograph.errors import MissingIndexError
from tests.apps.histograph.graphs import history, index_of

pyg = pytest.importorskip("torch_geometric.nn")
from apps.histograph.aggregation import HistoAggregation  # noqa: E402


def test_index_and_ptr_and_both_shapes_say_the_same() -> None:
    x, segments = history([5, 3, 0])
    pool, index = HistoAggregation(8, 4, heads=2).double().eval(), index_of(segments)
    expected = pool.readout(x, index, 3)
    for answer in (
        pool(x.flatten(1), index, dim_size=3),
        pool(x.flatten(1), ptr=segments.offsets),
        pool(x, index, dim_size=3, dim=0),
    ):
        torch.testing.assert_close(answer, expected, rtol=0, atol=0)
    assert pool(x.flatten(1), index).shape == (2, 8)


def test_it_stands_wherever_pyg_takes_an_aggregation() -> None:
    x, segments = history([5, 3])
    both = pyg.MultiAggregation([HistoAggregation(8, 4, heads=2).double(), "mean"])
    assert both(x.flatten(1), index_of(segments)).shape == (2, 8 + 32)
    cat = pyg.JumpingKnowledge("cat")([x[:, i] for i in range(4)])
    assert HistoAggregation(8, 4).double()(cat, index_of(segments)).shape == (2, 8)


def test_a_forgotten_index_and_the_wrong_dimension_are_refused() -> None:
    x, segments = history([5, 3])
    pool = HistoAggregation(8, 4, heads=2).double()
    with pytest.raises(MissingIndexError, match="index of zeros"):
        pool(x.flatten(1))
    with pytest.raises(ValueError, match="dim=0"):
        pool(x, index_of(segments))
    with pytest.raises(ValueError, match="4 x 8"):
        pool(x[:, :3].flatten(1), index_of(segments))
