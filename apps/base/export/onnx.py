"""ONNX: for runtimes that are not PyTorch. Forward is the graph of the file; every other method is a small graph inside its metadata.

`prepare` takes one picture of any size and forward a batch of one shape, so they cannot be one graph, and a graph has one entry. In two
files the second would be lost or go with another model. So the file is what every runtime and server expects, the batched model; whoever
wants our exact preprocessing takes the graph `prepare.onnx` (base64) out of its metadata, as `discern predict` does; and what it does
stands in plain values under "preprocessing" of `discern.json`.

Exported through torch.export, as pt2 is (`dynamo=True`): free sizes and refusals are the same there. The older exporter, by tracing,
is deprecated, bakes sizes in silently, and has no form for outputs in a dict.
"""

import base64
import contextlib
import inspect
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from apps.base.errors import FailureError
from apps.base.export.bare_onnx import META, SUFFIX
from apps.base.export.pt2 import exported
from apps.base.program import Call, Program, method_names, named

__all__ = ["write"]

MOST = (1 << 31) - (1 << 20)  # bytes of weights: a protobuf holds 2 GiB, and the graph needs some of it
LOUD = ("torch.onnx", "onnxscript", "onnx_ir")


def write(program: Program, path: str, metadata: str, calls: list[Call]) -> None:
    size = sum(value.nbytes for value in program.state_dict().values())
    if size > MOST:
        raise FailureError(f"{size:,} bytes of weights are more than an ONNX file holds (2 GiB); write .ts instead")
    file = _graph(program, "forward", calls)
    texts = {META: metadata}
    for method in method_names(program):
        if method != "forward":
            texts[method + SUFFIX] = base64.b64encode(_graph(program, method, calls).SerializeToString()).decode()
    for key, text in texts.items():
        file.metadata_props.add(key=key, value=text)
    with open(path, "wb") as out:  # noqa: PTH123
        out.write(file.SerializeToString())


def _graph(program: Program, method: str, calls: list[Call]) -> Any:
    """One method as an onnx.ModelProto; inputs are named as its arguments, outputs as its answers."""
    from apps.base.export.onnx_operations import OPERATIONS

    graph = exported(program, method, calls, "onnx")
    args = next(call.args for call in calls if call.method == method)
    for arg, free in zip(args, program.dynamic(method, args), strict=True):
        if free is None:  # a plain number that is not left open would be kept as it stood in the example
            raise FailureError(
                f"{type(program).__name__}.{method} has no onnx form (it would keep its argument {arg!r}); write .ts instead"
            )
    with torch.no_grad():
        outputs = list(named(method, getattr(program, method)(*args)))
    inputs = list(inspect.signature(getattr(program, method)).parameters)[: len(args)]
    if both := set(inputs) & set(outputs):
        raise ValueError(f"{type(program).__name__}.{method}: {min(both)} is the name of an input and of an output")
    with _quiet():
        try:
            made = torch.onnx.export(
                graph, dynamo=True, custom_translation_table=OPERATIONS, input_names=inputs, output_names=outputs, verbose=False
            )
        except Exception as error:  # the exporter raises whatever its parts raise; the reason is the innermost
            why = str(_innermost(error)).strip().partition("\n")[0][:200]
            raise FailureError(f"{type(program).__name__}.{method} has no onnx form ({why}); write .ts instead") from error
    assert made is not None
    return _plain(made.model_proto)


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _plain(model: Any) -> Any:
    """Without the exporter's notes, which hold paths of this machine; free sizes are named after the input that they are first seen at."""
    graph = model.graph
    names: dict[str, str] = {}
    for value in graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param:
                dim.dim_param = names.setdefault(dim.dim_param, f"{value.name}_{axis}")
    for value in graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(r"\w+", lambda found: names.get(found[0], found[0]), dim.dim_param)
    del graph.value_info[:]
    for noted in _noted(graph):
        del noted.metadata_props[:]
    return model


def _noted(graph: Any) -> Iterator[Any]:
    """A graph and all in it that may carry notes, branches of nodes included."""
    yield from (graph, *graph.input, *graph.output, *graph.initializer)
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _noted(attribute.g)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter says that torchvision is missing, and trips over deprecations of its own."""
    before = {name: logging.getLogger(name).level for name in LOUD}
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
