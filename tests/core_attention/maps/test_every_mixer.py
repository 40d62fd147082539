"""What the tools promise of one mixer they promise of every mixer on the table."""

from typing import Any

import torch

from core_attention.maps import head_gates, record, rollout, shares
from core_attention.mixers.heads import Heads
from tests.core_attention.properties.cases import Case, cases, tokens

GIVES_MAPS = lambda case: "full" in case.spec.needs  # noqa: E731
OF_HEADS = lambda case: isinstance(case.build(), Heads)  # noqa: E731


@cases(GIVES_MAPS)
def test_a_recorded_map_is_the_mixers_own(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    with record(mixer) as recording:
        mixer(**inputs)
    for need in case.spec.needs - {"none"}:
        torch.testing.assert_close(recording.map("", need), mixer(**inputs, need=need)[1])


@cases(lambda case: GIVES_MAPS(case) and case.pattern.endswith("s"))
def test_a_rollout_is_a_row_of_the_product_of_its_maps_as_shares(case: Case) -> None:
    mixers, inputs = [case.build(seed=seed) for seed in range(3)], case.inputs()
    calls: list[tuple[Any, dict[str, Any]]] = []
    n = inputs["x"].shape[1]
    whole, blind = torch.eye(n, dtype=torch.float64), False
    for seed, mixer in enumerate(mixers):
        given = {**inputs, "x": tokens(*inputs["x"].shape, seed=seed)}
        calls.append((mixer, given))
        full = mixer(**given, need="full")[1]
        full = full if case.spec.mass == "one" else shares(full)
        blind = blind or bool((full == 0).all(-1).any())  # a head that a token does not ask, a token in no cluster
        whole = (0.5 * torch.eye(n) + 0.5 * full.mean(1)) @ whole
    found = rollout(calls, row=1)
    torch.testing.assert_close(found.row, whole[:, 1], rtol=0, atol=1e-14)
    if blind:
        assert (found.row.sum(-1) <= 1 + 1e-12).all()
    else:
        torch.testing.assert_close(found.row.sum(-1), torch.ones(2, dtype=torch.float64))
    assert (found.note == "") == (case.spec.mass == "one")


@cases(OF_HEADS)
def test_a_gate_holds_back_one_head_and_no_other(case: Case) -> None:
    mixer, inputs = case.build(), case.inputs()
    whole, parts = mixer(**inputs), []
    with torch.no_grad(), head_gates(mixer) as gates:
        torch.testing.assert_close(mixer(**inputs), whole)
        (gate,) = gates.values()
        gate.zero_()
        nothing = mixer(**inputs)
        for head in range(len(gate)):
            gate.zero_()
            gate[head] = 1
            parts.append(mixer(**inputs) - nothing)
    torch.testing.assert_close(sum(parts) + nothing, whole)
    torch.testing.assert_close(nothing, mixer.proj(torch.zeros_like(whole)))
    assert all((part != 0).any() for part in parts)
