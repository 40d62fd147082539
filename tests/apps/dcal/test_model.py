import pytest
import torch

from apps.dcal.model import Dcal
from core_attention.trunks import Vit, build_trunk, load

TRUNKS = {"vit_micro": {"depth": 1}, "resnet18": {"width": 0.125}}


@pytest.mark.parametrize("name", TRUNKS)
def test_the_classifier_reads_the_token_that_is_given_back(name: str) -> None:
    trunk = build_trunk(name, seed=0, **TRUNKS[name])
    model = Dcal(trunk, num_classes=5).eval()
    images = torch.randn(2, 3, 48, 48)
    out = model(images)
    assert out.sa_logits.shape == (2, 5)
    torch.testing.assert_close(out.sa_token, trunk(images))
    torch.testing.assert_close(out.sa_logits, model.head_sa(out.sa_token))


def test_one_step_of_descent_lowers_the_loss_and_reaches_every_parameter() -> None:
    generator = torch.Generator().manual_seed(0)
    model = Dcal(build_trunk("vit_micro", seed=0, depth=2), 4, generator=generator)
    images, labels = torch.randn(8, 3, 48, 48, generator=generator), torch.arange(8) % 4
    loss = lambda: torch.nn.functional.cross_entropy(model(images).sa_logits, labels)  # noqa: E731
    before = loss()
    before.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())
    torch.optim.SGD(model.parameters(), 0.05).step()
    assert loss() < before


def test_the_generator_decides_the_classifier() -> None:
    heads = [
        Dcal(build_trunk("resnet18", seed=0, width=0.125), 4, generator=torch.Generator().manual_seed(3)).head_sa.weight for _ in range(2)
    ]
    assert torch.equal(*heads)
    assert heads[0].abs().sum() > 0


def test_one_class_is_no_choice() -> None:
    with pytest.raises(ValueError, match="two classes"):
        Dcal(build_trunk("resnet18", width=0.125), 1)


def dcal(image: int = 48, classes: int = 4, seed: int = 0) -> Dcal:
    return Dcal(build_trunk("vit_micro", seed=seed, depth=1, image=image), classes, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bare", [False, True], ids=["a model's names", "a trunk's names"])
def test_weights_of_another_size_of_picture_come_over_with_their_positions_resized(bare: bool) -> None:
    source, model = dcal(image=96, classes=7, seed=1), dcal()
    assert isinstance(source.trunk, Vit)
    assert isinstance(model.trunk, Vit)
    state = source.trunk.state_dict() | {"head.weight": torch.zeros(9, 64)} if bare else source.state_dict()
    report = load(model, state, strict=False)
    assert report.resized == {"trunk.pos_embed": "16x16 to 8x8"}
    assert set(report.loaded) == {f"trunk.{name}" for name in model.trunk.state_dict()}
    assert torch.equal(model.trunk.pos_embed[:, 0], source.trunk.pos_embed[:, 0])
    assert torch.equal(model.trunk.norm.weight, source.trunk.norm.weight)
    assert torch.equal(model.trunk.blocks[0].mlp.fc1.weight, source.trunk.blocks[0].mlp.fc1.weight)
    heads = {"head_sa.weight", "head_sa.bias"}
    assert set(report.missing if bare else report.mismatched) == heads
    assert report.unexpected == (["head.weight"] if bare else [])
    assert all(name in str(report) for name in (*heads, "trunk.pos_embed: 16x16 to 8x8"))


def test_the_report_of_a_warm_start_names_five_and_counts_the_rest() -> None:
    model = dcal()
    said = str(load(model, {"head_sa.bias": torch.zeros(4)}, strict=False))
    absent = [name for name in model.state_dict() if name != "head_sa.bias"]
    assert f"missing {len(absent)} ({'; '.join(absent[:5])} and {len(absent) - 5} more)" in said
