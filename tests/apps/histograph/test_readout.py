import pytest
import torch
from torch import Tensor

from apps.histograph.errors import HistoryLengthError, MissingIndexError
from apps.histograph.node_attention import NodeAttention, buckets, graph_mean
from apps.histograph.readout import HistoReadout
from apps.histograph.textbook import absorbed_layer_attention, textbook_layer_attention
from core_attention.depth.history import HistoryAttention
from core_attention.segments import Segments
from kernels.history_attention.reference import normalise
from tests.apps.histograph.graphs import history, index_of

NORMS = ("signed", "l1", "softmax", "uniform")


def readout(layers: int = 4, width: int = 8, seed: int = 0, **options) -> HistoReadout:
    torch.manual_seed(seed)
    made = HistoReadout(width, layers, heads=2, **options).double().eval()
    for parameter in made.parameters():  # biases begin at zero and would hide mistakes
        if parameter.requires_grad and parameter.ndim == 1:
            torch.nn.init.normal_(parameter)
    return made


def off(a: Tensor, b: Tensor) -> float:
    return float(((a - b).abs().max() / b.abs().max().clamp(min=1e-12)).detach())


@pytest.mark.parametrize("norm", NORMS)
def test_the_absorbed_first_stage_equals_the_textbook(norm: str) -> None:
    generator = torch.Generator().manual_seed(1)
    for case in range(50):
        lengths = torch.randint(0, 13, (int(torch.randint(1, 6, (), generator=generator)),), generator=generator).tolist()
        lengths[0] += 1
        layers = int(torch.randint(1, 9, (), generator=generator))
        x, segments = history(lengths, layers, seed=case)
        x.requires_grad_()
        torch.manual_seed(case)
        layer = HistoryAttention(6, layers, 8, norm=norm, value=case % 2 == 1, qk_bias=norm != "uniform" and case % 3 == 1).double()
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        wanted, found = textbook_layer_attention(layer, x, segments), absorbed_layer_attention(layer, x, segments)
        assert off(found[0], wanted[0]) <= 1e-10
        assert off(found[1], wanted[1]) <= 1e-10
        sources = [x, *layer.parameters()]
        probe = torch.randn_like(wanted[0])
        gradients = [torch.autograd.grad((h * probe).sum(), sources, allow_unused=True) for h, _ in (found, wanted)]
        for one, other in zip(*gradients, strict=True):
            if one is not None or other is not None:
                one = torch.zeros_like(other) if one is None else one
                other = torch.zeros_like(one) if other is None else other
                assert float((one - other).abs().max()) <= 1e-8 * max(1.0, float(other.abs().max()))


@pytest.mark.parametrize("norm", NORMS)
def test_the_absorbed_first_stage_equals_the_textbook_in_single_precision(norm: str) -> None:
    x, segments = history([5, 9, 1])
    torch.manual_seed(0)
    layer = HistoryAttention(8, 4, norm=norm, value=True)
    wanted, found = textbook_layer_attention(layer, x.float(), segments)[0], layer(x.float(), segments)[0]
    assert off(found, wanted) <= 1e-4


def test_pooling_without_forming_the_nodes_equals_the_mean_of_the_nodes() -> None:
    x, segments = history([5, 1, 0, 9])
    torch.manual_seed(0)
    layer = NodeAttention(8, 2).double()
    torch.nn.init.normal_(layer.attn.qkv.bias)
    torch.nn.init.normal_(layer.attn.proj.bias)
    pooled, weights = layer.pooled(x[:, 0], segments)
    torch.testing.assert_close(pooled, graph_mean(layer(x[:, 0], segments), segments), rtol=0, atol=1e-12)
    sums = torch.zeros(4).double().index_add(0, index_of(segments), weights)
    torch.testing.assert_close(sums, torch.tensor([1.0, 1.0, 0.0, 1.0]).double())


def test_padded_flat_and_bucketed_attention_agree() -> None:
    x, segments = history([1, 620, 2, 0, 30], layers=1)
    x = x.float()[:, 0]
    layer = NodeAttention(8, 2)
    answers = []
    for form in ("padded", "flat", "buckets"):
        layer.form = form
        answers.append((layer(x, segments), *layer.pooled(x, segments)))
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_no_bucket_is_padded_by_more_than_a_quarter() -> None:
    sizes = torch.randint(1, 600, (64,), generator=torch.Generator().manual_seed(0)).tolist()
    found = buckets(sizes)
    for bucket in set(found):
        own = [size for size, place in zip(sizes, found, strict=True) if place == bucket]
        assert sum(own) >= 0.75 * len(own) * max(own)


@pytest.mark.parametrize("options", [{}, {"pool": "max"}, {"node_attention": "induced"}, {"score_pool": "node"}])
def test_the_order_of_the_nodes_does_not_matter(options: dict) -> None:
    x, segments = history([5, 9])
    model, index = readout(**options), index_of(segments)
    expected, nodes = model(x, index, 2), model.nodes(x, index, 2)
    order = torch.randperm(14, generator=torch.Generator().manual_seed(0))  # across the graphs: the index is no longer sorted
    torch.testing.assert_close(model(x[order], index[order], 2), expected)
    torch.testing.assert_close(model.nodes(x[order], index[order], 2), nodes[order])
    weights = model.layer_weights(x, index, 2)
    moved = weights[order] if options.get("score_pool") == "node" else weights
    torch.testing.assert_close(model.layer_weights(x[order], index[order], 2), moved)


def test_signed_weights_sum_to_one_and_do_not_see_the_scale_of_the_scores() -> None:
    c = torch.tensor([[3.0, -1.0, 2.0], [0.5, 0.2, -2.0]]).double()
    a = normalise(c, "signed", 0.05)
    torch.testing.assert_close(a.sum(1), torch.ones(2).double())
    for scale in (-3.0, 0.1, 7.0):
        torch.testing.assert_close(normalise(scale * c, "signed", 0.05), a)
    torch.testing.assert_close(normalise(c + 1, "softmax", 0.05), normalise(c, "softmax", 0.05))
    assert not torch.allclose(normalise(c + 1, "signed", 0.05), a)


def test_sizes_of_l1_weights_sum_to_one_and_softmax_weights_are_positive_and_do() -> None:
    c = torch.tensor([[3.0, -1.0, 2.0], [-0.5, -0.2, -2.0]]).double()
    torch.testing.assert_close(normalise(c, "l1", 0.05).abs().sum(1), torch.ones(2).double())
    assert torch.equal(normalise(c, "l1", 0.05).sign(), c.sign())
    assert bool((normalise(c, "softmax", 0.05) > 0).all())
    torch.testing.assert_close(normalise(c, "softmax", 0.05).sum(1), torch.ones(2).double())


def test_signed_weights_stay_bounded_where_their_sum_crosses_zero() -> None:
    steps = torch.linspace(-0.1, 0.1, 41).double()
    c = torch.stack([torch.ones(41).double(), steps - 1], 1).requires_grad_()
    a = normalise(c, "signed", 0.05)
    a.square().sum().backward()
    assert float(a.detach().abs().max()) <= 20 + 1e-9
    assert bool(a.isfinite().all())
    assert bool(c.grad.isfinite().all())


@pytest.mark.parametrize("norm", NORMS)
def test_scores_of_zero_give_the_mean_of_the_states(norm: str) -> None:
    x, segments = history([5, 3])
    model = readout(norm=norm)
    if model.layers.q is not None:
        torch.nn.init.zeros_(model.layers.q.weight)
    torch.testing.assert_close(model.layer_weights(x, index_of(segments), 2), torch.full((2, 4), 0.25).double())


def test_uniform_weights_without_node_attention_are_the_mean_of_mean_pooling() -> None:
    x, segments = history([5, 3])
    model = readout(norm="uniform", node_attention="none")
    torch.nn.init.eye_(model.layers.emb.weight)
    torch.nn.init.zeros_(model.layers.emb.bias)
    model.layers.position_LD.zero_()
    expected = torch.stack([x[:5].mean((0, 1)), x[5:].mean((0, 1))])
    torch.testing.assert_close(model(x, index_of(segments), 2), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("norm", ["signed", "l1", "softmax"])
def test_a_single_state_is_taken_whole(norm: str) -> None:
    x, segments = history([5, 3], layers=1)
    model = readout(layers=1, norm=norm)
    weights = model.layer_weights(x, index_of(segments), 2)
    torch.testing.assert_close(weights.abs() if norm == "l1" else weights, torch.ones(2, 1).double())
    h, _ = model.layers(x, segments)
    t = model.layers.emb(x[:, 0]) + model.layers.position_LD[0]
    torch.testing.assert_close(h, weights[index_of(segments)] * t)


@pytest.mark.parametrize("norm", ["signed", "l1", "softmax"])
def test_equal_states_without_positions_weigh_alike(norm: str) -> None:
    x, segments = history([5, 3], layers=1)
    model = readout(norm=norm)
    model.layers.position_LD.zero_()
    weights = model.layer_weights(x.expand(-1, 4, -1), index_of(segments), 2)
    torch.testing.assert_close(weights.abs() if norm == "l1" else weights, torch.full((2, 4), 0.25).double())


@pytest.mark.parametrize("options", [{}, {"pool": "sum"}, {"pool": "max"}, {"layer_norm": True}, {"node_attention": "induced"}])
def test_empty_graphs_anywhere_give_zero_rows_and_finite_gradients(options: dict) -> None:
    x, _ = history([5, 3])
    x.requires_grad_()
    index = torch.tensor([1] * 5 + [3] * 3)
    model = readout(**options)
    answer = model(x, index, 5)
    assert answer.shape == (5, 8)
    assert not answer[[0, 2, 4]].any()
    torch.testing.assert_close(answer[[1, 3]], model(x, torch.tensor([0] * 5 + [1] * 3), 2))
    answer.sum().backward()
    assert bool(x.grad.isfinite().all())
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_one_node_looks_at_itself() -> None:
    x, segments = history([1, 4, 1], layers=1)
    _, weights = NodeAttention(8, 2).double().pooled(x[:, 0], segments)
    torch.testing.assert_close(weights[[0, 5]], torch.ones(2).double())


def test_sum_pooling_is_the_mean_times_the_number_of_nodes() -> None:
    x, segments = history([5, 3])
    torch.testing.assert_close(
        readout(pool="sum")(x, index_of(segments), 2), readout(pool="mean")(x, index_of(segments), 2) * torch.tensor([[5.0], [3.0]])
    )


def test_states_of_unequal_width_have_an_embedding_each() -> None:
    model = readout_of_widths()
    states = [torch.randn(6, width).double() for width in (3, 8, 5)]
    assert model(states, torch.zeros(6, dtype=torch.int64), 1).shape == (1, 8)
    with pytest.raises(ValueError, match="project='per_layer'"):
        HistoReadout([3, 8], 2)


def readout_of_widths() -> HistoReadout:
    return HistoReadout([3, 8, 5], 3, 8, heads=2, project="per_layer").double()


def test_an_early_difference_between_nodes_can_vanish_despite_an_early_weight() -> None:
    # The paper's first proposition as we read it says otherwise: it needs sum_l a_l (x_u - x_v) to differ from 0.
    a = torch.tensor([0.4, 0.4, 0.2])
    u, v = torch.tensor([1.0, -1.0, 0.0]), torch.tensor([-1.0, 1.0, 0.0])
    assert float(a @ u) == float(a @ v)


def test_what_does_not_fit_is_refused_by_name() -> None:
    x, segments = history([5, 3])
    model, index = readout(), index_of(segments)
    with pytest.raises(HistoryLengthError, match="4 states, the history has 3"):
        model(x[:, :3], index, 2)
    with pytest.raises(MissingIndexError):
        model(x, None, 2)
    with pytest.raises(ValueError, match="goes from 0 to 1"):
        model(x, index, 1)
    with pytest.raises(ValueError, match="goes from -1 to"):
        model(x, index - 1, 2)
    with pytest.raises(ValueError, match=r"\(8,\), not"):
        model(x, index[:-1], 2)
    with pytest.raises(ValueError, match="whole number"):
        model(x, index.double(), 2)
    with pytest.raises(ValueError, match="state 2"):
        broken = x.clone()
        broken[3, 2, 1] = torch.nan
        model(broken, index, 2, validate=True)
    with pytest.raises(ValueError, match="heads"):
        HistoReadout(7, 3, heads=2)


def test_segments_and_a_sorted_index_say_the_same() -> None:
    x, _ = history([8])
    model = readout()
    alone = model(x, torch.zeros(8, dtype=torch.int64), 1)
    torch.testing.assert_close(model.read(x, Segments.from_lengths([8])).graphs, alone, rtol=0, atol=0)
