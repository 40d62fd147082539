"""Gradient Routing: who is touched by which pass, and the trajectory of a loop written by hand."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from core_attention.gates import Routing, Site, penalty, wrap
from core_attention.gates.driver import PlainDriver
from tests.core_attention.gates.models import Sizer, pictures


def network(dtype=torch.float64, drop=0.0):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(drop), nn.Linear(16, 1)).to(dtype)
    return model, wrap(model, [Site("0", side="input"), "1"], init="half")


def data(count=32, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 6, generator=generator, dtype=dtype)
    return x, x[:, :1] * 2 - x[:, 1:2] + 0.3


def loss_of(model):
    return lambda batch: mse_loss(model(batch[0]), batch[1])


def snapshot(model, *optimizers):
    """Values, gradients, buffers and optimisers' states of gates and of everything else."""
    found = {}
    for name, parameter in model.named_parameters():
        found[name] = parameter.detach().clone()
        found[f"{name}.grad"] = None if parameter.grad is None else parameter.grad.clone()
    found |= {name: buffer.clone() for name, buffer in model.named_buffers()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for optimizer in optimizers:
        for parameter, state in optimizer.state.items():
            found |= {f"{names[id(parameter)]}.{key}": value.clone() for key, value in state.items()}
    return found


def moved(before, after):
    """(of the gates something, of the rest something)."""
    keys = before.keys() | after.keys()
    changed = [key for key in keys if not same(before.get(key), after.get(key))]
    return any(".gate." in key for key in changed), any(".gate." not in key for key in changed)


def same(a, b):
    return torch.equal(a, b) if a is not None and b is not None else a is b


class Watch:
    """A driver that looks when gradients are cleared, before both passes, and after each pass."""

    def __init__(self, inner, look):
        self.inner, self.look, self.seen = inner, look, [look()]

    def clear(self, who):
        self.inner.clear(who)
        self.seen = [self.look()]

    def backward(self, loss):
        self.inner.backward(loss)

    def update(self, who):
        self.inner.update(who)
        self.seen.append(self.look())


@pytest.mark.parametrize("micro", [1, 3])
@pytest.mark.parametrize("autocast", [False, True])
def test_each_pass_touches_its_own_group_alone(micro, autocast):
    model, gates = network(torch.float32, drop=0.3)
    routing = Routing(gates, lam=0.1)
    weights, of_gates = routing.optimizers(1e-2, 5e-2, 0.1)
    batches = [data(seed=seed, dtype=torch.float32) for seed in range(micro)]
    plain = loss_of(model)

    def loss(batch):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return plain(batch)

    routing.step(loss, *batches, weights=weights, gates=of_gates)  # so that gradients and states are there to be touched
    watch = Watch(PlainDriver(routing, weights, of_gates, None, None, None), lambda: snapshot(model, weights, of_gates))
    with routing.gate_pass():
        assert not any(parameter.requires_grad for parameter in routing.weight_parameters)
    routing.run(loss, batches, watch)
    before, between, after = watch.seen
    with pytest.raises(AssertionError):  # pass B does touch the weights and the norms' statistics
        assert moved(between, after) == (False, False)
    assert moved(before, between) == (True, False)
    assert moved(between, after) == (False, True)


def test_pass_a_leaves_weight_gradients_of_somebody_else_alone():
    model, gates = network()
    routing = Routing(gates)
    loss_of(model)(data()).backward()
    before = {name: p.grad.clone() for name, p in model.named_parameters() if ".gate." not in name}
    with routing.gate_pass():
        loss_of(model)(data(seed=2)).backward()
    assert all(torch.equal(p.grad, before[name]) for name, p in model.named_parameters() if name in before)


@pytest.mark.parametrize("which", ["gate_pass", "weight_pass"])
def test_an_exception_in_a_pass_gives_everything_back(which):
    model, gates = network(drop=0.5)
    routing = Routing(gates)
    model[4].weight.requires_grad_(False)  # frozen by somebody else: it stays so
    flags = {name: p.requires_grad for name, p in model.named_parameters()}
    before, noise = snapshot(model), torch.get_rng_state()
    with pytest.raises(RuntimeError, match="broken"), getattr(routing, which)():
        if which == "gate_pass":
            model(data()[0])
        raise RuntimeError("broken")
    assert flags == {name: p.requires_grad for name, p in model.named_parameters()}
    assert moved(before, snapshot(model)) == (False, False)
    assert all(part.track_running_stats for part in model.modules() if isinstance(part, nn.BatchNorm1d))
    assert torch.equal(noise, torch.get_rng_state())


def by_hand(model, gates, steps, make, lam, leak=False):
    """Two passes as anyone would write them."""
    of_gates, of_weights = gates.gate_parameters(), gates.weight_parameters()
    opt_g, opt_w = make(of_gates), make(of_weights)
    loss = loss_of(model)
    for step in range(steps):
        batch = data(seed=step)
        norm = {name: buffer.clone() for name, buffer in model.named_buffers()}
        model.zero_grad()
        (loss(batch) + lam * torch.cat([torch.sigmoid(g) for g in of_gates]).mean()).backward()
        opt_g.step()
        for name, buffer in model.named_buffers():
            buffer.copy_(norm[name])
        if not leak:
            model.zero_grad()
        loss(batch).backward()
        opt_w.step()


@pytest.mark.parametrize("make", [lambda p: torch.optim.SGD(p, lr=0.05), lambda p: torch.optim.Adam(p, lr=0.01)], ids=["sgd", "adam"])
def test_ten_steps_are_those_of_a_loop_written_by_hand_and_the_leaky_one_differs(make):
    results = {}
    for way in ("routing", "by hand", "leaky by hand", "leaky"):
        model, gates = network()
        if "hand" in way:
            by_hand(model, gates, 10, make, 0.2, leak="leaky" in way)
        else:
            routing = Routing(gates, lam=0.2, parity=("leak",) if way == "leaky" else ())
            opt_w, opt_g = make(gates.weight_parameters()), make(gates.gate_parameters())
            for step in range(10):
                routing.step(loss_of(model), data(seed=step), weights=opt_w, gates=opt_g)
        results[way] = torch.cat([value.flatten().double() for value in model.state_dict().values()])
    torch.testing.assert_close(results["routing"], results["by hand"], rtol=0, atol=1e-12)
    torch.testing.assert_close(results["leaky"], results["leaky by hand"], rtol=0, atol=1e-12)
    assert (results["routing"] - results["leaky"]).abs().max() > 1e-4


def test_the_release_notes_batches_twice_in_its_norms():
    counts = {}
    for parity in ((), ("bn_twice",)):
        model, gates = network()
        routing = Routing(gates, parity=parity)
        weights, of_gates = routing.optimizers(1e-2, 5e-2)
        routing.step(loss_of(model), data(), weights=weights, gates=of_gates)
        counts[parity] = model[1].inner.num_batches_tracked.item()
    assert counts == {(): 1, ("bn_twice",): 2}


def trained(mode, steps=5, **options):
    model, gates = network(torch.float32, drop=0.3)
    routing = Routing(gates, mode, **options)
    weights, of_gates = routing.optimizers(1e-2, 5e-2, 0.1)
    torch.manual_seed(3)
    held_out = [data(seed=99, dtype=torch.float32)] if options.get("gate_data") == "val" else []
    for step in range(steps):
        batch = data(seed=step, dtype=torch.float32)
        routing.step(loss_of(model), batch, weights=weights, gates=of_gates, gate_batches=held_out, clip_w=0.5, clip_g=0.1)
    return model


def test_a_shared_forward_is_joint_training_bit_for_bit():
    shared, joint = trained("gr", share_forward=True, lam=0.3), trained("joint", lam=0.3)
    assert moved(snapshot(shared), snapshot(joint)) == (False, False)
    assert moved(snapshot(shared), snapshot(trained("gr", lam=0.3))) == (True, True)  # two passes are another thing


@pytest.mark.parametrize(("mode", "expected"), [("gates_only", (True, False)), ("frozen_gates", (False, True)), ("joint", (True, True))])
def test_what_does_not_learn_is_untouched(mode, expected):
    values = [
        {k: v for k, v in snapshot(model).items() if not k.endswith(".grad")} for model in (network(torch.float32, 0.3)[0], trained(mode))
    ]
    assert moved(*values) == expected


def test_gates_hold_still_for_as_many_steps_as_they_are_told() -> None:
    model, gates = network()
    routing = Routing(gates, gate_warmup=2)
    weights, of_gates = routing.optimizers(1e-2, 5e-2)
    told = []
    for _ in range(4):
        before = snapshot(model)
        done = routing.step(loss_of(model), data(), weights=weights, gates=of_gates)
        told.append((*(moved(before, snapshot(model))), done.gate_loss is not None))
    assert told == [(False, True, False)] * 2 + [(True, True, True)] * 2


@pytest.mark.parametrize("options", [{}, {"gate_data": "split"}, {"gate_data": "val"}, {"gate_fraction": 0.5}, {"every": 3}])
def test_every_way_to_feed_the_gates_moves_both(options):
    begin = {k: v for k, v in snapshot(network(torch.float32, 0.3)[0]).items() if not k.endswith(".grad")}
    end = {k: v for k, v in snapshot(trained("gr", **options)).items() if not k.endswith(".grad")}
    assert moved(begin, end) == (True, True)


def seen_by(options, batch, gate_batches=()):
    """What each pass looked at: (gates learn, rows)."""
    model, gates = network(torch.float32)
    routing = Routing(gates, **options)
    weights, of_gates = routing.optimizers(1e-2, 5e-2)
    seen = []

    def loss(part):
        seen.append((routing.gate_parameters[0].requires_grad, part["x"][:, 0].tolist()))
        return model(part["x"]).square().mean()

    for _ in range(2):
        routing.step(loss, batch, weights=weights, gates=of_gates, gate_batches=gate_batches)
    return seen


def test_each_pass_sees_what_gate_data_says():
    x = torch.arange(8.0)[:, None].expand(8, 6).contiguous()
    batch, rows = {"x": x, "id": torch.arange(8)}, list(range(8))
    assert seen_by({}, batch)[:2] == [(True, rows), (False, rows)]
    assert seen_by({"gate_data": "split"}, batch)[:2] == [(True, rows[:4]), (False, rows[4:])]
    assert seen_by({"gate_fraction": 0.25}, batch)[:2] == [(True, rows[:2]), (False, rows)]
    other = {"x": x + 100, "id": torch.arange(8)}
    assert seen_by({"gate_data": "val"}, batch, [other])[:2] == [(True, [row + 100 for row in rows]), (False, rows)]
    assert [gates for gates, _ in seen_by({"every": 2}, batch)] == [True, False, False]


def test_both_passes_draw_the_same_dropout_masks_unless_told_otherwise():
    for same_noise in (None, False):
        model, gates = network(torch.float32, drop=0.5)
        routing = Routing(gates, same_noise=same_noise)
        drawn = []
        model[3].register_forward_hook(lambda _, args, y, drawn=drawn: drawn.append(y == 0))
        weights, of_gates = routing.optimizers(1e-2, 1e-12)
        routing.step(loss_of(model), data(dtype=torch.float32), weights=weights, gates=of_gates)
        assert torch.equal(*drawn) == (same_noise is None)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_gate_loss_a_thousand_times_larger_does_not_change_the_weights_step(scaled):
    steps = []
    for factor in (1.0, 1000.0):
        model, gates = network(torch.float32)
        routing = Routing(gates)
        weights, of_gates = routing.optimizers(1e-2, 1e-12)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0) if scaled else None
        plain, calls = loss_of(model), []

        def loss(batch, calls=calls, plain=plain, factor=factor):
            calls.append(None)
            return plain(batch) * (factor if len(calls) % 2 else 1.0)  # the first call of each step is pass A

        for step in range(3):
            routing.step(loss, data(seed=step, dtype=torch.float32), weights=weights, gates=of_gates, scaler=scaler, clip_w=0.1, clip_g=0.1)
        steps.append({k: v for k, v in snapshot(model).items() if ".gate." not in k})
    assert moved(*steps) == (False, False)


def test_the_loss_times_a_constant_leaves_adam_where_it_was():
    ends = []
    for factor in (1.0, 100.0):
        model, gates = network()
        routing = Routing(gates)
        weights, of_gates = torch.optim.Adam(gates.weight_parameters(), 1e-2), torch.optim.Adam(gates.gate_parameters(), 5e-2)
        for step in range(5):
            routing.step(lambda b, f=factor, m=model: loss_of(m)(b) * f, data(seed=step), weights=weights, gates=of_gates)
        ends.append(torch.cat([p.flatten() for p in model.parameters()]))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-5)


def test_the_price_reaches_gates_alone():
    _, gates = network()
    penalty(gates).backward()
    assert all(p.grad is None for p in gates.weight_parameters())
    assert all(p.grad is not None and p.grad.ne(0).all() for p in gates.gate_parameters())


def test_a_very_high_price_closes_all_gates_and_leaves_the_constant_model():
    model, gates = network(torch.float32)
    routing = Routing(gates, lam=1e4)
    weights, of_gates = routing.optimizers(1e-2, 0.5)
    for step in range(300):
        routing.step(loss_of(model), data(seed=step, dtype=torch.float32), weights=weights, gates=of_gates)
    assert max(values.max().item() for values in gates.values().values()) < 0.01
    x, y = data(count=4000, dtype=torch.float32)
    model.eval()
    assert loss_of(model)((x, y)).item() == pytest.approx(y.var().item(), rel=0.05)


def test_gates_that_neither_pay_nor_move_are_frozen_gates():
    ends = []
    for mode in ("gr", "frozen_gates"):
        model, gates = network(torch.float32, drop=0.3)
        routing = Routing(gates, mode)
        weights, of_gates = routing.optimizers(1e-2, 0.0, 0.1)
        torch.manual_seed(3)
        for step in range(5):
            routing.step(loss_of(model), data(seed=step, dtype=torch.float32), weights=weights, gates=of_gates)
        ends.append(snapshot(model))
    assert moved(*({k: v for k, v in end.items() if ".gate." not in k} for end in ends)) == (False, False)


def test_gates_that_learn_alone_see_norms_as_evaluation_has_them_and_dropout_as_training_has_it():
    for drop in (0.0, 0.5):
        model, gates = network(drop=drop)
        loss_of(model)(data())  # so that the noted statistics are others than the batch's
        with Routing(gates, "gates_only").one_pass():
            inside = model(data()[0])
        assert model[1].inner.training
        assert torch.equal(inside, model.eval()(data()[0])) == (drop == 0)


def test_other_buffers_hold_still_too_also_those_that_are_replaced():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("changed", torch.zeros(1))
            self.register_buffer("replaced", torch.zeros(1))

        def forward(self, x):
            self.changed += 1
            self.replaced = self.replaced + 1
            return x

    model = nn.Sequential(nn.Linear(6, 4), Counting(), nn.InstanceNorm1d(4, track_running_stats=True))
    routing = Routing(wrap(model, "0"))
    before = snapshot(model)
    with routing.gate_pass():
        model(torch.rand(3, 4, 6))
    assert moved(before, snapshot(model)) == (False, False)


def test_a_convolutional_network_is_routed_with_its_norms_in_training():
    model = Sizer().train()
    gates = wrap(model, ["stage", "head"])
    routing = Routing(gates, lam=0.1)
    weights, of_gates = routing.optimizers(1e-3, 5e-2)
    twin = copy.deepcopy(model)
    x = pictures(32, 4)
    with torch.no_grad():
        twin(x)
    routing.step(lambda x: model(x).square().mean(), x, weights=weights, gates=of_gates)
    first = "trunk.bn1.running_mean"  # lies before every gate: noted once, as by one forward pass
    assert torch.equal(model.state_dict()[first], twin.state_dict()[first])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "both"}, "routing mode is gr, joint"),
        ({"gate_data": "test"}, "gate_data is same, split, val"),
        ({"mode": "joint", "gate_data": "val"}, "gate_data would be ignored by mode 'joint'"),
        ({"mode": "gates_only", "share_forward": True}, "share_forward would be ignored"),
        ({"mode": "frozen_gates", "lam": 0.1}, "lam=0.1 would be ignored"),
        ({"share_forward": True, "every": 2}, "every would be ignored"),
        ({"gate_data": "val", "same_noise": True}, "same_noise needs both passes to see the same batch"),
        ({"gate_data": "split", "gate_fraction": 0.5}, "gate_fraction is of gate_data 'same'"),
        ({"gate_fraction": 0.0}, "gate_fraction is a share"),
        ({"lam": float("nan")}, "lam is a price"),
        ({"parity": ("leaks",)}, "parity flags are leak, bn_twice"),
        ({"mode": "joint", "parity": ("leak",)}, "parity would be ignored"),
        ({"mode": "joint", "gate_warmup": 1}, "gate_warmup would be ignored"),
        ({"gate_warmup": -1}, "gate_warmup is a count"),
    ],
)
def test_options_that_could_not_act_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Routing(network()[1], **options)


def test_optimisers_that_hold_the_others_parameters_are_refused():
    model, gates = network()
    routing = Routing(gates)
    everything, of_gates = torch.optim.SGD(model.parameters(), 0.1), torch.optim.SGD(gates.gate_parameters(), 0.1)
    with pytest.raises(ValueError, match="the optimiser of the weights holds parameters of the other"):
        routing.step(loss_of(model), data(), weights=everything, gates=of_gates)
    with pytest.raises(ValueError, match="mode 'gr' needs an optimiser of the gates"):
        routing.step(loss_of(model), data(), weights=everything)
    with pytest.raises(ValueError, match="takes no optimiser of the gates"):
        Routing(gates, "joint").step(loss_of(model), data(), weights=everything, gates=of_gates)


def test_joint_training_needs_the_gates_in_its_one_optimiser():
    model, gates = network()
    of_weights = torch.optim.SGD(gates.weight_parameters(), 0.1)
    with pytest.raises(ValueError, match=r"mode 'joint': the optimiser of the weights holds no gates.*param_groups"):
        Routing(gates, "joint").step(loss_of(model), data(), weights=of_weights)


def test_a_group_of_which_nothing_learns_is_named_with_the_mode_for_that():
    off = wrap(nn.Sequential(nn.Linear(6, 1)), "0", hardness="off")
    for mode in ("gr", "joint", "gates_only"):
        with pytest.raises(ValueError, match=r"no gate learns.*take mode 'frozen_gates'"):
            Routing(off, mode).optimizers(1e-2, 5e-2)
    _, gates = network()
    for parameter in gates.weight_parameters():
        parameter.requires_grad_(False)
    for mode in ("gr", "joint", "frozen_gates"):
        with pytest.raises(ValueError, match=r"no weight learns.*take mode 'gates_only'"):
            Routing(gates, mode).optimizers(1e-2, 5e-2)


@pytest.mark.parametrize("mode", ["gr", "gates_only"])
def test_a_loss_that_passes_the_gates_by_is_refused_in_words(mode):
    model = nn.ModuleDict({"used": nn.Linear(6, 1), "idle": nn.Linear(6, 6)})
    routing = Routing(wrap(model, "idle"), mode)
    weights, of_gates = routing.optimizers(1e-2, 5e-2)
    x, y = data(dtype=torch.float32)
    with pytest.raises(ValueError, match="the loss depends on nothing that learns in this pass"):
        routing.step(lambda batch: mse_loss(model["used"](batch[0]), batch[1]), (x, y), weights=weights, gates=of_gates)


def test_ragged_batches_cannot_be_split_and_say_so():
    model, gates = network()
    routing = Routing(gates, gate_data="split")
    weights, of_gates = routing.optimizers(1e-2, 5e-2)
    with pytest.raises(ValueError, match=r"found 3, 32\. Take gate_data='same'"):
        routing.step(loss_of(model), (*data(), torch.zeros(3)), weights=weights, gates=of_gates)


def test_passes_of_another_mode_are_refused():
    routing = Routing(network()[1], "joint")
    with pytest.raises(ValueError, match="mode 'joint' has one pass"), routing.gate_pass():
        pass
    with pytest.raises(ValueError, match="has two passes"), Routing(network()[1]).one_pass():
        pass
