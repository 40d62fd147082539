"""Weights into the network: of a run or an exported file of ours, gated or folded, or of a trunk alone (torchvision, timm)."""

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from apps.hag.model import Hag
from core_attention.gates import gated_state, plain_names, unwrap
from core_attention.trunks.load import LoadReport, load

__all__ = ["take"]

OURS = ("streams.", "joins.", "out.", "scale.")


def take(model: Hag, weights: Mapping[str, Tensor]) -> LoadReport:
    """Copy what fits; a trunk's file goes into the trunk of every stream, whose first layer keeps its own weights where channels differ.

    Gates are taken where the file has them for the same places, and otherwise stay as they began.
    """
    own = model.state_dict()
    plain = plain_names(model)
    named = {plain.get(name, name): value for name, value in weights.items()}  # a gated file of the same places becomes a plain one
    gates = {name: value for name, value in weights.items() if name in own and name not in plain}
    bare: Any = unwrap(copy.deepcopy(model))
    if any(name.startswith(OURS) for name in named):
        report = _copied(bare, {name: value for name, value in named.items() if name not in gates})
    else:
        report = LoadReport()
        for name, stream in bare.streams.items():
            found = load(stream.trunk, weights, strict=False)
            prefix = f"streams.{name}.trunk."
            report.loaded += [prefix + each for each in found.loaded]
            report.unexpected = found.unexpected
            report.mismatched |= {prefix + each: why for each, why in found.mismatched.items()}
            report.resized |= {prefix + each: why for each, why in found.resized.items()}
        report.missing = [name for name in bare.state_dict() if name not in {*report.loaded, *report.mismatched}]
    model.load_state_dict({**own, **gated_state(model, bare.state_dict()), **gates})
    report.loaded += list(gates)
    return report


def _copied(model: Hag, weights: Mapping[str, Tensor]) -> LoadReport:
    own, report, fitting = model.state_dict(), LoadReport(), {}
    for name, value in weights.items():
        if name not in own:
            report.unexpected.append(name)
        elif own[name].shape != value.shape:
            report.mismatched[name] = f"{tuple(value.shape)} in the file, {tuple(own[name].shape)} in the model"
        else:
            fitting[name] = value
            report.loaded.append(name)
    report.missing = [name for name in own if name not in weights]
    model.load_state_dict(fitting, strict=False)
    return report
