import pytest
import torch

from apps.base.export import export_program, torchscript
from apps.base.export.bare import open_torchscript
from apps.base.program import Call
from apps.base.shell import Shell
from apps.hag.bare import bare
from apps.hag.program import STATUS, Classify, Open, Size
from core_attention.gates import Gated
from tests.apps.hag.tiny import SIDE, facts, gated, network

CASES = {
    "stages": (("rgb", "loc"), "early", ["loc"], ("input", "stage")),
    "streams": (("rgb", "loc", "depth"), "late", ["loc", "depth"], ("stage", "embed", "stream", "head", "input")),
}


def program(case: str = "stages", head: str = "both", view: str = "frame") -> Size:
    use, join, planes, sites = CASES[case]
    model = network(head, use=use, join=join, planes=planes, scaled=view == "crop")
    gated(model, sites)
    return Size(model, facts(planes, view), [])


def frames(count: int = 3, height: int = 50, width: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


BOX = torch.tensor([10.0, 12.0, 30.0, 28.0])
NONE = torch.zeros(0, 1, 1)


@pytest.mark.parametrize("case", list(CASES))
def test_folded_gates_answer_what_gates_answered(case) -> None:
    use, join, planes, sites = CASES[case]
    model = network("both", use=use, join=join, planes=planes)
    gated(model, sites)
    network_, report = bare(Open(model), len(planes), SIDE)
    assert not any(isinstance(part, Gated) for part in network_.modules())
    assert not report["kept"]
    assert report["error"] < 1e-5
    given = torch.randn(3, 3, SIDE, SIDE), torch.rand(3, len(planes), SIDE, SIDE), torch.zeros(3, 4)
    with torch.no_grad():
        before, after = Open(model)(*given), network_(*given)
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=1e-5, atol=1e-5)


def test_the_program_answers_what_the_network_answers() -> None:
    made = program()
    use, join, planes, sites = CASES["stages"]
    model = network("both", use=use, join=join, planes=planes)
    gated(model, sites)
    framed = made.framing(frames()[0], BOX, NONE)
    with torch.no_grad():
        wanted = model(framed.image[None], framed.planes[None])
        answer = made.size(frames()[:1], BOX[None])
    torch.testing.assert_close(answer["mm"], wanted.mm, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.stack([answer["p_gt5"], answer["p_ge10"]], 1), wanted.ordinal.sigmoid(), rtol=1e-5, atol=1e-5)


def test_the_file_holds_no_gate(tmp_path) -> None:
    made = program()
    torchscript.write(made, str(tmp_path / "a.ts"), "{}")
    loaded = open_torchscript((tmp_path / "a.ts").open("rb"), "cpu")[0]
    assert not [name for name, _ in [*loaded.named_parameters(), *loaded.named_buffers()] if "gate" in name or "logits" in name]
    graph = str(loaded.network.inlined_graph)
    assert "aten::sigmoid" not in graph  # of a factor; what the answer's probabilities need lies outside of the network


@torch.no_grad()
def test_a_batch_answers_what_its_frames_answer_alone() -> None:
    made, boxes = program(), torch.stack([BOX, BOX + 5, BOX * 1.3])
    together = made.size(frames(), boxes)
    for i in range(3):
        alone = made.size(frames()[i : i + 1], boxes[i : i + 1])
        for name in together:
            torch.testing.assert_close(together[name][i : i + 1], alone[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (33, 90), (201, 40), (300, 200)])
@pytest.mark.parametrize("view", ["frame", "crop"])
@torch.no_grad()
def test_frames_of_any_size_are_answered(size, view) -> None:
    answer = program(view=view).size(frames(1, *size), torch.tensor([[3.0, 4.0, 25.0, 20.0]]))
    assert answer["status"].tolist() == [0]
    assert all(value.isfinite().all() for value in answer.values() if value.is_floating_point())
    assert (answer["mm_lo"] < answer["mm"]).all()
    assert (answer["mm"] < answer["mm_hi"]).all()


@pytest.mark.parametrize(
    ("box", "status"),
    [
        (BOX, "ok"), (torch.zeros(0), "whole_frame"), (torch.tensor([5.0, 5.0, 5.0, 9.0]), "empty_box"),
        (torch.tensor([9.0, 9.0, 5.0, 5.0]), "empty_box"), (torch.tensor([200.0, 9.0, 220.0, 25.0]), "box_outside"),
        (torch.tensor([-30.0, -30.0, -2.0, -2.0]), "box_outside"), (torch.tensor([-10.0, -10.0, 20.0, 20.0]), "ok"),
        (torch.tensor([1.0, float("nan"), 20.0, 20.0]), "empty_box"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("view", ["frame", "crop"])
@torch.no_grad()
def test_an_odd_box_has_its_status_and_no_size(box, status, view) -> None:
    made = program(view=view)
    answer = made(made.place(frames()[0], box, NONE)[None])
    assert STATUS[answer["status"].item()] == status
    assert answer["box_used"].item() == int(status == "ok")
    assert bool(answer["mm"].isfinite()) == (status in STATUS[:2])
    assert (answer["class3"].item() >= 0) == (status in STATUS[:2])


@torch.no_grad()
def test_a_black_frame_has_no_size() -> None:
    made = program()
    answer = made(made.place(torch.full((40, 40, 3), 3, dtype=torch.uint8), BOX, NONE)[None])
    assert STATUS[answer["status"].item()] == "dark"
    assert answer["mm"].isnan().all()


@pytest.mark.parametrize(
    ("image", "box", "given", "words"),
    [
        (torch.zeros(40, 40, dtype=torch.uint8), BOX, NONE, "convert grey pictures"),
        (torch.zeros(40, 40, 4, dtype=torch.uint8), BOX, NONE, "four channels"),
        (torch.zeros(40, 40, 3), BOX, NONE, "a frame is uint8"),
        (torch.zeros(31, 40, 3, dtype=torch.uint8), BOX, NONE, "at least 32 x 32"),
        (torch.zeros(40, 40, 3, dtype=torch.uint8), BOX[:3], NONE, "a box is xmin"),
        (torch.zeros(40, 40, 3, dtype=torch.uint8), BOX, torch.zeros(1, 40, 40), "reads 0 planes"),
    ],
)
def test_what_is_no_frame_is_one_line(image, box, given, words) -> None:
    with pytest.raises(RuntimeError, match=words) as error:
        program().place(image, box, given)
    assert "\n" not in str(error.value)


@torch.no_grad()
def test_depth_comes_in_as_a_plane_and_is_asked_for() -> None:
    made = program("streams")
    with pytest.raises(RuntimeError, match=r"reads 1 planes of the frame.s size beside it \(depth\)"):
        made.size(frames(), BOX.expand(3, 4))
    near, far = (made.size(frames(1), BOX[None], torch.full((1, 1, 50, 64), depth))["mm"] for depth in (1.0, 0.1))
    assert near.item() != far.item()


@torch.no_grad()
def test_heads_answer_what_they_have() -> None:
    only = program(head="classes3").size(frames(), BOX.expand(3, 4))
    assert "mm" not in only
    assert torch.equal(only["class3"], (only["p_gt5"] > 0.5).long() + (only["p_ge10"] >= 0.5).long())
    sized = program(head="regress").size(frames(), BOX.expand(3, 4))
    assert torch.equal(sized["class3"], (sized["mm"] > 5).long() + (sized["mm"] >= 10).long())
    assert ((sized["p_gt5"] > 0.5) == (sized["mm"] > 5)).all()  # by the spread on validation
    classes = Classify(network("classify", classes=2), facts(classes=["a", "b"]), [])
    assert classes(torch.stack([classes.prepare(frames()[0])]))["probs"].sum().item() == pytest.approx(1.0)


def test_closed_channels_are_cut_out_of_the_file(tmp_path) -> None:
    model = network("both", hidden=16)
    gates = gated(model, ("head", "embed"))
    with torch.no_grad():
        for gate in gates.gates.values():
            gate.logits[::2] = -1e4  # exactly 0
    whole, made = Size(network("both", hidden=16), facts(), []), Size(model, facts(), [])
    counts = [sum(value.numel() for value in each.network.parameters()) for each in (whole, made)]
    assert counts[1] < counts[0]
    assert any(after == before // 2 for _, _, before, after in made.metadata()["gates"]["cut"])
    torchscript.write(made, str(tmp_path / "a.ts"), "{}")
    loaded = open_torchscript((tmp_path / "a.ts").open("rb"), "cpu")[0]
    assert sum(value.numel() for value in loaded.network.parameters()) == counts[1]
    with torch.no_grad():
        x = torch.stack([made.prepare(frame) for frame in frames()])
        torch.testing.assert_close(made(x)["mm"], model(x[:, :3]).mm, rtol=1e-5, atol=1e-5)


@pytest.mark.full
@pytest.mark.parametrize("form", ["pt2", "onnx"])
@pytest.mark.parametrize(("case", "view"), [("stages", "frame"), ("streams", "crop")])
def test_the_other_formats_place_frames_of_any_size_and_odd_boxes(case, view, form, tmp_path, monkeypatch) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")
    monkeypatch.setenv("HOME", str(tmp_path))
    made = program(case, view=view)
    calls = made.calls

    def odd(generator):
        boxes = [[5.0, 5.0, 5.0, 9.0], [200.0, 9.0, 220.0, 25.0], [-10.0, -10.0, 20.0, 20.0], [1.0, float("nan"), 20.0, 20.0]]
        frame, given = frames(1, 77, 130)[0], torch.rand(made.given, 77, 130, generator=generator)
        return [*calls(generator), *(Call("place", (frame, torch.tensor(box), given)) for box in boxes)]

    monkeypatch.setattr(type(made), "calls", lambda _, generator: odd(generator))
    report = export_program(made, tmp_path / f"a.{form}", None, Shell(quiet=True))
    assert report["passed"]
    assert ("prepare" in report["worst"]) == (not made.given)
