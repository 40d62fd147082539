"""Parts of a batch: tensors, and tuples, lists and dicts of them, that have as many rows each."""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

__all__ = ["rows", "split_rows"]


def rows(batch: Any) -> int:
    """How many samples the batch has; refused where its tensors differ."""
    sizes = {tensor.shape[0] if tensor.ndim else 0 for tensor in _tensors(batch)}
    if len(sizes) != 1 or 0 in sizes:
        found = ", ".join(map(str, sorted(sizes))) or "no tensor"
        raise ValueError(f"a batch is divided by rows, so all of its tensors need as many; found {found}. Take gate_data='same' or 'val'")
    return sizes.pop()


def split_rows(batch: Any, first: int) -> tuple[Any, Any]:
    """The first so many samples, and the others."""
    if not 0 < first < rows(batch):
        raise ValueError(f"a batch of {rows(batch)} cannot give {first} samples to one pass and leave some to the other")
    return _part(batch, slice(None, first)), _part(batch, slice(first, None))


def _tensors(batch: Any) -> list[Tensor]:
    if isinstance(batch, Tensor):
        return [batch]
    if isinstance(batch, Mapping):
        return [tensor for value in cast(Mapping[Any, Any], batch).values() for tensor in _tensors(value)]
    if isinstance(batch, tuple | list):
        return [tensor for value in cast(list[Any], batch) for tensor in _tensors(value)]
    raise ValueError(f"a batch to be divided is made of tensors, tuples, lists and dicts; found a {type(batch).__name__}")


def _part(batch: Any, where: slice) -> Any:
    if isinstance(batch, Tensor):
        return batch[where]
    if isinstance(batch, Mapping):
        return {key: _part(value, where) for key, value in cast(Mapping[Any, Any], batch).items()}
    parts = [_part(value, where) for value in batch]
    return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)  # a named tuple takes its fields one by one
