"""What a trace may not keep, and programs of other shapes."""

from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn

from apps.base.errors import FailureError
from apps.base.export import export_program, pt2, torchscript
from apps.base.predict.program_file import ProgramBytes
from apps.base.program import Call, Program, trace
from apps.base.shell import Shell
from tests.apps.base.tiny_program import Tiny

QUIET = Shell(quiet=True)

pytestmark = pytest.mark.usefixtures("home")


class KeepsCount(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.topk(int(x.shape[1] * 0.5)).values


class KeepsBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(int(x.shape[0]), -1) * torch.ones(int(x.shape[0]), 1)


@pytest.mark.parametrize("module", [KeepsCount(), KeepsBatch()])
def test_trace_that_keeps_a_size_is_refused_by_name(module):
    with pytest.raises(FailureError, match="trunk kept a size"):
        trace(module, torch.rand(2, 8), [torch.rand(3, 12)], "trunk")


def test_trace_needs_other_sizes():
    with pytest.raises(ValueError, match="other sizes"):
        trace(nn.Linear(2, 2), torch.rand(1, 2), [])


class Unscriptable(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        with suppress(KeyError):  # Python that TorchScript does not know
            x = x.mean((2, 3))
        return self.linear(x)


class Traced(Tiny):
    def __init__(self):
        super().__init__()
        self.trunk = Unscriptable()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"probs": self.trunk(x).softmax(-1)}

    def traced(self):
        return {"trunk": (torch.rand(2, 3, 32, 32), [torch.rand(1, 3, 32, 32), torch.rand(5, 3, 16, 16)])}

    def metadata(self):
        return {**super().metadata(), "answer": [{"output": "probs", "as": "top", "k": 2}]}


def test_parts_that_cannot_be_scripted_are_traced(out):
    with pytest.raises(Exception, match="suppress"):
        torch.jit.script(Unscriptable())
    report = export_program(Traced(), out / "traced.ts", None, QUIET)
    assert "probs" in report["worst"]


class Bags(Program):
    """Ragged, without prepare, with a second method and a loop of unknown length."""

    also = ("rollout",)

    def __init__(self):
        super().__init__()
        self.score = nn.Linear(5, 1)

    def forward(self, flat: Tensor, offsets: Tensor) -> dict[str, Tensor]:
        weight = self.score(flat).sigmoid().squeeze(1)
        index = torch.bucketize(torch.arange(flat.shape[0], device=flat.device), offsets[1:], right=True)
        return {"mean": torch.zeros(offsets.shape[0] - 1, dtype=flat.dtype, device=flat.device).index_add(0, index, weight)}

    @torch.jit.export
    def rollout(self, state: Tensor, steps: int) -> dict[str, Tensor]:
        for _ in range(steps):
            state = state + self.score(state).tanh()
        return {"state": state}

    def calls(self, generator):
        bags = [
            Call("forward", (torch.rand(int(offsets[-1]), 5, generator=generator), offsets))
            for offsets in map(torch.tensor, ([0, 3, 7], [0, 9], [0, 1, 2, 30]))
        ]
        return [*bags, Call("rollout", (torch.rand(2, 5), 3)), Call("rollout", (torch.rand(1, 5), 7))]

    def metadata(self):
        return {**Tiny().metadata(), "input": "features", "answer": [{"output": "mean", "as": "value"}], "labels": []}


def test_ragged_program_with_methods_of_its_own_is_exported(out):
    report = export_program(Bags(), out / "bags.ts", None, QUIET)
    assert report["worst"].keys() == {"mean", "rollout.state"}
    assert ProgramBytes(out / "bags.ts").metadata()["methods"] == ["forward", "rollout"]


def test_method_without_the_export_mark_is_a_bug_named(tmp_path):
    class Unmarked(Bags):
        also = ("forgotten",)

        def forgotten(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(TypeError, match=r"forgotten is not marked @torch.jit.export"):
        torchscript.write(Unmarked(), str(tmp_path / "x.ts"), "{}")


def test_pt2_refuses_what_has_no_free_sizes(tmp_path):
    class Stubborn(Tiny):
        @torch.jit.export
        def prepare(self, item: Tensor) -> Tensor:
            return super().prepare(item) if item.shape[0] == 40 else super().prepare(item) * 2

    program = Stubborn().eval()
    with pytest.raises(FailureError, match=r"Stubborn.prepare has no pt2 form with free sizes .*write \.ts instead"):
        pt2.write(program, str(tmp_path / "x.pt2"), "{}", program.calls(torch.Generator()))
