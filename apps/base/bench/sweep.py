"""The measuring of one pattern, length by length."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from apps.base.bench.arms import BATCH, PASSES, Arm, compiled, forms, inputs, make, pass_call
from apps.base.bench.measure import median_ms, peak_mib
from apps.base.bench.wins import BASE
from core_attention import Mixer, list_mixers

__all__ = ["Row", "sweep"]

Row = dict[str, Any]


def sweep(
    names: Sequence[str], pattern: str, lengths: Sequence[int], rounds: int, device: torch.device, rates: tuple[float, float]
) -> Iterator[list[Row]]:
    """The rows of each length: one a mixer and form. A row with `skipped` says what could not be measured, and why."""
    lost: list[Row] = []
    built: dict[str, Mixer] = {}
    quick: dict[str, Arm] = {}
    for name in [BASE, *(name for name in names if name != BASE)]:
        if pattern not in list_mixers()[name].patterns:
            lost.append({"mixer": name, "skipped": f"has no pattern {pattern}"})
            continue
        try:
            built[name] = make(name, pattern, device)
        except ValueError as error:
            lost.append({"mixer": name, "skipped": str(error)})
            continue
        arm = compiled(built[name], device)
        if isinstance(arm, Arm):
            quick[name] = arm
        else:
            lost.append({"mixer": name, "form": "compiled", "skipped": arm})
    for n in lengths:
        arms: dict[tuple[str, str], tuple[Arm, dict[str, Any]]] = {}
        for name, mixer in built.items():
            given = inputs(mixer, n, device)
            try:
                found = forms(mixer, given)
            except ValueError as error:  # a grid that does not divide, say
                lost.append({"mixer": name, "tokens": n, "skipped": str(error)})
                continue
            arms |= {arm.key: (arm, given) for arm in found}
            if name in quick:
                if (reason := _fails(quick[name], given)) is None:
                    arms[name, "compiled"] = (quick[name], given)
                else:
                    lost.append({"mixer": name, "form": "compiled", "skipped": reason})
                    del quick[name]
        yield lost + _measure(arms, n, rounds, device, rates)
        lost = []


def _measure(
    arms: dict[tuple[str, str], tuple[Arm, dict[str, Any]]], n: int, rounds: int, device: torch.device, rates: tuple[float, float]
) -> list[Row]:
    """Of one length."""
    rows = {key: {"mixer": key[0], "form": key[1], "tokens": n} for key in arms}
    for which in PASSES:
        calls = {key: pass_call(arm, given, which) for key, (arm, given) in arms.items()}
        for key, ms in median_ms(calls, rounds, device).items():
            rows[key][f"{which}_ms"] = round(ms, 4)
            rows[key][f"{which}_mib"] = round(peak_mib(calls[key], device), 3)
            rows[key][f"{which}_floor_ms"] = round(_floor_ms(*arms[key], n, rates) * (1 if which == "forward" else 3), 4)
    return list(rows.values())


def _floor_ms(arm: Arm, given: dict[str, Any], n: int, rates: tuple[float, float]) -> float:
    cost = arm.mixer.cost(n, n if "context" in given else None, given.get("grid"))
    return 1000 * BATCH * max(cost.flops / rates[0], cost.bytes / rates[1])


def _fails(arm: Arm, given: dict[str, Any]) -> str | None:
    """Why it cannot be compiled, in one line."""
    try:
        for which in PASSES:
            pass_call(arm, given, which)()
    except Exception as error:  # whatever the compiler raises: the other arms can still be measured
        return f"torch.compile: {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    return None
