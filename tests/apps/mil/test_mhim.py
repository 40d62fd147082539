"""Teacher and student (properties 4, 8, 9, 11 of the method)."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from apps.mil.losses import bag_loss, clusters, consistency
from apps.mil.mhim import Mhim
from apps.mil.model import reset
from apps.mil.options import Consistency, Mask, Recycle, Teacher
from core_attention.segments import Segments
from tests.apps.mil.bags import HOSTS, bags, mhim, model, noise

LABELS = torch.tensor([0, 1])


def parameters(module: torch.nn.Module) -> Tensor:
    return torch.cat([value.detach().flatten() for value in module.parameters()])


def train(net: Mhim, steps: int, **given: Any) -> Tensor:
    """Some steps of the student on noise; all of its weights."""
    optimizer = torch.optim.SGD(net.student.parameters(), 0.1)
    for step in range(steps):
        x, segments = bags(9, 14, seed=step)
        loss = bag_loss(net(x, segments, noise(23, step), LABELS, **given).student, LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if net.mining:
            net.follow(0.9)
    return parameters(net.student)


@pytest.mark.parametrize("name", HOSTS)
def test_without_mask_and_consistency_the_student_trains_bit_for_bit_as_the_plain_model(name: str) -> None:
    taught, plain = mhim(name), Mhim(model(name), with_teacher=False).train()
    torch.manual_seed(1)
    one = train(taught, 3)
    torch.manual_seed(1)
    assert torch.equal(one, train(plain, 3))


def test_in_training_the_student_sees_what_is_kept_and_nothing_else() -> None:
    net = mhim(mask=Mask(high=0.3, decay="none"))
    net.student.eval()  # no dropout
    x, segments = bags(10, 20)
    output = net(x, segments, noise(30), LABELS, high=0.3)
    poisoned = x.masked_fill(~output.drops.keep.unsqueeze(1), torch.nan)
    kept = net.student(poisoned[output.drops.keep], Segments.from_lengths([7, 14]))
    torch.testing.assert_close(output.student.logits, kept.logits)
    assert output.drops.high.sum() == 9


def test_evaluation_is_the_plain_student_on_the_whole_bag() -> None:
    net = mhim(mask=Mask(random=0.9), recycle=Recycle(share=0.5)).eval()
    x, segments = bags(10, 20)
    torch.testing.assert_close(net(x, segments).student.logits, net.student(x, segments).logits)


def test_the_teachers_answers_can_be_asked_for_instead() -> None:
    net = mhim()
    reset(net.student, 5)
    net.answers = "teacher"
    x, segments = bags(10, 20)
    torch.testing.assert_close(net.eval()(x, segments).student.logits, net.teacher(x, segments).logits)


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("score", ["auto", "attention", "class_prob"])
def test_mining_goes_with_every_host_and_every_score(name: str, score: Any) -> None:
    net = mhim(name, mask=Mask(random=0.2, low=0.2, high=0.2, score=score, whole_bag_weight=0.5), recycle=Recycle(share=0.3, tokens=2))
    x, segments = bags(12, 1, 7)
    labels = torch.tensor([0, 1, 1])
    output = net(x, segments, noise(20), labels, high=0.2)
    tied, _ = consistency(output.teacher, output.student, Consistency(weight=1.0))
    (bag_loss(output.student, labels) + bag_loss(output.whole, labels) + tied).backward()
    assert all(p.grad is None for p in net.teacher.parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.student.parameters())


def test_negative_bags_can_stay_whole() -> None:
    net = mhim(mask=Mask(high=0.5, negatives=False))
    x, segments = bags(10, 10)
    assert net(x, segments, noise(20), LABELS, high=0.5).drops.keep.tolist()[:10] == [True] * 10


def test_a_bag_of_which_too_little_is_left_is_shown_whole() -> None:
    net = mhim(mask=Mask(high=0.5, floor=1.0))
    net.student.eval()
    x, segments = bags(10, 10)
    output = net(x, segments, noise(20), LABELS, high=0.5)
    assert output.skipped.all()
    assert output.drops.keep.all()
    torch.testing.assert_close(output.student.logits, net.student(x, segments).logits)


def test_the_one_class_that_counts_can_be_named() -> None:
    net = mhim(mask=Mask(high=0.5, score="class_prob", score_class=1))
    taught = net.teacher(*bags(10), detail=True)
    assert torch.equal(net.scores(taught)[:, 0], taught.evidence.softmax(-1)[:, 1])


def test_the_teacher_has_no_dropout_unless_it_is_asked_for() -> None:
    assert not mhim().teacher.training
    assert mhim(dropout=True).teacher.training
    assert mhim().student.training


def test_a_mask_needs_a_teacher() -> None:
    with pytest.raises(ValueError, match="teacher"):
        Mhim(model("ab_mil"), Mask(high=0.1), with_teacher=False)


# --- the moving average ----------------------------------------------------------------------------------------------


def test_momentum_one_leaves_the_teacher_and_zero_copies_the_student() -> None:
    net = mhim()
    reset(net.student, 3)
    before = parameters(net.teacher)
    net.follow(1.0)
    assert torch.equal(parameters(net.teacher), before)
    net.follow(0.0)
    assert torch.equal(parameters(net.teacher), parameters(net.student))


def test_the_distance_to_a_student_that_rests_shrinks_by_the_momentum_each_step() -> None:
    net = mhim().double()
    reset(net.student, 3)
    before = net.distance()
    for _ in range(20):
        net.follow(0.9)
    torch.testing.assert_close(net.distance(), before * 0.9**20, rtol=1e-5, atol=0)


# --- the two phases --------------------------------------------------------------------------------------------------


def test_before_mining_begins_the_student_sees_the_whole_bag() -> None:
    net = mhim(mask=Mask(random=0.5))
    net.mining.fill_(False)
    output = net(*bags(5, 5), noise(10), LABELS)
    assert output.teacher is None
    assert output.drops is None


def test_the_best_plain_model_becomes_the_teacher() -> None:
    net = mhim()
    first = parameters(net.student)
    assert net.offer(0.7)
    reset(net.student, 4)
    assert not net.offer(0.6)
    assert torch.equal(parameters(net.teacher), first)
    assert net.offer(0.7)  # of equals the one that was trained longer
    assert torch.equal(parameters(net.teacher), parameters(net.student))


@pytest.mark.parametrize(("given", "embedding", "host"), [("embedding", True, False), ("all", True, True), ("none", False, False)])
def test_the_student_begins_with_what_it_is_given(given: str, embedding: bool, host: bool) -> None:
    net = mhim(student=given)
    before = torch.random.get_rng_state()
    reset(net.student, 9)
    net.begin()
    assert torch.equal(parameters(net.student.embed), parameters(net.teacher.embed)) == embedding
    assert torch.equal(parameters(net.student.host), parameters(net.teacher.host)) == host
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_checkpoint_holds_the_teacher_and_the_phase() -> None:
    net, other = mhim(mask=Mask(high=0.2), recycle=Recycle(share=0.5)), mhim(seed=1, mask=Mask(high=0.2), recycle=Recycle(share=0.5))
    train(net, 2, high=0.2)
    net.offer(0.5)
    other.mining.fill_(False)
    other.load_state_dict(copy.deepcopy(net.state_dict()))
    assert bool(other.mining)
    torch.manual_seed(2)
    one = train(net, 2, high=0.2)
    torch.manual_seed(2)
    assert torch.equal(one, train(other, 2, high=0.2))
    assert torch.equal(parameters(net.teacher), parameters(other.teacher))
    assert torch.equal(net.recycle.queries_KD, other.recycle.queries_KD)


# --- consistency -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["bag", "logits"])
def test_the_tie_is_never_below_the_teachers_entropy_and_meets_it_where_both_agree(on: Any) -> None:
    one, other = model("ds_mil")(*bags(6, 9)), model("ds_mil", seed=1)(*bags(6, 9))
    cross, entropy = consistency(one, other, Consistency(1.0, on=on))
    assert cross > entropy
    cross, entropy = consistency(one, one, Consistency(1.0, temp_teacher=0.7, temp_student=0.7, on=on))
    torch.testing.assert_close(cross, entropy)


def test_the_ties_gradient_reaches_the_student_only() -> None:
    one, other = model("ab_mil"), model("ab_mil", seed=1)
    consistency(one(*bags(6)), other(*bags(6)), Consistency(1.0))[0].backward()
    assert all(p.grad is None for p in one.parameters())
    assert any(p.grad is not None for p in other.parameters())


def test_clusters_pull_the_ends_of_attention_apart() -> None:
    attention = torch.tensor([[0.7], [0.1], [0.05], [0.15], [1.0]])
    right = torch.tensor([[-9.0, 9.0], [0.0, 0.0], [0.0, -9.0], [0.0, 0.0], [0.0, 0.0]])
    segments, label = Segments.from_lengths([4, 1]), torch.tensor([1, 0])
    assert clusters(attention, right, segments, label, 1) < 0.01 < clusters(attention, -right, segments, label, 1)


# --- recycling -------------------------------------------------------------------------------------------------------


def recycled(net: Mhim, share: float, lengths: tuple[int, ...] = (10, 4)) -> tuple[Tensor, Segments, Tensor]:
    x, segments = bags(*lengths)
    z = net.student.embed(x)
    net.recycle.options = Recycle(share=share, tokens=net.recycle.options.tokens, momentum=net.recycle.options.momentum)
    return *net.recycle(z, segments, noise(len(z))[:, 2]), z


def test_what_is_recycled_gives_way_to_a_few_tokens_at_the_end_of_its_bag() -> None:
    net = mhim(recycle=Recycle(share=0.5, tokens=3))
    tokens, segments, z = recycled(net, 0.5)
    assert segments.offsets.tolist() == [0, 5 + 3, 5 + 3 + 2 + 3]
    assert all(any(torch.equal(row, own) for own in z[:10]) for row in tokens[:5])
    assert not any(torch.equal(tokens[5], own) for own in z)


def test_where_nothing_is_recycled_there_is_no_token_and_no_nan() -> None:
    net = mhim(recycle=Recycle(share=0.5))
    tokens, segments, z = recycled(net, 0.0)
    assert torch.equal(tokens, z)
    assert segments.offsets.tolist() == [0, 10, 14]
    tokens, segments, _ = recycled(net, 0.5, (1, 6))  # a bag of one keeps it
    assert segments.offsets.tolist() == [0, 1, 5]
    assert tokens.isfinite().all()


def test_queries_move_in_training_only_and_momentum_one_freezes_them() -> None:
    net = mhim(recycle=Recycle(share=0.5, momentum=0.5))
    before = net.recycle.queries_KD.clone()
    recycled(net.eval(), 0.5)
    assert torch.equal(net.recycle.queries_KD, before)
    recycled(net.train(), 0.5)
    assert not torch.equal(net.recycle.queries_KD, before)
    frozen = mhim(recycle=Recycle(share=0.5, momentum=1.0))
    before = frozen.recycle.queries_KD.clone()
    recycled(frozen, 0.5)
    assert torch.equal(frozen.recycle.queries_KD, before)


def test_the_summaries_learn_from_the_loss() -> None:
    net = mhim(recycle=Recycle(share=0.5))
    x, segments = bags(9, 14)
    bag_loss(net(x, segments, noise(23), LABELS).student, LABELS).backward()
    assert net.recycle.kv.weight.grad.abs().sum() > 0


def test_in_evaluation_summaries_are_added_only_where_that_is_asked_for() -> None:
    x, segments = bags(9, 14)
    for asked in (False, True):
        net = mhim(recycle=Recycle(share=0.5, test=asked)).eval()
        assert torch.equal(net(x, segments).student.logits, net.student(x, segments).logits) != asked


@pytest.mark.parametrize("options", [{"share": 1.0}, {"tokens": 0}, {"test": True}, {"momentum": 1.5}])
def test_senseless_recycling_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="recycle"):
        Recycle(**options)


@pytest.mark.parametrize("options", [{"momentum": 2.0}, {"epochs": -1}, {"epochs": 2, "checkpoint": "a.ckpt"}])
def test_a_senseless_teacher_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="teacher"):
        Teacher(**options)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (Mask, {"fusion": "mean"}, "mask.fusion=mean cannot act: random, low and high are 0"),
        (Consistency, {"temp_student": 2.0}, "consistency.temp_student"),
        (Recycle, {"tokens": 4}, "recycle.tokens"),
    ],
)
def test_what_would_do_nothing_is_refused(kind: type, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kind(**options)
