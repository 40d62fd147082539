"""The task around the model: two phases, thresholds from validation, teachers that must not have seen whom they judge."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from apps.base.callbacks.checkpoints import Checkpoints
from apps.base.callbacks.position import Position
from apps.base.callbacks.rng import Rng
from apps.base.checkpoint import WholeFiles
from apps.base.errors import UserError
from apps.base.optim import Optim
from apps.mil.leakage import LeakageError, NoTeacherError
from apps.mil.options import Consistency, Host, Mask, Recycle, Teacher
from apps.mil.task import Classification
from core_attention.segments import Segments
from datamodules.mil.datamodule import HardBags, NpzBags
from tests.datamodules.mil.test_bags import npz

MINING: dict[str, Any] = {
    "mask": Mask(high=0.2, random=0.2, whole_bag_weight=0.5),
    "consistency": Consistency(0.1),
    "recycle": Recycle(share=0.2),
    "teacher": Teacher(epochs=2, momentum=0.9),
}


def bags(**options: Any) -> HardBags:
    return HardBags(4, train=24, val=12, test=12, **options)


class Cut(lightning.Callback):
    """Ends the training at a step as a power cut would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise ConnectionError


def run(folder: Path, data: Any, *, cut: int | None = None, resume: Path | None = None, epochs: int = 4, **options: Any) -> Classification:
    lightning.seed_everything(0, verbose=False)
    data.setup()
    task = Classification(host=Host("ab_mil", dim=16), optim=Optim(lr=1e-3, warmup=0.0), **options)
    task.build(task.gather(data))
    checkpoints = Checkpoints(monitor="val/select", mode="max", every_n_steps=1)
    checkpoints.folder = folder
    trainer = lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, plugins=[WholeFiles()], use_distributed_sampler=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, deterministic=True,
        callbacks=[Position(), Rng(), *([Cut(cut)] if cut is not None else []), checkpoints],
    )  # fmt: skip
    with contextlib.suppress(ConnectionError):
        trainer.fit(task, datamodule=data, ckpt_path=resume, weights_only=True)
    return task


def state(task: Classification) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in task.model.state_dict().values()])


@pytest.mark.parametrize("cut", [3, 11, 12, 13, 20])  # in the first phase, around its end at 12, in the second
def test_a_run_that_was_cut_off_ends_with_the_same_bits(tmp_path: Path, cut: int) -> None:
    whole = run(tmp_path / "a", bags(), **MINING)
    (tmp_path / "b").mkdir()
    run(tmp_path / "b", bags(), cut=cut, **MINING)
    resumed = run(tmp_path / "b", bags(), resume=tmp_path / "b" / "last.ckpt", **MINING)
    assert torch.equal(state(whole), state(resumed))
    assert bool(resumed.model.mining)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()


def test_the_best_checkpoint_is_one_of_mining(tmp_path: Path) -> None:
    run(tmp_path / "a", bags(), **MINING)
    (best,) = (tmp_path / "a").glob("best-*.ckpt")
    saved = torch.load(best, weights_only=True)
    assert saved["global_step"] > 12
    assert bool(saved["state_dict"]["model.mining"])
    assert "threshold" in saved["discern"]["facts"]


def test_the_teacher_trains_by_no_gradient_and_follows(tmp_path: Path) -> None:
    task = run(tmp_path / "a", bags(), **MINING)
    assert all(not p.requires_grad for p in task.model.teacher.parameters())
    assert 0 < float(task.model.distance()) < 10
    assert task.momentum() == 0.9


def test_the_momentum_follows_from_the_number_of_steps_and_may_rise() -> None:
    task = Classification(mask=Mask(high=0.1), teacher=Teacher(epochs=1))
    task._phases = (0, 1000)
    task.progress = lambda: 0.0  # type: ignore[method-assign]
    assert task.momentum() == pytest.approx(1 - 1 / 200)
    task._phases = (0, 100)
    assert task.momentum() == 0.99
    task.teacher = Teacher(epochs=1, momentum=0.9, final=1.0)
    assert task.momentum() == pytest.approx(0.9)
    task.progress = lambda: 1.0  # type: ignore[method-assign]
    assert task.momentum() == pytest.approx(1.0)


def test_the_threshold_is_a_function_of_validation_alone(tmp_path: Path) -> None:
    data = NpzBags(str(npz(tmp_path / "set.npz")))
    one = run(tmp_path / "a", data, epochs=2)
    labels = np.load(tmp_path / "set.npz")["y"].copy()
    labels[data.parts.test] = labels[data.parts.test][::-1]
    other = run(tmp_path / "a", NpzBags(str(npz(tmp_path / "turned.npz", y=labels))), epochs=2)
    assert one.facts["threshold"] == other.facts["threshold"]
    assert torch.equal(state(one), state(other))


# --- a teacher from a file -------------------------------------------------------------------------------------------


def trained(folder: Path, **options: Any) -> str:
    folder.mkdir()
    run(folder, NpzBags(str(npz(folder.parent / "set.npz")), **options), epochs=1)
    return str(folder / "last.ckpt")


def with_teacher(checkpoint: str) -> dict[str, Any]:
    return {"mask": Mask(high=0.2), "teacher": Teacher(checkpoint=checkpoint)}


def test_a_teacher_of_the_same_split_teaches_from_the_first_step(tmp_path: Path) -> None:
    path = trained(tmp_path / "teacher")
    task = run(tmp_path / "a", NpzBags(str(tmp_path / "set.npz")), epochs=1, **with_teacher(path))
    assert bool(task.model.mining)


def test_a_teacher_that_was_trained_on_a_tested_patient_is_refused_by_name(tmp_path: Path) -> None:
    path = trained(tmp_path / "teacher", fold=1)
    with pytest.raises(LeakageError, match=r"bag \d"):
        run(tmp_path / "a", NpzBags(str(tmp_path / "set.npz"), fold=0), **with_teacher(path))


def test_a_teacher_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NoTeacherError) as caught:
        run(tmp_path / "a", bags(), **with_teacher("nowhere.ckpt"))
    assert isinstance(caught.value, FileNotFoundError)
    assert "nowhere.ckpt" in str(caught.value)


def test_a_checkpoint_names_no_patient(tmp_path: Path) -> None:
    saved = torch.load(trained(tmp_path / "teacher"), weights_only=True)
    patients = saved["discern"]["facts"]["patients"]
    assert len(patients) > 10
    assert not any("bag" in name for name in patients)


# --- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"mask": Mask(high=0.1)}, {"consistency": Consistency(0.1)}, {"teacher": Teacher(epochs=3)}])
def test_a_mask_without_a_teacher_and_a_teacher_without_a_mask_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="teacher"):
        Classification(**options)


def test_a_first_phase_as_long_as_the_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="max_epochs"):
        run(tmp_path / "a", bags(), epochs=2, **MINING)


@pytest.mark.parametrize("wrong", [7, 2, -1])
def test_a_class_that_is_none_is_refused_before_training(tmp_path: Path, wrong: int) -> None:
    mask = Mask(high=0.2, score="class_prob", score_class=wrong)
    with pytest.raises(UserError, match=f"mask.score_class={wrong}.*from 0 to 1"):
        run(tmp_path / "a", bags(), epochs=3, mask=mask, teacher=Teacher(epochs=1))


def test_baselines_are_chance_the_commonest_class_and_trees(tmp_path: Path) -> None:
    found = Classification().baselines(bags())
    assert found["chance"] == found["constant"] == 0.5
    assert {"stats_auc", "stats_auc_hard"} <= found.keys()


def test_the_attention_that_the_student_was_not_shown_is_logged() -> None:
    data = bags()
    data.setup()
    task = Classification(host=Host("ab_mil", dim=16), mask=Mask(high=0.3), teacher=Teacher(epochs=1))
    task.build(task.gather(data))
    task.model.begin()
    x, segments = torch.randn(30, 16, generator=torch.Generator().manual_seed(0)), Segments.from_lengths([10, 20])
    outputs = task.model(x, segments, torch.rand(30, 3), torch.tensor([0, 1]), high=0.3)
    kept = outputs.teacher.attention[outputs.drops.keep].sum() / 2
    said = task.observe(outputs)
    torch.testing.assert_close(said["attention_removed"], 1 - kept)
    assert 0.3 < said["attention_removed"] < 1  # the most attended 0.3 have more than their share


@pytest.mark.parametrize(("clusters", "weight", "words"), [(0, 0.5, "there is no such loss with host.clusters=0"), (2, 0.0, "is above 0")])
def test_a_weight_of_a_loss_that_is_not_there_is_refused(clusters: int, weight: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Classification(host=Host(clusters=clusters), cluster_weight=weight)
