"""Items in, outputs out: prepare each, forward those of one shape together, give the results in the order of the items.

A batch is a stack of x, or ragged: all x behind one another and where each begins, or graph: (x, edge_index, edges or nothing) of each as
one graph of many parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from apps.base.errors import FailureError
from apps.base.predict.reader import Item, says

if TYPE_CHECKING:
    from apps.base.predict.program_file import ProgramFile

__all__ = ["Result", "run"]


@dataclass
class Result:
    """One item's outputs, each with a batch size of one, or why there are none."""

    name: Any
    item: Any
    outputs: dict[str, Any] | None = None
    error: str | None = None
    x: Any = None


def run(program: ProgramFile, items: Iterable[Item], batch: int, keep: bool = False) -> Iterator[Result]:
    """`keep` leaves the raw item in the result."""
    items = iter(items)
    single = program.metadata["batching"] == "single"
    while window := [_prepared(program, *item) for item in islice(items, 1 if single else batch)]:
        for group in _groups(window, program.metadata["batching"]):
            _forward(program, group)
        for result in window:
            result.x = None
            if not keep:
                result.item = None
            yield result


def _prepared(program: ProgramFile, name: Any, item: Any, error: str | None) -> Result:
    result = Result(name, item, error=error)
    if error is None:
        try:
            result.x = program.prepare(item)
        except _failures() as problem:
            _stop_if_full(problem)
            result.error = says(problem, name)
    return result


def _groups(window: list[Result], batching: str) -> list[list[Result]]:
    """What can go through together: items of one shape; ragged ones may differ in length, and so may graphs in nodes and edges."""
    groups: dict[Any, list[Result]] = {}
    for result in window:
        if result.error is None:
            key: Any
            if batching == "graph":
                key = tuple((part.shape[1:] if i != 1 else 2, part.dtype) for i, part in enumerate(result.x))
            else:
                key = (result.x.shape[1:] if batching == "ragged" else result.x.shape, result.x.dtype)
            groups.setdefault(key, []).append(result)
    return list(groups.values())


def _forward(program: ProgramFile, group: list[Result]) -> None:
    try:
        _answer(program, group)
    except _failures() as problem:
        _stop_if_full(problem)
        if len(group) == 1:
            group[0].error = says(problem, group[0].name)
        else:  # one bad item must not take the others with it
            for result in group:
                _forward(program, [result])


def _answer(program: ProgramFile, group: list[Result]) -> None:
    import torch

    batching = program.metadata["batching"]
    if batching not in ("ragged", "graph"):
        outputs = program.forward(torch.stack([result.x for result in group]))
        for i, result in enumerate(group):
            result.outputs = {name: value[i : i + 1] for name, value in outputs.items()}
        return
    parts: list[Any] = [result.x if batching == "graph" else (result.x,) for result in group]
    lengths = [len(part[0]) for part in parts]
    ends = torch.tensor(lengths, device=program.device).cumsum(0)
    offsets = torch.cat([ends.new_zeros(1), ends])
    flat = torch.cat([part[0] for part in parts])
    if batching == "graph":
        edge_index = torch.cat([part[1] + start for part, start in zip(parts, offsets, strict=False)], 1)
        index = torch.arange(len(group), device=program.device).repeat_interleave(offsets.diff())
        rest = [torch.cat(edges) for edges in zip(*(part[2:] for part in parts), strict=True)]
        outputs = program.forward(flat, edge_index, index, len(group), *rest)
    else:
        outputs = program.forward(flat, offsets)
    # Some outputs have a row an item (probabilities of a bag), others a row an element (attention over its instances).
    split = {name: value.split(lengths if name in program.metadata["along"] else 1) for name, value in outputs.items()}
    for i, result in enumerate(group):
        along = program.metadata["along"]
        result.outputs = {name: rows[i].unsqueeze(0) if name in along else rows[i] for name, rows in split.items()}


def _failures() -> tuple[type[Exception], ...]:
    """What an item can make a program raise: torch's own errors, and those that a scripted program raises by itself."""
    import torch

    return (RuntimeError, torch.jit.Error)


def _stop_if_full(problem: Exception) -> None:
    import torch

    if isinstance(problem, torch.OutOfMemoryError):
        raise FailureError("the device has no memory left for a batch of this size; give a smaller --batch") from problem
