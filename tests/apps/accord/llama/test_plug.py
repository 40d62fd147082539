import re
from pathlib import Path
from typing import Any

import pytest
import torch

from apps.accord.llama import LlamaPlug
from apps.accord.llama.decoding import Row
from apps.accord.llama.feeder import Feeder
from apps.accord.llama.prompt import prompt
from apps.accord.llama.scribes import FORMS
from apps.accord.llama.trie import grow
from apps.base.errors import UserError
from datamodules.accord.checker import check
from datamodules.accord.formats import accord_text, list_text, read, read_solution, write
from datamodules.accord.instances import CVRP, KINDS, TSP, BinPacking, FlowShop, Instance, JobShop, Knapsack
from datamodules.accord.synth import generate

pytest.importorskip("transformers", reason="needs the extra hf")
pytest.importorskip("peft", reason="needs the extra hf")
from tests.apps.accord.llama.tiny import save_adapter, save_model

FAR = [[0, 3, 5, 4], [3, 0, 2, 6], [5, 2, 0, 1], [4, 6, 1, 0]]
INSTANCES: list[Instance] = [
    TSP(FAR),  # type: ignore[arg-type]
    CVRP(FAR, [0, 3, 4, 2], 6),  # type: ignore[arg-type]
    Knapsack([6, 5, 9, 5], [4, 3, 7, 3], 10),  # type: ignore[arg-type]
    BinPacking([6, 5, 4, 5], 10),  # type: ignore[arg-type]
    FlowShop([[2, 3], [1, 4], [5, 1]]),  # type: ignore[arg-type]
    JobShop((((0, 3), (1, 2)), ((1, 2), (0, 4))), 2),
]
READERS: dict[str, Any] = dict(zip(FORMS, (accord_text.read_solution, list_text.read_solution), strict=True))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("llama")
    model = save_model(home / "model")
    return {"model": model, "tsp": save_adapter(model, home / "a", 1), "knapsack": save_adapter(model, home / "b", 2)}


@pytest.fixture(scope="module")
def plug(folders: dict[str, Path]) -> LlamaPlug:
    return LlamaPlug(folders["model"], {"tsp": folders["tsp"], "knapsack": folders["knapsack"]})


@pytest.mark.parametrize("form", FORMS)
def test_a_random_llama_writes_feasible_texts_of_all_kinds(plug: LlamaPlug, form: str) -> None:
    for instance, written in zip(INSTANCES, plug.solve(INSTANCES, form=form, samples=2, seed=3), strict=True):
        read = READERS[form](written.text, instance)
        report = check(instance, read.plan)
        assert report.feasible, (instance.kind, written.text)
        assert report.objective == written.solution.objective
        assert not read.notes  # every state and total in the text is true
        assert written.feasible == 2
        assert (written.solution.kind, written.solution.status) == (instance.kind, "feasible")


def test_near_temperature_0_a_drawn_text_is_the_greedy_one(plug: LlamaPlug) -> None:
    (greedy,), (cold,) = plug.solve(INSTANCES[:1]), plug.solve(INSTANCES[:1], samples=2, temperature=1e-45)
    assert set(cold.texts) == {greedy.text}


def test_the_example_of_the_readme_runs(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import apps.accord

    readme = (Path(apps.accord.__file__).parent / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llama").symlink_to(folders["model"])
    (tmp_path / "llama-tsp").symlink_to(folders["tsp"])
    write(generate("tsp", 2, 5), tmp_path / "problems.jsonl")
    exec(compile(example, "README.md", "exec"), {})
    for instance in read(tmp_path / "problems.jsonl"):
        plan, declared = read_solution(tmp_path / f"{instance.name}.accord", instance)
        report = check(instance, plan, declared)
        assert (report.feasible, report.misdeclared) == (True, False)


def test_without_masks_a_random_llama_is_never_called_feasible(plug: LlamaPlug) -> None:
    for written in plug.solve(INSTANCES[:3], masked=False, longest=40, samples=2):
        assert (written.solution.status, written.solution.plan, written.feasible) == ("unknown", None, 0)
        assert written.solution.reason


def test_a_free_text_that_is_right_is_taken(plug: LlamaPlug, monkeypatch: pytest.MonkeyPatch) -> None:
    right = accord_text.write_solution(INSTANCES[0], (0, 1, 2, 3))

    def say(model: object, rows: list[Row], stops: object, most: int, decode: object) -> None:
        for row, text in zip(rows, ["nothing", right], strict=True):
            row.text, row.done = text, True

    monkeypatch.setattr("apps.accord.llama.plug.free", say)
    (written,) = plug.solve(INSTANCES[:1], masked=False, samples=2)
    assert (written.solution.objective, written.solution.plan, written.feasible) == (3 + 2 + 1 + 4, (0, 1, 2, 3), 1)
    assert written.texts == ("nothing", right)


def test_a_text_does_not_depend_on_its_batch_mates(plug: LlamaPlug) -> None:
    together = plug.solve([INSTANCES[5], INSTANCES[4], INSTANCES[5]], samples=1)
    alone = plug.solve([INSTANCES[5]], samples=1)
    assert together[0].text == together[2].text == alone[0].text
    assert together[0].logp == pytest.approx(alone[0].logp, abs=1e-4)


def test_the_same_seed_writes_the_same_texts(plug: LlamaPlug) -> None:
    first, second, other = (plug.solve(INSTANCES[4:], samples=4, seed=seed) for seed in (5, 5, 6))
    assert [one.texts for one in first] == [one.texts for one in second]
    assert [one.texts for one in first] != [one.texts for one in other]


def test_each_kind_is_answered_by_its_own_adapter(folders: dict[str, Path], plug: LlamaPlug) -> None:
    bare = LlamaPlug(folders["model"])
    only = LlamaPlug(folders["model"], {"knapsack": folders["knapsack"]})
    logp = {name: [one.logp for one in each.solve(INSTANCES)] for name, each in (("bare", bare), ("only", only), ("both", plug))}
    kinds = list(KINDS)
    for k, kind in enumerate(kinds):
        assert (logp["both"][k] == pytest.approx(logp["bare"][k], abs=1e-4)) == (kind not in ("tsp", "knapsack"))
        assert (logp["only"][k] == pytest.approx(logp["bare"][k], abs=1e-4)) == (kind != "knapsack")
    assert logp["only"][kinds.index("knapsack")] == pytest.approx(logp["both"][kinds.index("knapsack")], abs=1e-4)


def test_pieces_through_the_cache_give_the_logits_of_the_whole(plug: LlamaPlug) -> None:
    whole = torch.tensor([[5, 9, 7, 4, 8, 6]])
    feeder = Feeder(plug.model, 2)
    feeder.feed([[5, 9, 7], [3]])
    feeder.feed([[4], []])
    feeder.keep([0])
    with torch.no_grad():
        expected = plug.model(input_ids=whole).logits[0, -1]
    torch.testing.assert_close(feeder.feed([[8, 6]])[0], expected, atol=1e-4, rtol=1e-4)


def test_a_fleet_that_serves_nobody_is_unknown_not_violated(plug: LlamaPlug) -> None:
    (written,) = plug.solve([CVRP(FAR, [0, 4, 4, 4], 6, fleet=2)])  # type: ignore[arg-type]
    assert (written.solution.status, written.solution.plan) == ("unknown", None)
    assert "fleet" in written.solution.reason


def test_the_tree_offers_only_tokens_of_open_decisions() -> None:
    root = grow({0: [1], 1: [1, 2], 2: [3]}, frozenset({9}))
    assert root.open == [1, 3]
    assert root.children[1].open == [2, 9]  # 1 alone, told by what ends it, or 1 2
    assert root.children[3].open == []


@pytest.mark.parametrize("spelled", [{0: [1], 1: [1]}, {0: []}, {0: [1], 1: [1, 9]}])
def test_a_tokenizer_that_cannot_tell_decisions_apart_is_refused(spelled: dict[int, list[int]]) -> None:
    with pytest.raises(UserError, match="tokenizer"):
        grow(spelled, frozenset({9}))


def test_the_prompt_is_alpacas_with_the_release_s_indentation_on_request() -> None:
    plain, indented = prompt(INSTANCES[5]), prompt(INSTANCES[5], indented=True)
    assert "### Input:\nJ0:\nM0:3 M1:2\nJ1:\nM1:2 M0:4\n\n### Response:\n" in plain
    assert all(line.startswith("    ") for line in indented.split("\n")[1:-1])


def test_wrong_folders_are_one_line_each(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    wordless = tmp_path / "wordless"
    wordless.mkdir()
    for name in ("config.json", "model.safetensors"):
        (wordless / name).write_bytes((folders["model"] / name).read_bytes())
    for said, folder, adapters in [
        ("no config.json", tmp_path / "none", {}),
        ("safetensors", tmp_path / "half", {}),
        ("no tokenizer", wordless, {}),
        ("kind 'vrp' is not known", folders["model"], {"vrp": folders["tsp"]}),
        ("no folder of a PEFT adapter", folders["model"], {"tsp": tmp_path / "half"}),
    ]:
        with pytest.raises(UserError, match=said) as caught:
            LlamaPlug(folder, adapters)
        assert "\n" not in str(caught.value)


def test_a_broken_config_is_one_line(folders: dict[str, Path], tmp_path: Path) -> None:
    for file in folders["model"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "no such model"}')
    with pytest.raises(UserError, match="causal language model") as caught:
        LlamaPlug(tmp_path)
    assert "\n" not in str(caught.value)


def test_options_that_cannot_be_are_refused(plug: LlamaPlug) -> None:
    with pytest.raises(UserError, match="form"):
        plug.solve(INSTANCES[:1], form="prose")
    with pytest.raises(UserError, match="samples"):
        plug.solve(INSTANCES[:1], samples=0)
