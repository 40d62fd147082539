"""Promise 1: a run that is cut off anywhere and resumed ends bit-identical to the undisturbed one."""

import signal

import pytest
import torch

from apps.base.callbacks.checkpoints import LAST, Checkpoints
from apps.base.errors import UserError
from tests.apps.base.toy import EPOCHS, Plug, checkpoints_in, train, weights

STEPS = EPOCHS * 5


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    cache = {}

    def get(**trainer):
        key = tuple(trainer.items())
        if key not in cache:
            task, _ = train(tmp_path_factory.mktemp("undisturbed"), **trainer)
            cache[key] = weights(task)
        return cache[key]

    return get


@pytest.mark.parametrize("every", [1, 3, 100])
@pytest.mark.parametrize(
    ("step", "hook"),
    [
        (1, "batch"),
        (4, "batch"),
        (5, "batch"),
        (5, "validation"),
        (5, "epoch"),
        (6, "batch"),
        (9, "batch"),
        (10, "validation"),
        (14, "batch"),
        (15, "epoch"),
    ],
)
def test_a_run_cut_off_at_any_moment_ends_bit_identical(tmp_path, undisturbed, step, hook, every):
    train(tmp_path, plug=Plug(step, hook), every=every)
    task, trainer = train(tmp_path, resume=tmp_path / LAST, every=every)
    assert trainer.global_step == STEPS
    assert torch.equal(weights(task), undisturbed())


@pytest.mark.parametrize("options", [{"accumulate_grad_batches": 2}, {"val_check_interval": 2}, {"limit_train_batches": 3}])
@pytest.mark.parametrize(("step", "hook"), [(2, "batch"), (3, "validation"), (4, "batch"), (7, "batch")])
def test_resuming_is_exact_under_other_trainer_settings(tmp_path, undisturbed, options, step, hook):
    train(tmp_path, plug=Plug(step, hook), every=1, **options)
    task, _ = train(tmp_path, resume=tmp_path / LAST, every=1, **options)
    assert torch.equal(weights(task), undisturbed(**options))


class Knock(Plug):
    """Asks to leave, where a plug is pulled."""

    def _maybe(self, trainer, hook):
        if (trainer.global_step, hook) == (self.step, self.hook):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(("step", "hook", "left_at"), [(4, "batch", 4), (5, "batch", 5), (5, "validation", 5), (5, "epoch", 5)])
def test_a_signal_at_any_moment_saves_and_the_resume_ends_bit_identical(tmp_path, undisturbed, step, hook, left_at):
    _, trainer = train(tmp_path, plug=Knock(step, hook), interruptible=True, every=100)
    assert trainer.global_step == left_at
    assert torch.load(tmp_path / LAST, weights_only=True)["global_step"] == left_at
    task, _ = train(tmp_path, resume=tmp_path / LAST)
    assert torch.equal(weights(task), undisturbed())


def test_a_signal_between_two_epochs_is_answered_after_the_next_step(tmp_path, undisturbed, monkeypatch):
    """Lightning's own flag would end the training there: without saving, with the exit code of a finished one."""
    save = Checkpoints.on_train_epoch_end

    def save_and_knock(self, trainer, task):
        save(self, trainer, task)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "on_train_epoch_end", save_and_knock)
        _, trainer = train(tmp_path, checkpoints=checkpoints_in(tmp_path), interruptible=True)
    assert trainer.global_step == 6
    task, _ = train(tmp_path, resume=tmp_path / LAST)
    assert torch.equal(weights(task), undisturbed())


def test_dropout_would_differ_without_the_saved_random_state(tmp_path, undisturbed, monkeypatch):
    """The property above can fail: without the callback's state it does."""
    from apps.base.callbacks.rng import Rng

    train(tmp_path, plug=Plug(7, "batch"), every=1)
    monkeypatch.setattr(Rng, "load_state_dict", lambda self, state: None)
    task, _ = train(tmp_path, resume=tmp_path / LAST)
    assert not torch.equal(weights(task), undisturbed())


def test_a_checkpoint_of_other_data_is_not_resumed(tmp_path, monkeypatch):
    from tests.apps.base import toy

    train(tmp_path, plug=Plug(7, "batch"), every=1)
    monkeypatch.setattr(toy.ToyTask, "build", lambda self, facts: super(toy.ToyTask, self).build({"classes": ["a"]}))
    with pytest.raises(UserError, match=r"trained on other data \(classes differ\)"):
        train(tmp_path, resume=tmp_path / LAST)
