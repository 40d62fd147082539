import math

import pytest
import torch

from core_attention.maps import SecondarySink, primary_sinks, secondary_sinks, sink_scores
from tests.core_attention.maps.models import softmax, tokens


def test_the_score_is_the_mean_over_queries_and_heads() -> None:
    full = softmax()(tokens(2, 4, 8), need="full")[1]
    looped = torch.zeros(2, 4, dtype=torch.float64)
    for b in range(2):
        for j in range(4):
            looped[b, j] = sum(full[b, h, i, j] for h in range(2) for i in range(4)) / 8
    torch.testing.assert_close(sink_scores(full), looped, rtol=0, atol=1e-15)


def test_queries_of_padding_do_not_count() -> None:
    full, valid = softmax()(tokens(2, 4, 8), need="full")[1], torch.tensor([[True, True, True, False], [False] * 4])
    found = sink_scores(full, valid)
    torch.testing.assert_close(found[0], full[0, :, :3].mean((0, 1)))
    assert (found[1] == 0).all()
    with pytest.raises(ValueError, match=r"bool \(2, 4\), not torch.bool \(2, 3\)"):
        sink_scores(full, valid[:, :3])


def test_a_primary_sink_is_one_in_every_layer() -> None:
    scores = torch.tensor([[[0.5, 0.4, 0.0]], [[0.4, 0.2, 0.4]]])
    assert primary_sinks(scores).tolist() == [[True, False, False]]
    assert primary_sinks(scores, tau=0.45).tolist() == [[False, False, False]]
    assert primary_sinks(scores[:1]).tolist() == [[True, True, False]]


def test_secondary_sinks_are_reported_from_birth_to_death() -> None:
    # token 0 primary throughout; token 1 a sink in layers 2 and 3; token 2 twice; token 3 from the first layer: not born later
    scores = torch.tensor([[0.5, 0.0, 0.0, 0.2], [0.5, 0.0, 0.2, 0.2], [0.5, 0.15, 0.0, 0.0], [0.5, 0.2, 0.0, 0.0], [0.5, 0.0, 0.3, 0.0]])[
        :, None
    ]
    mlp, values = tokens(5, 1, 4, 6), tokens(5, 1, 4, 6, seed=1)
    found = secondary_sinks(scores, mlp, values)
    assert [(s.sample, s.token, s.born, s.lifetime) for s in found] == [(0, 1, 2, 2), (0, 2, 1, 1), (0, 2, 4, 1)]
    first = found[0]
    assert isinstance(first, SecondarySink)
    assert first.score == pytest.approx(0.2)
    written, direction = mlp[1, 0, 1], values[2, 0, 0]  # by the layer before its birth; of the primary sink
    assert first.mlp_norm == pytest.approx(math.sqrt(sum(v * v for v in written.tolist())))
    dot = sum(a * b for a, b in zip(written.tolist(), direction.tolist(), strict=True))
    assert first.cosine == pytest.approx(dot / (first.mlp_norm * direction.norm().item()))


def test_without_a_primary_sink_there_is_no_cosine() -> None:
    scores = torch.tensor([[[0.0, 0.0]], [[0.2, 0.0]]])
    (found,) = secondary_sinks(scores, tokens(2, 1, 2, 3), tokens(2, 1, 2, 3))
    assert math.isnan(found.cosine)
    assert found.lifetime == 1


def test_what_does_not_fit_is_refused_with_the_numbers() -> None:
    scores = torch.zeros(3, 2, 4)
    with pytest.raises(ValueError, match=r"mlp is \(3, 2, 4, D\) with one D, not \(2, 2, 4, 5\)"):
        secondary_sinks(scores, torch.zeros(2, 2, 4, 5), torch.zeros(3, 2, 4, 5))
    with pytest.raises(ValueError, match=r"values is \(3, 2, 4, D\) with one D, not \(3, 2, 4, 6\)"):
        secondary_sinks(scores, torch.zeros(3, 2, 4, 5), torch.zeros(3, 2, 4, 6))
    with pytest.raises(ValueError, match=r"weak=0.4 is above tau=0.3"):
        secondary_sinks(scores, torch.zeros(3, 2, 4, 5), torch.zeros(3, 2, 4, 5), weak=0.4)
    with pytest.raises(ValueError, match=r"\(layers, B, M\).* not \(2, 4\)"):
        primary_sinks(torch.zeros(2, 4))
