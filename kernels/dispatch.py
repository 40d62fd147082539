"""How an operation picks among its forms: the reference (plain aten), a faster torch form, a Triton kernel.

A form is a pair of functions of the same arguments: one computes, one says why it would rather not. The reference never declines.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar

import torch

__all__ = ["BACKENDS", "Form", "Operation", "autocast_off", "explain", "is_tracing", "use_backend"]

P = ParamSpec("P")
R = TypeVar("R")

# From the most general to the fastest. A backend allows itself and everything before it: an operation without
# the wanted form, or one that declines these arguments, takes the next lower one, and `explain` says so.
BACKENDS = ("reference", "torch", "triton")


class _Chosen(threading.local):
    # Set in __init__, not on the class: torch.compile guards on an instance attribute and so sees a later change.
    # (It cannot read a ContextVar at all.)
    def __init__(self) -> None:
        self.backend = "auto"


_chosen = _Chosen()


@contextmanager
def use_backend(name: str) -> Generator[None]:
    """Within the block, in this thread, operations take the form `name`: auto, reference, torch or triton.

    >>> with use_backend("reference"):
    ...     program = torch.jit.trace(model, example)
    """
    if name not in ("auto", *BACKENDS):
        raise ValueError(f"use_backend: no backend {name!r}; there are auto, {', '.join(BACKENDS)}")
    before = _chosen.backend
    _chosen.backend = name
    try:
        yield
    finally:
        _chosen.backend = before


@dataclass(frozen=True)
class Form(Generic[P, R]):
    """One way to compute an operation. `declines` returns the reason why not, or None; so does `pays`, which is asked where no backend
    was chosen: whether this form is worth it for these arguments on this device."""

    compute: Callable[P, R]
    declines: Callable[P, str | None]
    pays: Callable[P, str | None] | None = None


class Operation(Generic[P, R]):
    """A public function of several forms. Call it like its reference, whose signature and docstring it bears.

    `check` raises on arguments that no form takes. It compares sizes, so it is left out of a trace, where sizes are tensors.
    """

    def __init__(self, reference: Callable[P, R], check: Callable[P, None], **forms: Form[P, R]) -> None:
        if unknown := set(forms) - set(BACKENDS[1:]):
            raise ValueError(f"no backend {', '.join(sorted(unknown))}; a further form is one of {', '.join(BACKENDS[1:])}")
        self.reference = reference
        self.check = check
        self.forms = forms
        update_wrapper(self, reference)

    def choose(self, *args: P.args, **kwargs: P.kwargs) -> tuple[str, Callable[P, R], list[str]]:
        """(backend, function, why the faster ones were passed over)."""
        chosen = _chosen.backend
        allowed = BACKENDS if chosen == "auto" else BACKENDS[: BACKENDS.index(chosen) + 1]
        passed: list[str] = []
        for backend in reversed(allowed[1:]):
            if backend not in self.forms:
                passed.append(f"there is no {backend} form")
            elif (reason := self.forms[backend].declines(*args, **kwargs)) is not None:
                passed.append(f"{backend} declines: {reason}")
            elif chosen == "auto" and (pays := self.forms[backend].pays) is not None and (reason := pays(*args, **kwargs)) is not None:
                passed.append(f"{backend} does not pay: {reason}")
            else:
                return backend, self.forms[backend].compute, passed
        return "reference", self.reference, passed

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if not is_tracing():
            self.check(*args, **kwargs)
        _, compute, _ = self.choose(*args, **kwargs)
        return compute(*args, **kwargs)


def explain(operation: Operation[P, R], *args: P.args, **kwargs: P.kwargs) -> str:
    """Which form these arguments would take now, and why.

    >>> explain(attend, q, k, v)
    'torch (backend auto; there is no triton form)'
    """
    operation.check(*args, **kwargs)
    backend, _, passed = operation.choose(*args, **kwargs)
    return f"{backend} ({'; '.join([f'backend {_chosen.backend}', *passed])})"


def is_tracing() -> bool:
    """Inside torch.jit.trace, where sizes are tensors: to compare them would bake the answer in."""
    return torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]


def autocast_off(x: torch.Tensor) -> torch.autocast:
    """Reductions stay in full precision whatever autocast says. (Meta tensors know no autocast: any device's context does.)"""
    return torch.autocast("cpu" if x.device.type == "meta" else x.device.type, enabled=False)
