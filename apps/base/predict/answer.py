"""From outputs to rows: the file's metadata says what an output means, so predict needs to know no application.

A row of metadata["answer"] is {"output": name, "as": "top"|"named"|"value"|"vector"|"steps"|"map"|"text"}; "top" takes "k", "named"
is a number for each label, "steps" are whole numbers of which the first one below 0 is the end: what follows fills the batch, "text" is
tokens of which 1..n are the labels and the first other one is the end, and "full": true prints it only when everything is asked for.
"""

import json
from itertools import takewhile
from typing import Any

__all__ = ["answer_rows", "columns", "flat", "plain"]


def answer_rows(metadata: dict[str, Any], outputs: dict[str, Any], full: bool = False) -> list[dict[str, Any]]:
    """A plain dict for each item of the batch. A number that is none (NaN, infinity) makes the row an error, not an answer."""
    wanted = [row for row in metadata["answer"] if full or not row.get("full", False)]
    for row in wanted:
        if row["output"] not in outputs:
            raise ValueError(f"the answer names the output {row['output']!r}, which the program does not give; it gives {sorted(outputs)}")
    arrays = [(row, outputs[row["output"]].detach().cpu()) for row in wanted]
    return [_one(arrays, i, metadata.get("labels") or []) for i in range(len(arrays[0][1]) if arrays else 0)]


def _one(arrays: list[tuple[dict[str, Any], Any]], i: int, labels: list[str]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for row, array in arrays:
        value = array[i]
        if value.is_floating_point() and not bool(value.isfinite().all()):
            return {"error": f"the program's answer is not a number ({row['output']})"}
        answer[row["output"]] = _shown(row, value, labels)
    return answer


def _shown(row: dict[str, Any], value: Any, labels: list[str]) -> Any:
    kind = row["as"]
    if kind == "top":
        if value.dim() != 1 or (labels and len(labels) != len(value)):
            raise ValueError(f"{row['output']} as top: {tuple(value.shape)} values for {len(labels)} labels")
        best = value.float().sort(descending=True, stable=True)
        k = min(row.get("k", 5), len(value))
        pairs = zip(best.indices[:k].tolist(), _numbers(best.values[:k]), strict=True)
        return [{"label": labels[index] if labels else index, "probability": number} for index, number in pairs]
    if kind == "named":
        if value.dim() != 1 or len(labels) != len(value):
            raise ValueError(f"{row['output']} as named: {tuple(value.shape)} values for {len(labels)} labels")
        return dict(zip(labels, _numbers(value), strict=True))
    if kind == "value":
        if value.numel() != 1:
            raise ValueError(f"{row['output']} as value: {tuple(value.shape)} numbers an item instead of one")
        return _numbers(value.reshape(()))
    if kind in ("vector", "map"):
        return _numbers(value)
    if kind == "steps":
        if value.dim() != 1 or value.is_floating_point():
            raise ValueError(f"{row['output']} as steps: {tuple(value.shape)} {value.dtype} instead of a row of whole numbers")
        return list(takewhile(lambda step: step >= 0, value.tolist()))
    if kind == "text":
        if value.dim() != 1 or value.is_floating_point() or not labels:
            raise ValueError(f"{row['output']} as text: {tuple(value.shape)} {value.dtype} for {len(labels)} labels")
        return _word(value.tolist(), labels)
    raise ValueError(f"{row['output']}: an answer is top, named, value, vector, steps, map or text, not {kind!r}")


def _word(tokens: list[int], labels: list[str]) -> str:
    end = next((i for i, token in enumerate(tokens) if not 1 <= token <= len(labels)), len(tokens))
    return "".join(labels[token - 1] for token in tokens[:end])


def plain(value: Any) -> float:
    """A float32 in its shortest spelling: 0.1, not 0.10000000149011612."""
    import numpy as np

    return float(str(np.float32(value)))


def _numbers(value: Any) -> Any:
    """Python numbers, each as `plain` spells it."""
    if not value.is_floating_point():
        return value.tolist()
    array = value.float().numpy()
    if array.ndim == 0:
        return plain(array)
    return [_numbers(part) for part in value] if array.ndim > 1 else [plain(number) for number in array]


def columns(metadata: dict[str, Any], full: bool = False) -> list[str]:
    """The columns of the CSV: known before the first answer, so that rows can be written as they come."""
    names = ["input"]
    for row in metadata["answer"]:
        if full or not row.get("full", False):
            if row["as"] == "top":
                count = min(row.get("k", 5), len(metadata.get("labels") or []) or row.get("k", 5))
                names += [f"{row['output']}.{i}.{part}" for i in range(1, count + 1) for part in ("label", "probability")]
            elif row["as"] == "named":
                names += [f"{row['output']}.{label}" for label in metadata["labels"]]
            else:
                names.append(row["output"])
    return [*names, "error"]


def flat(answer: dict[str, Any]) -> dict[str, Any]:
    """The same answer under the names of `columns`; lists of numbers become JSON in one cell."""
    cells: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for i, entry in enumerate(value, start=1):
                cells |= {f"{name}.{i}.{part}": cell for part, cell in entry.items()}
        elif isinstance(value, dict):
            cells |= {f"{name}.{label}": number for label, number in value.items()}
        else:
            cells[name] = json.dumps(value) if isinstance(value, list) else value
    return cells
