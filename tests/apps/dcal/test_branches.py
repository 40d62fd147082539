"""The brief's properties of the global-local branch, the pair branch and their selection."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from apps.dcal.model import Dcal
from apps.dcal.options import Glca, Pwca
from apps.dcal.stream import Layer, rollout_row, self_attention
from core_attention.blocks import select_top, take
from core_attention.trunks import build_trunk

SMALL = {"depth": 3, "width": 16, "heads": 2, "image": 24}  # 16 patches
OFF = Pwca(blocks=0)


def dcal(glca: Glca | None = None, pwca: Pwca | None = None, seed: int = 0, **trunk: Any) -> Dcal:
    generator = torch.Generator().manual_seed(seed)
    return Dcal(build_trunk("vit_micro", seed=seed, **{**SMALL, **trunk}), 4, glca, pwca, generator=generator).double()


def pictures(n: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, 24, 24, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def maps(layers: int, n: int = 5) -> list[Tensor]:
    generator = torch.Generator().manual_seed(layers)
    return [torch.randn(2, n, n, generator=generator, dtype=torch.float64).softmax(-1) for _ in range(layers)]


# --- rollout ---------------------------------------------------------------------------------------------------------


def test_the_rollout_row_is_row_0_of_the_full_product_latest_layer_on_the_left() -> None:
    layers = maps(4)
    product = torch.eye(5, dtype=torch.float64)
    for attention in layers:
        product = 0.5 * (attention + torch.eye(5, dtype=torch.float64)) @ product
    row = rollout_row([Layer(map_BNN=attention) for attention in layers])
    torch.testing.assert_close(row, product[:, 0], rtol=0, atol=1e-12)
    turned = rollout_row([Layer(map_BNN=attention) for attention in reversed(layers)])
    assert not torch.allclose(row, turned)


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_a_rollout_row_is_a_distribution_that_keeps_the_direct_path(depth: int) -> None:
    row = rollout_row([Layer(map_BNN=attention) for attention in maps(depth)])
    assert (row >= 0).all()
    torch.testing.assert_close(row.sum(1), torch.ones(2, dtype=torch.float64))
    assert (row[:, 0] >= 2.0**-depth).all()
    identity = rollout_row([Layer(map_BNN=torch.eye(5, dtype=torch.float64).expand(2, 5, 5))] * depth)
    assert torch.equal(identity[:, 0], torch.ones(2, dtype=torch.float64))
    uniform = rollout_row([Layer(map_BNN=torch.full((2, 5, 5), 0.2, dtype=torch.float64))] * depth)
    torch.testing.assert_close(uniform[:, 1:], torch.full((2, 4), (1 - 2.0**-depth) / 5, dtype=torch.float64))


def test_a_streamed_rollout_equals_one_of_stored_maps() -> None:
    model, x = dcal(Glca()), pictures()
    blocks = list(model.trunk.blocks)
    rows = [rollout_row(self_attention(blocks, model.trunk.embed(x), look, False).layers) for look in ("maps", "stream")]
    torch.testing.assert_close(*rows)


def test_top_scores_are_chosen_in_order_and_of_equals_the_first() -> None:
    scores = torch.tensor([[9.0, 1.0, 3.0, 3.0, 2.0], [0.0, 5.0, 5.0, 5.0, 5.0]])
    assert select_top(scores, 0.5).tolist() == [[2, 3], [1, 2]]
    assert select_top(scores, 1e-6).tolist() == [[2], [1]]
    assert select_top(scores, 1.0).tolist() == [[2, 3, 4, 1], [1, 2, 3, 4]]
    assert select_top(torch.rand(1, 785), 0.1).shape == (1, 78)
    assert select_top(torch.rand(1, 129), 0.3).shape == (1, 38)
    for ratio in (0.0, 1.1):
        with pytest.raises(ValueError, match="ratio"):
            select_top(scores, ratio)


# --- global-local ------------------------------------------------------------------------------------------------------


def with_choice(model: Dcal, x: Tensor, choice: Tensor) -> tuple[Tensor, list[Tensor]]:
    """(logits, gradients) of the global-local branch with these patches chosen."""
    assert model.glca is not None
    model.glca._choose = lambda scores: torch.cat([torch.zeros_like(choice[:, :1]), choice + 1], 1)  # type: ignore[method-assign]
    logits = model(x).glca_logits[0]
    return logits, torch.autograd.grad(logits.square().sum(), list(model.trunk.blocks.parameters()))


@pytest.mark.parametrize("readout", ["cls", "cls+mean", "mean", "attend"])
def test_the_class_rows_answer_does_not_see_which_patches_were_chosen_and_the_others_do(readout: Any) -> None:
    model, x = dcal(Glca(readout=readout), OFF), pictures()
    one, two = (with_choice(model, x, torch.tensor([choice] * 3)) for choice in ([0, 1], [7, 12]))
    blind = readout == "cls"
    assert torch.equal(one[0], two[0]) == blind
    assert all(torch.allclose(a, b) for a, b in zip(one[1], two[1], strict=True)) == blind


@pytest.mark.parametrize("options", [{"readout": "cls", "select": "random"}, {"readout": "scatter", "select": "last_layer"}])
def test_a_selection_that_cannot_act_is_refused_unless_it_is_the_experiment(options: Any) -> None:
    with pytest.raises(ValueError, match="selection does not influence"):
        Glca(**options)
    assert Glca(**options, allow_inert=True).select == options["select"]


def test_choosing_all_patches_is_a_whole_block_read_out() -> None:
    model, x = dcal(Glca(ratio=1.0)), pictures()
    branch = model.glca
    assert branch is not None
    z = self_attention(list(model.trunk.blocks), model.trunk.embed(x), "no", False).tokens[-1]
    block = branch.blocks[0]
    whole = branch.norms[0](block.rest(z, block.attn(block.norm1(z))))
    wanted = branch.heads[0](0.5 * (whole[:, 0] + whole[:, 1:].mean(1)))
    torch.testing.assert_close(model(x).glca_logits[0], wanted)


@pytest.mark.parametrize("options", [
    {}, {"readout": "mean"}, {"readout": "attend"}, {"readout": "scatter", "cls": "auto"}, {"readout": "mean", "cls": "auto"},
    {"blocks": 3}, {"blocks": 2, "stack": "chain"}, {"input": "penultimate"}, {"input": "embed"}, {"select": "last_layer"},
    {"select": "random"}, {"select": "all"}, {"rollout": "stream"}, {"readout": "cls"},
])  # fmt: skip
def test_every_option_gives_answers_and_reaches_every_weight_of_the_branch(options: Any) -> None:
    model, x = dcal(Glca(ratio=0.2, **options)), pictures()
    output = model(x)
    blocks = options.get("blocks", 1) if options.get("stack") != "chain" else 1
    assert output.glca_logits.shape == (blocks, 3, 4)
    assert output.rollout.shape == (3, 16)
    grads = torch.autograd.grad(output.glca_logits.square().sum(), list(model.glca.parameters()))
    keys = {"attn.qkv.bias"}  # a number added to all logits of a row changes nothing
    for (name, _), grad in zip(model.glca.named_parameters(), grads, strict=True):
        assert grad.abs().sum() > 0 or name.endswith(tuple(keys)), name


def test_permuting_patches_with_their_positions_permutes_the_choice_and_no_answer() -> None:
    model, x = dcal(Glca()), pictures()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    before = model(x)
    embed = model.trunk.embed
    turned = torch.cat([torch.zeros(1, dtype=torch.long), order + 1])
    model.trunk.embed = lambda images: embed(images)[:, turned]  # type: ignore[method-assign]
    after = model(x)
    torch.testing.assert_close(after.sa_logits, before.sa_logits)
    torch.testing.assert_close(after.glca_logits, before.glca_logits)
    torch.testing.assert_close(after.rollout, before.rollout[:, order])
    assert torch.equal(order[after.selected], before.selected)


# --- pairs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 3])
def test_a_picture_that_is_its_own_partner_gives_the_plain_answer_and_leaks_a_half(depth: int) -> None:
    model, x = dcal(None, Pwca(blocks=depth)), pictures()
    output = model(x, torch.arange(3))
    torch.testing.assert_close(output.pwca_logits, output.sa_logits)
    torch.testing.assert_close(output.leakage, torch.full((depth,), 0.5, dtype=output.leakage.dtype))


@pytest.mark.parametrize(("options", "reaches"), [({}, True), ({"detach": True}, False), ({"distractor": "noise"}, False),
                                                  ({"partner": "pwca"}, True)])  # fmt: skip
def test_the_pair_answer_depends_on_the_partner(options: Any, reaches: bool) -> None:
    model, x = dcal(None, Pwca(**options)), pictures().requires_grad_()
    torch.manual_seed(0)
    (grad,) = torch.autograd.grad(model(x, torch.tensor([1, 2, 0])).pwca_logits[0].square().sum(), x)
    assert (grad[1].abs().sum() > 0) == reaches
    assert grad[0].abs().sum() > 0


def test_looking_at_the_leakage_changes_no_bit_of_training() -> None:
    model, x, partner = dcal(None, Pwca()).float(), pictures().float(), torch.tensor([1, 2, 0])
    seen, unseen = (model(x, partner, watch=watch) for watch in (True, False))
    assert unseen.leakage is None
    assert torch.equal(seen.pwca_logits, unseen.pwca_logits)
    grads = [torch.autograd.grad(out.pwca_logits.square().sum(), list(model.trunk.parameters())) for out in (seen, unseen)]
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


def test_a_second_picture_of_each_can_be_the_distractor() -> None:
    model, x, others = dcal(None, Pwca(pair_source="dataset")), pictures(), pictures(seed=1)
    inside = dcal(None, Pwca())
    inside.load_state_dict(model.state_dict())
    wanted = inside(torch.cat([x, others]), torch.tensor([3, 4, 5, 0, 1, 2])).pwca_logits[:3]
    torch.testing.assert_close(model(x, None, others).pwca_logits, wanted)
    with pytest.raises(ValueError, match=r"data\.partners"):
        model(x, torch.tensor([1, 2, 0]))


def test_partner_pictures_never_change_inference() -> None:
    model = dcal(Glca(), Pwca()).eval()
    x = pictures(8)
    whole = model(x)
    for i in range(8):
        alone = model(x[i : i + 1])
        torch.testing.assert_close(alone.sa_logits, whole.sa_logits[i : i + 1])
        torch.testing.assert_close(alone.glca_logits, whole.glca_logits[:, i : i + 1])
    assert whole.pwca_logits is None


def test_the_pair_branch_owns_nothing() -> None:
    with_pairs, without = dcal(Glca(), Pwca()), dcal(Glca(), OFF)
    assert with_pairs.state_dict().keys() == without.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(with_pairs.state_dict().values(), without.state_dict().values(), strict=True))


def test_blocks_before_the_pair_blocks_are_not_run_twice() -> None:
    model, x = dcal(None, Pwca(blocks=1)), pictures()
    calls = [0] * 3
    for i, block in enumerate(model.trunk.blocks):
        block.mlp.register_forward_hook(lambda *_, i=i: calls.__setitem__(i, calls[i] + 1))
    model(x, torch.tensor([1, 2, 0]))
    assert calls == [1, 1, 2]


# --- the whole -----------------------------------------------------------------------------------------------------------


def test_one_step_of_descent_lowers_every_branchs_loss() -> None:
    torch.manual_seed(0)
    model, x, labels = dcal(Glca(), Pwca()), pictures(8), torch.arange(8) % 4
    partner = torch.arange(8).roll(1)

    def losses() -> Tensor:
        out = model(x, partner)
        return torch.stack([cross_entropy(logits, labels) for logits in (out.sa_logits, out.glca_logits[0], out.pwca_logits)])

    before = losses()
    before.sum().backward()
    torch.optim.SGD(model.parameters(), 0.05).step()
    assert (losses() < before).all()


def test_the_plain_twin_is_the_trunks_own_classifier_on_the_same_weights() -> None:
    model, x = dcal(Glca(), Pwca()).eval(), pictures()
    plain = model.plain()
    torch.testing.assert_close(plain(x).sa_logits, model(x).sa_logits)
    torch.testing.assert_close(plain(x).sa_logits, model.head_sa(model.trunk(x)))
    assert not [name for name, _ in plain.named_parameters() if name.startswith("glca")]
    assert plain(x).rollout is None


@pytest.mark.parametrize(("make", "named"), [
    (lambda: dcal(Glca(blocks=4)), "glca.blocks=4"), (lambda: dcal(None, Pwca(blocks=4)), "pwca.blocks=4"),
    (lambda: Glca(ratio=0.0), "glca.ratio"), (lambda: Glca(cls="auto"), "glca.cls=auto"),
    (lambda: Pwca(distractor="noise", partner="pwca"), "pwca.partner"),
    (lambda: Pwca(distractor="noise", pair_source="inter"), "pair_source"),
    (lambda: Dcal(build_trunk("resnet18", width=0.125), 4, Glca()), "transformer"),
    (lambda: dcal(Glca(), mixer="sigmoid"), "softmax"),
    (lambda: dcal(None, Pwca())(pictures(), torch.tensor([1, 0])), "partner is of 2 pictures"),
    (lambda: dcal(Glca())(pictures(), torch.tensor([1, 2, 0])), "no pair branch"),
])  # fmt: skip
def test_what_cannot_work_is_refused_by_name(make: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        make()


def test_rows_are_taken_as_they_were_chosen() -> None:
    x = torch.arange(12.0).reshape(1, 4, 3)
    assert take(x, torch.tensor([[2, 0]])).tolist() == [[[6, 7, 8], [0, 1, 2]]]
