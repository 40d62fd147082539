"""Further properties of the method's brief: what a branch that is off takes part in, what is answered, what is exported, what is chosen."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from apps.dcal.answering import join
from apps.dcal.model import Dcal
from apps.dcal.options import Glca, Pwca
from apps.dcal.program import Classify
from apps.dcal.task import Classification
from core_attention.maps import record, rollout
from core_attention.trunks import build_trunk
from datamodules.dcal.synth import beetles
from datamodules.preprocess import Preprocess
from tests.system.command import TINY, Here, discern

SMALL = {"depth": 2, "width": 16, "heads": 2}
FACTS = {"preprocess": Preprocess(48, mean=(0.5, 0.5, 0.5)).settings(), "licence": "", "classes": list("abcd"), "box_crop": False}
CALIBRATION = {"temperature": {"sa": 2.0, "glca": 0.5}, "threshold": 0.4}


def dcal(glca: Glca | None = None, pwca: Pwca | None = None, learned: bool = False) -> Dcal:
    generator = torch.Generator().manual_seed(0)
    return Dcal(build_trunk("vit_micro", seed=0, **SMALL), 4, glca, pwca, learned_weights=learned, generator=generator).eval()


def pictures(n: int = 3) -> Tensor:
    return torch.randn(n, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def task(**options: Any) -> Classification:
    made = Classification(trunk_options=SMALL, **options)
    made.build({**FACTS, "counts": [1] * 4})
    return made.train()


def batch(n: int) -> dict[str, Tensor]:
    return {"image": pictures(n), "label": torch.arange(n) % 4}


# --- losses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("glca", "pwca", "names"), [(0, 0, []), (1, 0, ["sa", "glca"]), (0, 1, ["sa", "pwca"]), (1, 1, ["sa", "glca", "pwca"])]
)
def test_a_branch_that_is_off_has_neither_a_loss_nor_a_weight(glca: int, pwca: int, names: list[str]) -> None:
    model = dcal(Glca(blocks=glca), Pwca(blocks=pwca), learned=True)
    assert ([] if model.loss_weights is None else sorted(model.loss_weights.w)) == sorted(names)
    outputs = model(pictures(), torch.tensor([1, 2, 0])) if pwca else model(pictures())
    assert list(task().losses(batch(3), outputs)) == (names or ["sa"])


def test_the_weights_of_the_losses_do_not_decay_and_have_a_rate_of_their_own() -> None:
    made = task(glca=Glca(), pwca=Pwca(), loss_weight_lr=10.0)
    groups = made.optim.optimizer(made.model, made.layers(), made.no_decay(), made.rates()).param_groups
    trunk = next(group["lr"] for group in groups for p in group["params"] if p is made.model.head_sa.weight)
    for w in made.model.loss_weights.w.values():
        (group,) = [group for group in groups if any(p is w for p in group["params"])]
        assert group["weight_decay"] == 0
        assert group["lr"] == pytest.approx(10 * trunk)


def test_a_batch_of_one_has_no_pair_loss_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = task(pwca=Pwca(pair_source="inter"))
    monkeypatch.setattr(made, "_logs_now", lambda: True)
    outputs = made.model(*made.inputs(batch(1)))
    assert outputs.pwca_logits is None
    assert made.observe(outputs)["lonely_steps"] == 1
    made.inputs({**batch(4), "label": torch.zeros(4, dtype=torch.long)})  # one class: nobody finds another
    made.inputs(batch(4))
    assert made.observe(outputs)["stray_partners"] == 0.5


@pytest.mark.full
def test_two_processes_of_which_one_has_no_pair_train_together(tmp_path: Path) -> None:
    """Three pictures over two processes: without a gradient for the skipped weight the other one would wait for ever."""
    options = ("--data.train=3", "--data.batch_size=4", "--trainer.log_every_n_steps=1", "--trainer.devices=2", "--trainer.strategy=ddp")
    discern("dcal", "fit", *TINY, *options, home=tmp_path)
    (log,) = tmp_path.glob("mlruns/runs/dcal/*/log.jsonl")
    assert '"train/lonely_steps":2' in log.read_text()


# --- answers ---------------------------------------------------------------------------------------------------------


def test_probabilities_sum_to_one_and_both_is_the_mean_of_the_branches() -> None:
    model, x = dcal(Glca()), pictures()
    answers = {branches: Classify(model, {**FACTS, "calibration": CALIBRATION}, [], branches)(x) for branches in ("both", "sa", "glca")}
    for answer in answers.values():
        torch.testing.assert_close(answer["probs"].sum(1), torch.ones(3))
    torch.testing.assert_close(answers["both"]["probs"], (answers["sa"]["probs"] + answers["glca"]["probs"]) / 2)
    torch.testing.assert_close(answers["sa"]["probs"], (model(x).sa_logits / 2.0).softmax(-1))


def test_a_joined_vector_has_length_one_and_its_cosine_is_the_mean_of_the_branches() -> None:
    sa, glca = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 30.0])[:, None, None]
    vectors = join([sa, glca])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    cosines = [torch.nn.functional.cosine_similarity(token[0], token[1:]) for token in (sa, glca, vectors)]
    torch.testing.assert_close(cosines[2], (cosines[0] + cosines[1]) / 2)


def test_a_program_of_self_attention_alone_holds_nothing_of_the_other_branch() -> None:
    program = Classify(dcal(Glca(), Pwca()), {**FACTS, "calibration": CALIBRATION}, [], "sa")
    traced = torch.jit.trace(program.branches, pictures(2), check_trace=False, strict=False)
    assert not [name for name, _ in traced.named_parameters() if "glca" in name]
    assert not {"rollout", "selected"} & set(program(pictures()))
    graph = str(traced.inlined_graph)
    assert "scaled_dot_product_attention" in graph or "aten::softmax" in graph
    assert "aten::sort" not in graph
    assert "aten::sort" in str(
        torch.jit.trace(
            Classify(dcal(Glca()), {**FACTS, "calibration": CALIBRATION}, []).branches, pictures(2), check_trace=False, strict=False
        ).inlined_graph
    )


# --- what is chosen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["maps", "stream"])
def test_the_rollout_of_the_branch_is_the_one_that_any_recording_gives(look: Any) -> None:
    model, x = dcal(Glca(rollout=look)).double(), pictures().double()
    with record(model.trunk) as recording:
        model.trunk(x)
    torch.testing.assert_close(model(x).rollout, rollout(recording).row[:, 1:], rtol=0, atol=1e-12)


def test_marks_stand_out_to_an_untrained_model_but_it_does_not_find_the_one_that_counts_as_a_trained_one_must() -> None:
    """Chance is 6 of 64; contrast alone gives about four times that, so that a trained model's share is to be held against this one."""
    made = beetles(100, seed=0)
    images = torch.from_numpy(made.images).permute(0, 3, 1, 2).float() / 127.5 - 1
    hits = []
    for seed in range(4):
        model = Dcal(build_trunk("vit_micro", seed=seed), 8, Glca(ratio=0.1)).eval()
        with torch.inference_mode():
            hits.append((model(images).selected == torch.from_numpy(made.cells)[:, None]).any(1).double().mean())
    assert 6 / 64 < torch.stack(hits).mean() < 0.5


@pytest.mark.full
def test_training_teaches_the_rollout_to_find_the_cell_of_the_mark(here: Here) -> None:
    assert here("--quiet", "dcal", "fit").returncode == 0
    assert json.loads(here("dcal", "test").stdout)["test/cell_hit"] >= 0.6


# --- bad input -------------------------------------------------------------------------------------------------------


def test_a_picture_smaller_than_a_patch_is_refused_by_its_size() -> None:
    with pytest.raises(ValueError, match="4x4"):
        dcal()(torch.randn(1, 3, 4, 4))
    with pytest.raises(ValueError, match="a picture of 4x4 does not divide into patches of 6x6"):
        build_trunk("vit_micro", image=4)
