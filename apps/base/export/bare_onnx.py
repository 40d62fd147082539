"""Opens an exported ONNX file with onnxruntime and numpy alone. Predict opens through it; run as a script, it is the fresh interpreter
of parity.

python -I bare_onnx.py FILE CALLS ANSWERS HOME: run the calls of the .npz file CALLS, write their results to ANSWERS. It imports none of
our packages and no torch: the file has to answer where they are not installed.

    session = onnxruntime.InferenceSession("birds.onnx")                       # forward: float32 (batch, 3, H, W) to probabilities
    prepare = onnxruntime.InferenceSession(base64.b64decode(session.get_modelmeta().custom_metadata_map["prepare.onnx"]))
    (x,) = prepare.run(None, {"item": picture})                                # uint8 (H, W, 3) RGB to float32 (3, H, W)
    answer = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"x": x[None]})))
"""

import base64
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any

__all__ = ["META", "SUFFIX", "open_onnx", "properties"]

META = "discern.json"
SUFFIX = ".onnx"  # of a method's graph among the properties
STRANGERS = {"apps", "configs", "core_attention", "datamodules", "discern", "kernels", "torch"}
FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}  # onnx.proto, ModelProto: number -> how it is written
GRAPH, PROPERTIES = 7, 14

Method = Callable[..., dict[str, Any]]


def properties(file: IO[bytes]) -> dict[str, str] | None:
    """The metadata of an ONNX file, or None where it is no such file. Nothing is loaded: the graph is stepped over."""
    size = file.seek(0, 2)
    file.seek(0)
    found, graphs = {}, 0
    try:
        while file.tell() < size:
            key = _number(file)
            if FIELDS.get(key >> 3) != key & 7:
                return None
            if key & 7 == 0:
                _number(file)
                continue
            length = _number(file)
            end = file.tell() + length
            if end > size:
                return None
            if key >> 3 == PROPERTIES:
                name, text = _entry(file, end)
                found[name] = text
            graphs += key >> 3 == GRAPH
            file.seek(end)
    except (EOFError, UnicodeDecodeError):
        return None
    return found if graphs == 1 else None


def _number(file: IO[bytes]) -> int:
    """A whole number as protobuf writes it: seven bits a byte, the lowest first."""
    number = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            break
        number |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return number
    raise EOFError


def _entry(file: IO[bytes], end: int) -> tuple[str, str]:
    """StringStringEntryProto: 1 is the key, 2 the value."""
    texts = {1: "", 2: ""}
    while file.tell() < end:
        field, length = _number(file) >> 3, _number(file)
        if field not in texts or file.tell() + length > end:
            raise EOFError
        texts[field] = file.read(length).decode()
    return texts[1], texts[2]


def open_onnx(file: IO[bytes], threads: int = 1) -> dict[str, Method]:
    """A function for each method: arrays in the order of its arguments to named arrays."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # Windows builds send some
    texts = properties(file) or {}
    file.seek(0)
    graphs = {"forward": file.read()}
    graphs |= {name.removesuffix(SUFFIX): base64.b64decode(text) for name, text in texts.items() if name.endswith(SUFFIX)}
    return {method: _method(graph, threads) for method, graph in graphs.items()}


def _method(graph: bytes, threads: int) -> Method:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs, outputs = ([value.name for value in values] for values in (session.get_inputs(), session.get_outputs()))

    def run(*args: Any) -> dict[str, Any]:
        try:
            answers: Sequence[Any] = session.run(None, dict(zip(inputs, args, strict=True)))
        except Exception as error:  # onnxruntime has a class for each code, and no common one
            text = str(error).removeprefix("[ONNXRuntimeError] : ").partition("Please fix either")[0]
            raise RuntimeError(" ".join(text.split())) from error
        return dict(zip(outputs, answers, strict=True))

    return run


def _main(file: str, calls: str, answers: str, home: str) -> None:
    sys.path.append(home)  # -I hides PYTHONPATH, by which onnxruntime may have been found
    import numpy as np

    results = {}
    with open(file, "rb") as source, np.load(calls, allow_pickle=False) as asked:  # noqa: PTH123
        methods = open_onnx(source)
        parts = [name.split(":") for name in asked.files]  # call:method:argument
        for call in range(len({part[0] for part in parts})):
            names = [part for part in parts if part[0] == str(call)]
            given = [asked[":".join(part)] for part in sorted(names, key=lambda part: int(part[2]))]
            results |= {f"{call}:{name}": value for name, value in methods[names[0][1]](*given).items()}
    if strangers := STRANGERS & {name.partition(".")[0] for name in sys.modules}:
        sys.exit(f"the file needs {', '.join(sorted(strangers))}")
    with open(answers, "wb") as out:  # noqa: PTH123
        np.savez(out, **results)


if __name__ == "__main__":
    _main(*sys.argv[1:])
