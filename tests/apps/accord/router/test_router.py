import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.accord.router import Router
from apps.accord.router.batches import batch
from apps.accord.router.forward import Forward, shapes
from apps.accord.router.model import RouterNet
from apps.accord.router.router import FILE
from apps.accord.router.texts import PARTS, examples, templates
from apps.accord.router.tokens import HEAD, TAIL, tokens
from apps.accord.router.train import main
from apps.base.errors import UserError
from datamodules.accord.instances import KINDS
from tests.apps.accord.front.told import INSIDE, OUTSIDE


@pytest.fixture(scope="module")
def router() -> Router:
    return Router.load(None)


def test_held_out_templates_reach_their_kind_and_held_out_outsiders_are_refused(router: Router) -> None:
    found = examples("test", 300, seed=7)
    routes = [router(one.text) for one in found]
    inside = [route.likely == one.kind for one, route in zip(found, routes, strict=True) if one.kind]
    outside = [route.kind is None for one, route in zip(found, routes, strict=True) if not one.kind]
    assert sum(inside) >= 0.99 * len(inside)
    assert sum(outside) >= 0.95 * len(outside)


def test_problems_told_by_hand_reach_their_kind(router: Router) -> None:
    routes = [(kind, router(text)) for kind, text in INSIDE]
    assert all(route.kind == kind for kind, route in routes)


def test_outsiders_told_by_hand_are_refused_with_a_reason(router: Router) -> None:
    routes = [router(text) for text in OUTSIDE]
    assert all(route.kind is None for route in routes)
    assert all(bool(route.refused) == (route.kind is None) for route in routes)
    assert all("\n" not in (route.refused or "") for route in routes)


def test_a_refusal_by_the_front_end_names_what_is_not_modelled(router: Router) -> None:
    data = "Vehicle capacity is 10. The depot is at (0, 0). Customers are at (3, 4), (5, 5). Demands: 4, 6."
    route = router(f"Solve this vehicle routing problem with time windows. {data}")
    assert route.kind is None
    assert "time windows" in (route.refused or "")


def test_places_with_loads_are_never_toured_without_them(router: Router) -> None:
    text = "Each courier can carry up to 15 parcels. The hub is at (1, 1). A (4, 4) needs 6 parcels, B (9, 2) needs 8 parcels."
    assert router(f"{text} Who drives where?").kind in ("cvrp", None)


def test_numbers_that_a_tour_would_lose_refuse_it(router: Router) -> None:
    places = "Waste bins stand at (2, 3), (5, 8) and (9, 1), the depot at (0, 0)."
    route = router(f"{places} They hold 30, 45 and 20 litres. Plan the shortest tour of the truck.")
    assert route.kind != "tsp"
    assert route.refused
    assert router("Find the shortest round trip through stops 1 (2, 3), 2 (5, 8) and 3 (9, 1) and 4 (0, 0).").kind in ("tsp", None)


def test_what_is_missing_refuses_and_is_named(router: Router) -> None:
    route = router("Solve this 0/1 knapsack problem. Items (value, weight): (6, 4), (5, 3), (9, 7).")
    assert (route.kind, route.likely) == (None, "knapsack")
    assert "capacity" in (route.refused or "")


@pytest.mark.parametrize("text", ["", " \n", "?!", "12 13 14", "é" * 10, "[" * 1000])
def test_texts_without_a_problem_are_refused(router: Router, text: str) -> None:
    route = router(text)
    assert route.kind is None
    assert route.refused


def test_a_text_without_numbers_is_not_asked_for_one_thing(router: Router) -> None:
    assert "no numbers" in (router("hello there").refused or "")


@pytest.mark.full
def test_a_megabyte_is_answered(router: Router) -> None:
    assert router("word " * 200_000).kind is None
    assert router("[" * 500_000 + "tour " * 100_000).kind is None


def test_a_list_of_ten_thousand_is_answered(router: Router) -> None:
    sizes = ", ".join(str(20 + k % 80) for k in range(10_000))
    route = router(f"Solve this bin packing problem. Bins of capacity 150, as few bins as possible. Sizes: {sizes}.")
    assert route.likely == "binpack"


def test_scores_are_probabilities_and_attention_lies_in_the_text(router: Router) -> None:
    text = "Find the shortest round trip through 4 cities: (0, 0), (3, 4), (6, 1), (2, 2)."
    route = router(text)
    assert sum(route.scores.values()) == pytest.approx(1, abs=1e-5)
    assert list(route.scores) == list(KINDS)
    assert sum(weight for _, _, weight in route.attention) == pytest.approx(1, abs=1e-5)
    assert all(0 <= start < end <= len(text) and text[start:end].strip() == text[start:end] for start, end, _ in route.attention)


def test_a_text_is_scored_alike_alone_and_beside_longer_ones() -> None:
    torch.manual_seed(0)
    net = RouterNet().eval()
    texts = [tokens(text) for text in ("Pack the bins.", "A much longer text of many words stands beside it, and more.", "")]
    with torch.no_grad():
        together = net(*batch(texts))[0]
        alone = torch.cat([net(*batch([text]))[0] for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_the_network_without_torch_scores_as_the_one_that_was_trained() -> None:
    torch.manual_seed(0)
    net = RouterNet().eval()
    for value in net.parameters():
        torch.nn.init.normal_(value, std=0.3)
    forward = Forward({name: value.numpy() for name, value in net.state_dict().items()}, heads=4)
    for text in ("Pack the bins.", "", "Find the shortest tour through (0, 0), (3, 4), (6, 1). " * 40):
        with torch.no_grad():
            logits_BK, weight_BN = net(*batch([tokens(text)]))
        logits_K, weight_N = forward(tokens(text))
        np.testing.assert_allclose(logits_K, logits_BK[0].numpy(), atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(weight_N, weight_BN[0].numpy(), atol=1e-5, rtol=1e-5)
    sizes = {"buckets": 4096, "width": 16, "dim": 64, "heads": 4, "layers": 2, "hidden": 96}
    assert shapes(6, **sizes) == {name: tuple(value.shape) for name, value in net.state_dict().items()}


def test_a_text_is_routed_without_torch() -> None:
    code = "import sys; from apps.accord.router import Router; Router.load()('Pack 3, 4, 5 into bins of 6.'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_long_texts_keep_their_first_and_last_words() -> None:
    def name(k: int) -> str:
        return "".join(chr(ord("a") + k // 26**i % 26) for i in range(4))

    words = [name(k) for k in range(HEAD + TAIL + 500)]
    text = " ".join(words)
    found = [text[token.start : token.end] for token in tokens(text)]
    assert found == words[:HEAD] + words[-TAIL:]
    longer = " ".join([*words, *(name(k) for k in range(10_000, 60_000))])
    assert len(tokens(longer)) == HEAD + TAIL


def test_how_many_numbers_a_problem_has_changes_no_token() -> None:
    short, long = (tokens(f"Sizes: {', '.join(['5'] * n)} and done") for n in (3, 300))
    assert [token.buckets for token in short] == [token.buckets for token in long]


def test_templates_and_outsiders_of_the_test_are_never_learned_from() -> None:
    assert all(len(templates()["train"][kind]) + len(templates()["valid"][kind]) + len(templates()["test"][kind]) >= 40 for kind in KINDS)
    for one in PARTS:
        for other in PARTS:
            if one != other:
                assert not {t for kind in KINDS for t in templates()[one][kind]} & {t for kind in KINDS for t in templates()[other][kind]}
    seen = {one.source for one in examples("train", 2000, 0) if one.kind is None}
    assert not seen & {one.source for part in ("valid", "test") for one in examples(part, 500, 0) if one.kind is None}


def test_templates_with_numbers_of_their_own_tell_no_made_problem() -> None:
    found = [one for one in examples("train", 400, 0, outside=0.0) if "{data}" not in one.source]
    assert found
    assert all(one.instance is None for one in found)


def test_a_problem_told_in_a_way_that_is_not_read_keeps_its_kind(router: Router) -> None:
    route = router("Solve this vehicle routing problem. The depot is at (0, 0), customers at (3, 4), (6, 1), (2, 8). Vans hold ten or so.")
    assert (route.kind, route.likely) == (None, "cvrp")


def test_how_numbers_stand_together_is_seen() -> None:
    (single,), (listed,), (pairs,) = (tokens(text) for text in ("12", "3, 4, 5", "(3, 4), (6, 1)"))
    assert len({single.buckets, listed.buckets, pairs.buckets}) == 3
    assert tokens("(3, 4), (6, 1), (2, 2), (8, 9)")[0].buckets == pairs.buckets


def test_example_k_does_not_depend_on_how_many_there_are() -> None:
    assert [one.text for one in examples("train", 5, 3)] == [one.text for one in examples("train", 20, 3)[:5]]
    assert [one.text for one in examples("train", 5, 3)] != [one.text for one in examples("train", 5, 4)]


def test_the_shipped_weights_are_small_and_their_card_is_true() -> None:
    card = json.loads(FILE.with_suffix(".json").read_text("utf-8"))
    assert FILE.stat().st_size == card["bytes"] <= 260_000
    assert card["kinds"] == list(KINDS)
    assert card["p_min"] == 0.9


def test_training_is_the_same_twice_and_its_file_loads(tmp_path: Path) -> None:
    for name in ("a", "b"):
        main(["--texts", "192", "--epochs", "1", "--judged", "40", "--out", str(tmp_path / f"{name}.safetensors")])
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert Router.load(tmp_path / "a.safetensors")("hello").kind is None


def test_files_that_are_no_router_are_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "r.safetensors"
    with pytest.raises(UserError, match="no such file"):
        Router.load(broken)
    broken.write_bytes(b"no weights")
    broken.with_suffix(".json").write_text(json.dumps({"kinds": list(KINDS), "model": {}, "p_min": 0.9, "energy": 0}))
    with pytest.raises(UserError, match="no weights of a router") as caught:
        Router.load(broken)
    assert "\n" not in str(caught.value)
