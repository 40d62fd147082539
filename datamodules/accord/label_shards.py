"""A shard of labels on disk: arrays without pickles, named after what they answer. Nested plans are numbers and lengths of rows."""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np

from datamodules.accord.instances import Instance
from datamodules.accord.solution import Plan, Solution, Status
from datamodules.errors import DataError
from datamodules.whole import write_bytes

__all__ = ["VERSION", "content", "read_shard", "shard_name", "write_shard"]

VERSION = 2  # of the methods and of the layout: another number makes other shards
STATUSES: tuple[str, ...] = get_args(Status)
NESTED = frozenset({"cvrp", "binpack", "jssp"})
TOLD = frozenset(  # says nothing of the answer
    {"name", "best", "proven", "notes", "metric", "named_fleet", "xy", "scale", "value_scale", "labels", "machine_labels"}
)


def content(instance: Instance) -> bytes:
    """A hash of what the answer depends on."""
    digest = hashlib.sha256(instance.kind.encode())
    for field in fields(instance):
        if field.name in TOLD:
            continue
        value: Any = getattr(instance, field.name)
        if isinstance(value, np.ndarray):
            digest.update(f"{field.name}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value, "<i8").tobytes())
        else:
            digest.update(f"{field.name}={value!r};".encode())
    return digest.digest()


def shard_name(instances: Sequence[Instance], method: str, time_limit: float | None) -> str:
    digest = hashlib.sha256(f"{method};{time_limit};".encode())
    for instance in instances:
        digest.update(content(instance))
    return f"{instances[0].kind}-{method}-{digest.hexdigest()[:24]}.npz"


def write_shard(path: Path, solutions: Sequence[Solution]) -> None:
    kind = solutions[0].kind
    rows: list[list[int]] = []
    parts = []  # rows of each plan
    for solution in solutions:
        plan = solution.plan if solution.plan is not None else ()
        nested = list(plan) if kind in NESTED else [plan] if solution.plan is not None else []
        rows.extend([int(value) for value in row] for row in nested)
        parts.append(len(nested))
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        version=np.array(VERSION),
        values=np.array([value for row in rows for value in row], np.int64),
        lengths=np.array([len(row) for row in rows], np.int64),
        parts=np.array(parts, np.int64),
        planned=np.array([one.plan is not None for one in solutions]),
        objective=np.array([one.objective or 0 for one in solutions], np.int64),
        bounded=np.array([one.bound is not None for one in solutions]),
        bound=np.array([one.bound or 0 for one in solutions], np.int64),
        status=np.array([STATUSES.index(one.status) for one in solutions], np.uint8),
        wall=np.array([one.wall for one in solutions]),
        source=np.array([one.source for one in solutions], np.str_),
        reason=np.array([one.reason for one in solutions], np.str_),
    )
    write_bytes(path, buffer.getvalue())


def read_shard(path: Path, instances: Sequence[Instance]) -> list[Solution]:
    """Refuses what is broken, older or newer."""
    try:
        with np.load(path, allow_pickle=False) as file:
            version = int(file["version"])
            if version != VERSION:
                raise DataError(f"{path}: labels of version {version}; this is version {VERSION}")
            data = {name: file[name] for name in file.files}
        if len(data["parts"]) != len(instances):
            raise DataError(f"{path}: {len(data['parts'])} labels for {len(instances)} instances")
        return _solutions(data, instances[0].kind)
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: a broken shard of labels ({error})") from error


def _solutions(data: dict[str, np.ndarray], kind: str) -> list[Solution]:
    ends = data["lengths"].cumsum()
    if int(data["parts"].sum()) != len(ends) or (int(ends[-1]) if len(ends) else 0) != len(data["values"]):
        raise ValueError("its parts do not add up")
    rows = [tuple(row.tolist()) for row in np.split(data["values"], ends[:-1])] if len(ends) else []
    out, at = [], 0
    for i, parts in enumerate(data["parts"].tolist()):
        mine = rows[at : at + parts]
        at += parts
        plan: Plan | None = tuple(mine) if kind in NESTED else mine[0] if mine else None
        planned = bool(data["planned"][i])
        status: Any = STATUSES[int(data["status"][i])]
        out.append(
            Solution(
                kind=kind,
                plan=plan if planned else None,
                objective=int(data["objective"][i]) if planned else None,
                status=status,
                bound=int(data["bound"][i]) if data["bounded"][i] else None,
                wall=float(data["wall"][i]),
                source=str(data["source"][i]),
                reason=str(data["reason"][i]),
            )
        )
    return out
