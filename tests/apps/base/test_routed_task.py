"""Gates that learn apart from the weights under Lightning: what is counted, clipped, accumulated, saved and resumed."""

import pytest
import torch
from pytorch_lightning import seed_everything
from torch import nn

from apps.base.callbacks.checkpoints import LAST
from apps.base.errors import UserError
from apps.base.optim import Optim, constant_with_warmup, cosine_with_warmup
from apps.base.routed_task import RoutedTask, TrainerDriver
from apps.base.routing import RoutingOptions
from core_attention.gates import wrap
from tests.apps.base import toy
from tests.apps.base.toy import EPOCHS, Plug, ToyData, ToyParts, train, weights

STEPS = EPOCHS * 5


class GatedToy(ToyParts, RoutedTask):
    """The toy with a norm and gates on its hidden channels."""

    def __init__(self, hardness="sigmoid", **options):
        super().__init__(Optim(lr=0.01), RoutingOptions(**options))
        self.hardness = hardness

    def make_model(self, facts):
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3))
        wrap(model, "1", init="half", hardness=self.hardness)
        return model


def run(folder, options=None, **more):
    folder.mkdir(exist_ok=True)
    return train(folder, make=lambda: GatedToy(**(options or {})), **more)


def state(task, trainer):
    """Everything that a resume must bring back: weights, averages, both optimisers, both schedules."""
    tensors = [weights(task)]
    for optimizer in trainer.optimizers:
        tensors += [value.flatten() for each in optimizer.state.values() for value in each.values()]
        tensors.append(torch.tensor([group["lr"] for group in optimizer.param_groups], dtype=torch.float64))
    tensors.append(torch.tensor([float(config.scheduler.last_epoch) for config in trainer.lr_scheduler_configs]))
    return torch.cat([tensor.double() for tensor in tensors])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    cache = {}

    def get(options, **trainer):
        key = (*sorted(options.items()), *sorted(trainer.items()))
        if key not in cache:
            cache[key] = state(*run(tmp_path_factory.mktemp("undisturbed"), options, **trainer))
        return cache[key]

    return get


FURTHER = [(1, "batch"), (5, "batch"), (10, "validation")]
WAYS = [
    {},
    {"gate_data": "val", "lam": "auto"},
    {"every": 2, "hardness": "hard_concrete", "lam": 0.1},
    {"mode": "joint", "lam": "auto", "hardness": "anneal"},
]


@pytest.mark.parametrize("options", WAYS, ids=lambda o: "-".join(map(str, o.values())) or "gr")
@pytest.mark.parametrize(("step", "hook"), [(7, "batch"), *(pytest.param(*at, marks=pytest.mark.full) for at in FURTHER)])
def test_a_run_cut_off_in_an_epoch_ends_bit_identical_with_both_optimisers_and_schedules(tmp_path, undisturbed, options, step, hook):
    run(tmp_path, options, plug=Plug(step, hook), every=1)
    task, trainer = run(tmp_path, options, resume=tmp_path / LAST, every=1)
    assert trainer.global_step == STEPS
    assert torch.equal(state(task, trainer), undisturbed(options))


@pytest.mark.parametrize("trainer", [{"accumulate_grad_batches": 2}, {"limit_train_batches": 3}, {"val_check_interval": 2}])
def test_resuming_two_passes_is_exact_under_other_trainer_settings(tmp_path, undisturbed, trainer):
    options = {"gate_data": "val", "lam": 0.1}
    run(tmp_path, options, plug=Plug(4, "batch"), every=1, **trainer)
    again = run(tmp_path, options, resume=tmp_path / LAST, every=1, **trainer)
    assert torch.equal(state(*again), undisturbed(options, **trainer))


def test_global_step_counts_batches_and_both_optimisers_are_in_the_checkpoint(tmp_path):
    _, trainer = run(tmp_path)
    checkpoint = torch.load(tmp_path / LAST, weights_only=True)
    assert trainer.global_step == checkpoint["global_step"] == STEPS
    assert len(checkpoint["optimizer_states"]) == len(checkpoint["lr_schedulers"]) == 2
    assert all(state["state"] for state in checkpoint["optimizer_states"])


def test_accumulation_steps_once_a_window_and_the_rest_of_an_epoch_is_a_window_of_its_own(tmp_path):
    _, trainer = run(tmp_path, accumulate_grad_batches=2)
    assert trainer.global_step == EPOCHS * 3
    assert [config.scheduler.last_epoch for config in trainer.lr_scheduler_configs] == [EPOCHS * 3] * 2


def test_two_passes_under_lightning_are_those_of_a_bare_loop(tmp_path):
    """The trainer adds nothing: no clip of the other group, no second step, no other order."""
    task, _ = run(tmp_path, {"lam": 0.2, "clip_g": 0.01}, gradient_clip_val=0.3, decay=0.0)
    bare = GatedToy(lam=0.2, clip_g=0.01)
    seed_everything(0, verbose=False)
    bare.build({})
    routing = bare.router
    groups = [p for p in routing.weight_parameters if p.ndim > 1], [p for p in routing.weight_parameters if p.ndim < 2]
    opt_w = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.05}, {"params": groups[1], "weight_decay": 0.0}], lr=0.01, fused=True
    )
    opt_g = torch.optim.AdamW(routing.gate_parameters, lr=0.05, weight_decay=0.0, fused=True)
    loader = ToyData().train_dataloader()
    step = 0
    for epoch in range(EPOCHS):
        loader.order.set_epoch(epoch)
        for batch in loader:
            for group in opt_w.param_groups:
                group["lr"] = 0.01 * cosine_with_warmup(step, STEPS, 0.1, 0.0)
            opt_g.param_groups[0]["lr"] = 0.05 * constant_with_warmup(step, STEPS, 0.05)
            routing.step(
                lambda b: bare.total(bare.losses(b, bare.model(b["image"]))), batch, weights=opt_w, gates=opt_g, clip_w=0.3, clip_g=0.01
            )
            step += 1
    theirs, ours = task.model.state_dict(), bare.model.state_dict()
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, rtol=1e-5, atol=1e-7)


def test_shared_forward_is_joint_training_bit_for_bit(tmp_path):
    shared, _ = run(tmp_path / "a", {"share_forward": True, "lam": 0.3})
    joint, _ = run(tmp_path / "b", {"mode": "joint", "lam": 0.3})
    assert torch.equal(weights(shared), weights(joint))


def gates_and_rest(model):
    state = model.state_dict()
    gates = torch.cat([value.flatten() for name, value in state.items() if name.endswith("gate.logits")])
    rest = torch.cat([value.flatten().double() for name, value in state.items() if ".gate." not in name])
    return gates, rest


@pytest.mark.parametrize(("mode", "moves"), [("gates_only", (True, False)), ("frozen_gates", (False, True)), ("joint", (True, True))])
def test_what_does_not_learn_stays_bit_identical_over_epochs_norm_statistics_too(tmp_path, mode, moves):
    before = GatedToy(mode=mode)
    seed_everything(0, verbose=False)
    before.build({})
    task, _ = run(tmp_path, {"mode": mode})
    for old, new, moved in zip(gates_and_rest(before.model), gates_and_rest(task.model), moves, strict=True):
        assert torch.equal(old, new) != moved


def test_gates_that_do_not_move_are_frozen_gates(tmp_path):
    """The two ways to hold gates still agree, so pass A leaves no trace in the weights, the norms or the random numbers."""
    still, _ = run(tmp_path / "a", {"lr_g": 1e-30}, decay=0.0)
    frozen, _ = run(tmp_path / "b", {"mode": "frozen_gates"}, decay=0.0)
    assert torch.equal(gates_and_rest(still.model)[1], gates_and_rest(frozen.model)[1])


@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_no_weight_has_a_gradient_when_gates_step_and_no_gate_when_weights_do(tmp_path, monkeypatch, lam):
    """None, not zero: neither kept from the pass before nor computed."""
    seen = []
    update = TrainerDriver.update

    def looked(driver, who):
        routing = driver.task.router
        groups = {"gates": routing.gate_parameters, "weights": routing.weight_parameters}
        seen.append((who, {name: [parameter.grad is None for parameter in group] for name, group in groups.items()}))
        update(driver, who)

    monkeypatch.setattr(TrainerDriver, "update", looked)
    run(tmp_path / "run", {"mode": "gr", "lam": lam})
    assert [who for who, _ in seen] == ["gates", "weights"] * STEPS
    for who, none in seen:
        assert not any(none[who])
        if who == "gates":
            assert all(none["weights"])


def test_each_clip_sees_its_own_group(tmp_path):
    """A gate loss a thousand times larger does not change the first step of the weights."""
    tame, _ = run(tmp_path / "a", {"lam": 0.0, "lr_g": 1e-30}, max_steps=1, decay=0.0)
    wild, _ = run(tmp_path / "b", {"lam": 1000.0, "lr_g": 1e-30}, max_steps=1, decay=0.0)
    assert torch.equal(gates_and_rest(tame.model)[1], gates_and_rest(wild.model)[1])


def test_automatic_price_is_a_share_of_the_first_loss_and_is_resumed(tmp_path):
    task, _ = run(tmp_path, {"lam": "auto"}, plug=Plug(3, "batch"), every=1)
    price = task.router.lam
    assert 0.15 * 0.5 < price * 0.5 < 0.15 * 3  # gates begin half open; the first loss of three classes is near ln 3
    task, _ = run(tmp_path, {"lam": "auto"}, resume=tmp_path / LAST)
    assert task.router.lam == price


def test_held_out_gates_without_held_out_data_say_so(tmp_path, monkeypatch):
    monkeypatch.delattr(toy.ToyData, "gate_dataloader")
    with pytest.raises(UserError, match=r"gate_data=val needs data that the weights never see"):
        run(tmp_path, {"gate_data": "val"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "joint", "every": 2}, "every would be ignored by mode 'joint'"),
        ({"mode": "frozen_gates", "lam": "auto"}, "gates that do not learn pay nothing"),
        ({"share_forward": True, "gate_data": "val"}, "gate_data would be ignored"),
        ({"gate_fraction": 0.5, "gate_data": "split"}, "gate_fraction is of gate_data 'same'"),
    ],
)
def test_options_that_could_not_act_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        GatedToy(**options).build({})


def test_a_task_without_gates_is_a_base_task(tmp_path):
    class Plain(ToyParts, RoutedTask):
        def __init__(self):
            super().__init__(Optim(lr=0.01), None)

    plain, _ = train(tmp_path, make=Plain)
    base, _ = train(tmp_path)
    assert torch.equal(weights(plain), weights(base))
    assert plain.router is None
