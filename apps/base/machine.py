"""What a run was made on: machine, versions, the state of the code, and samples of how busy it is."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psutil

from apps.base.version import version_of

__all__ = ["DIFF_BYTES", "describe_machine", "git_diff", "installed", "measured_on", "sample"]

DIFF_BYTES = 1 << 20


def describe_machine() -> dict[str, Any]:
    """Plain values, fit for JSON."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return {
        "discern": version_of("discern"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "torch": torch.__version__,
        "lightning": version_of("pytorch-lightning"),
        "cuda": torch.version.cuda,
        "gpus": gpus,
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "git": _git_state(),
    }


def measured_on(versions: Sequence[str]) -> dict[str, Any]:
    """What a reader of a measurement needs to judge it; `versions` names the distributions that had a part in it."""
    import torch

    git = _git_state()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": None if git is None else git["commit"][:7] + (" and changes" if git["dirty"] else ""),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else _cpu(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in versions},
    }


def git_diff(limit_bytes: int = DIFF_BYTES) -> str:
    """What differs from the commit; cut where it is longer than the limit, and said so."""
    text = _git("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color") or ""
    data = text.encode()
    if len(data) <= limit_bytes:
        return text
    return data[:limit_bytes].decode("utf-8", "ignore") + f"\n[cut at {limit_bytes} of {len(data)} bytes]\n"


@cache
def installed() -> str:
    """Every distribution with its version, as a requirements file."""
    names = {}
    for dist in distributions():
        # its first lines alone: parsing every package's whole description takes a second
        head = (dist.read_text("METADATA") or dist.read_text("PKG-INFO") or "").partition("\n\n")[0]
        said = dict(re.findall(r"^(Name|Version): *(.+)$", head, re.MULTILINE))
        if len(said) == 2:
            names[said["Name"].strip()] = said["Version"].strip()
    return "".join(f"{name}=={names[name]}\n" for name in sorted(names, key=str.lower))


def sample(folder: Path) -> dict[str, float]:
    """How busy this process, its workers, the disk of `folder` and the GPUs are now."""
    values = {
        "cpu_percent": _family_cpu(),
        "memory_mb": sum(_rss(process) for process in _family()) / 2**20,
        "disk_free_gb": psutil.disk_usage(str(folder)).free / 1e9,
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        for i in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(i)
            values[f"gpu_{i}_memory_mb"] = (total - free) / 2**20
            busy = _gpu_busy(i)
            if busy is not None:
                values[f"gpu_{i}_percent"] = busy
    return values


_seen: dict[int, psutil.Process] = {}


def _family() -> list[psutil.Process]:
    """This process and its children; the objects are kept, because psutil measures between two calls on one object."""
    me = psutil.Process()
    now = {process.pid: process for process in (me, *me.children(recursive=True))}
    for pid in _seen.keys() - now.keys():
        del _seen[pid]
    for pid, process in now.items():
        _seen.setdefault(pid, process)
    return list(_seen.values())


def _family_cpu() -> float:
    total = 0.0
    for process in _family():
        try:
            total += process.cpu_percent()
        except psutil.Error:
            continue  # it ended between the list and the look
    return total


def _rss(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def _gpu_busy(index: int) -> float | None:
    """Needs nvidia-ml-py, which is nobody's requirement here."""
    try:
        import torch

        return float(torch.cuda.utilization(index))
    except Exception:  # not installed, no right to ask, no such counter: then there is no number
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git_state() -> dict[str, Any] | None:
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit.strip(), "dirty": bool((_git("status", "--porcelain", "--untracked-files=no") or "").strip())}


def _git(*words: str) -> str | None:
    """git in the folder of this code if it is kept in git, else in the current folder. None where there is no git or no commit."""
    here = Path(__file__).resolve()
    tracked = _call(("git", "-C", str(here.parent), "ls-files", "--error-unmatch", here.name)) is not None
    # a repository may name programs to run in its own settings: not for us
    return _call(("git", "-c", "core.fsmonitor=false", "-C", str(here.parent) if tracked else ".", *words))


def _call(words: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(words, capture_output=True, timeout=20, check=True, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
