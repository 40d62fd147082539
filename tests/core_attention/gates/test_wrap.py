"""Gates into a model and out again: nothing changes that should not, states map both ways, and compilers take what comes out."""

import copy
import io

import pytest
import torch
from torch import nn

from core_attention.gates import GateSet, Site, gated_state, plain_state, unwrap, wrap
from core_attention.maps.importance import head_importance
from core_attention.trunks import build_trunk, load
from tests.core_attention.gates.models import CASES, Sizer, pictures, vit


@pytest.fixture(params=CASES)
def case(request):
    make, sites, side = CASES[request.param]
    return make().eval(), sites, pictures(side)


def same_state(ours, theirs):
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_unit_gates_change_no_bit_and_unwrap_restores_names_and_values(case):
    model, sites, x = case
    before, state = model(x), copy.deepcopy(model.state_dict())
    wrap(model, sites, unit=True)
    assert torch.equal(model(x), before)
    assert list(model.state_dict()) != list(state)
    assert unwrap(model) is model
    assert same_state(model.state_dict(), state)
    assert torch.equal(model(x), before)


def test_gates_that_are_off_change_no_bit(case):
    model, sites, x = case
    before = model(x)
    wrap(model, sites, hardness="off")
    assert torch.equal(model(x), before)


def test_gates_act_at_every_site(case):
    model, sites, x = case
    gates = wrap(model, sites, unit=True)
    with torch.no_grad():
        for part in model.modules():  # blocks that begin as their shortcuts would hide their gates
            if isinstance(part, nn.BatchNorm2d):
                part.weight.fill_(0.7)
                part.bias.fill_(0.1)
        before = model(x)
        for name, gate in gates.gates.items():
            gate.logits.fill_(-2.0)
            assert not torch.allclose(model(x), before), name
            gate.logits.zero_()


def test_an_ungated_state_loads_into_a_wrapped_model_and_back(case):
    model, sites, x = case
    state = {name: value + 0.01 if value.is_floating_point() else value for name, value in model.state_dict().items()}
    gates = wrap(model, sites, init="xavier")
    begun = {name: gate.logits.detach().clone() for name, gate in gates.gates.items()}
    model.load_state_dict(state)
    assert same_state(plain_state(model), state)
    assert all(torch.equal(gates.gates[name].logits, logits) for name, logits in begun.items())
    other = copy.deepcopy(model)
    other.load_state_dict(gated_state(model, state), strict=False)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))


def test_a_missing_weight_is_an_error_and_a_missing_gate_is_not(case):
    model, sites, _ = case
    state = dict(model.state_dict())
    wrap(model, sites)
    model.load_state_dict(state)
    lost = [name for name in state if name.endswith("weight")][-1]
    del state[lost]
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict(state)


def test_gates_and_weights_are_disjoint_and_together_everything(case):
    model, sites, _ = case
    gates = wrap(model, sites)
    ours, theirs = ({id(p) for p in group} for group in (gates.gate_parameters(), gates.weight_parameters()))
    assert not ours & theirs
    assert ours | theirs == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("name", [name if name == "vit" else pytest.param(name, marks=pytest.mark.full) for name in CASES])
def test_a_wrapped_model_compiles_exports_and_traces(name):
    make, sites, side = CASES[name]
    model, x = make().eval(), pictures(side)
    wrap(model, sites, init="xavier")
    expected = model(x)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    torch.testing.assert_close(torch.jit.trace(model, x)(x), expected)


@pytest.mark.parametrize("hardness", ["sigmoid", "ste", "hard_concrete", "off"])
def test_a_wrapped_model_scripts_and_is_saved(hardness):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    wrap(model, ["0", Site("3", side="input", channels=8, repeat=36)], init="half", hardness=hardness)
    model.eval()
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(model), file)
    file.seek(0)
    x = pictures(8)
    torch.testing.assert_close(torch.jit.load(file)(x), model(x))


def test_a_gate_set_names_producers_and_consumers_as_in_the_ungated_model():
    gates = wrap(vit(), ["branch", "heads", "hidden"])
    assert [link.name for link in gates.producers("blocks.1.ls1")] == ["blocks.1.attn.proj"]
    assert [link.name for link in gates.producers("blocks.1.ls2")] == ["blocks.1.mlp.fc2"]
    assert [link.name for link in gates.consumers("blocks.0.mlp.act")] == ["blocks.0.mlp.fc2"]
    assert isinstance(gates.consumers("blocks.0.attn.proj")[0].module, nn.Linear)  # not the Gated around it
    stages = wrap(Sizer(), "stage")
    assert [link.name for link in stages.consumers("trunk.layer1")] == ["trunk.layer2.0.conv1", "trunk.layer2.0.downsample.0"]
    assert stages.consumers("trunk.layer4") == []


def test_a_copy_of_a_wrapped_model_is_linked_to_its_own_layers():
    model = vit()
    wrap(model, "branch")
    twin = copy.deepcopy(model)
    link = GateSet(twin).producers("blocks.0.ls1")[0]
    assert link.module is twin.blocks[0].attn.proj


def test_heads_are_gated_whole():
    """A closed head is a head whose columns of the projection are zero."""
    model = vit().eval()
    gates = wrap(model, "heads", unit=True)
    x = pictures(16)
    with torch.no_grad():
        gates.gates["blocks.0.attn.proj"].logits[1] = -200.0
        gated = model(x)
        unwrap(model)
        model.blocks[0].attn.proj.weight[:, 8:16] = 0
    torch.testing.assert_close(model(x), gated)


def test_the_importance_of_heads_is_measured_on_a_gated_model_too():
    plain, gated = vit().eval(), vit().eval()
    wrap(gated, "heads", unit=True)
    x, labels = pictures(16), torch.tensor([0, 1])
    scores = [
        head_importance(model, lambda model=model: model(x), lambda y, labels: y[:, labels].square().mean(), labels)
        for model in (plain, gated)
    ]
    for ours, theirs in zip(*(each.values() for each in scores), strict=True):
        torch.testing.assert_close(ours.score, theirs.score)


def test_files_of_ungated_trunks_load_with_a_report(tmp_path):
    donor = vit()
    for parameter in donor.parameters():
        parameter.data.add_(0.1)
    model = vit()
    wrap(model, ["branch", "heads"])
    report = load(model, donor.state_dict())
    assert not report.missing
    assert not report.unexpected
    assert same_state(plain_state(model), donor.state_dict())


def test_several_sites_at_once_or_one_after_the_other_are_the_same():
    once, twice = vit(), vit()
    wrap(once, ["branch", "heads"], unit=True)
    wrap(twice, "branch", unit=True)
    assert len(wrap(twice, "heads", unit=True)) == len(GateSet(once))
    assert list(once.state_dict()) == list(twice.state_dict())


class Attending(nn.Module):
    """Several arguments, several answers."""

    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        y, _ = self.attn(self.norm(x), self.norm(x), self.norm(x), need_weights=False)
        return x + y


def test_a_whole_attention_of_torch_is_gated_at_its_answer():
    model = Attending().eval()
    gates = wrap(model, "attn", unit=True)
    x = torch.rand(2, 5, 8)
    with torch.no_grad():
        gates.gates["attn"].logits.fill_(-200.0)
    assert torch.equal(model(x), x)


def encoder():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = self.a

    def forward(self, x):
        return self.b(self.a(x))


@pytest.mark.parametrize(
    ("make", "sites", "words"),
    [
        (vit, ["branch", "blocks.0.ls1"], "'blocks.0.ls1' is matched twice, by 'branch'"),
        (vit, "blocks.*.attention", "'blocks.\\*.attention' matches no module of Vit"),
        (vit, "stage", "no place 'stage' that is known"),
        (vit, [], "no site is named"),
        (vit, "blocks.0.attn", "'blocks.0.attn' is a Mixer.*blocks.0.attn.proj"),
        (vit, "blocks", "'blocks' is a ModuleList"),
        (vit, "blocks.0.ls1", "'blocks.0.ls1' .Identity. cannot be told from its type.*example="),
        (Sizer, "trunk.layer1", "channels of 'trunk.layer1' .Sequential. cannot be told"),
        (encoder, "layers.*.linear1", "'layers.0.linear1' lies inside .* a TransformerEncoder"),
        (lambda: encoder().layers[0], "linear2", "'linear2' lies inside 'the model', a TransformerEncoderLayer"),
        (Attending, "attn.out_proj", "'attn.out_proj' lies inside 'attn', a MultiheadAttention, which reads.*gate the whole"),
        (Twice, "a", "'a' is held at 2 places"),
        (vit, Site("norm", channels=7), "'norm' has 24 channels, not 7"),
    ],
)
def test_a_wrong_site_is_one_line_that_names_the_module_and_changes_nothing(make, sites, words):
    model = make()
    before = list(model.state_dict())
    with pytest.raises(ValueError, match=words):
        wrap(model, sites)
    assert list(model.state_dict()) == before


def test_a_site_has_one_gate():
    model = vit()
    wrap(model, "branch")
    with pytest.raises(ValueError, match=r"'blocks.0.ls1' has a gate already"):
        wrap(model, "branch")


def test_an_example_tells_channels_that_types_do_not():
    model = Sizer()
    gates = wrap(model, "trunk.layer?", example=pictures(32))
    assert [gate.channels for gate in gates.gates.values()] == model.trunk.widths
    assert model.training


def test_an_example_shows_an_axis_that_is_not_there():
    with pytest.raises(ValueError, match=r"at 'trunk.layer1' has 4 dimensions, and axis 4 is none of them"):
        wrap(Sizer(), Site("trunk.layer1", axis=4), example=pictures(32))


def test_a_model_without_gates_has_no_gate_set():
    with pytest.raises(ValueError, match="Vit has no gates"):
        GateSet(vit())


@pytest.mark.parametrize("name", ["duo_mini", "moat_micro"])
def test_other_trunks_find_their_places(name):
    model = build_trunk(name, seed=0).eval()
    x = pictures(96)
    before = model(x)
    wrap(model, ["input", "stage", "hidden", "heads"] if name == "duo_mini" else "input", unit=True)
    assert torch.equal(model(x), before)
