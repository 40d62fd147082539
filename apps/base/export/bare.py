"""Opens an exported file with torch alone. Predict opens through it; run as a script, it is the fresh interpreter of parity.

python -I bare.py FILE FORMAT CALLS ANSWERS TORCH: run the calls of the tensor file CALLS, write their results to ANSWERS.
It must not import any of our packages: the file has to answer where they are not installed.
"""

import io
import sys
import warnings
import zipfile
from typing import IO, Any

__all__ = ["META", "open_pt2", "open_torchscript"]

META = "discern.json"
OURS = {"apps", "configs", "core_attention", "datamodules", "discern", "kernels"}


def open_torchscript(file: "str | IO[bytes]", device: str = "cpu") -> tuple[Any, str]:
    """The scripted module and its metadata as JSON."""
    import torch

    extra = {META: ""}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.load` is deprecated", category=DeprecationWarning)
        module = torch.jit.load(file, map_location=device, _extra_files=extra).eval()
    return module, _text(extra[META])


def open_pt2(file: "str | IO[bytes]", device: str = "cpu") -> tuple[dict[str, Any], str]:
    """A module for each method, and the metadata as JSON. Each method is an exported program; forward is the archive itself."""
    import torch
    from torch.export.passes import move_to_device_pass

    with zipfile.ZipFile(file) as archive:
        inner = [
            parts[2] for name in archive.namelist() if len(parts := name.split("/")) == 3 and parts[1] == "extra" and name.endswith(".pt2")
        ]
    if not isinstance(file, str):
        file.seek(0)
    extra = dict.fromkeys([META, *inner], "")
    programs = {"forward": torch.export.load(file, extra_files=extra)}
    for name in inner:
        programs[name.removesuffix(".pt2")] = torch.export.load(io.BytesIO(_text(extra[name]).encode("latin-1")))
    if device != "cpu":
        programs = {method: move_to_device_pass(program, device) for method, program in programs.items()}
    return {method: program.module() for method, program in programs.items()}, _text(extra[META])


def _text(value: "str | bytes") -> str:
    return value.decode() if isinstance(value, bytes) else value


def _main(file: str, form: str, calls: str, answers: str, home: str) -> None:
    sys.path.append(home)  # -I hides PYTHONPATH, by which torch may have been found
    import torch

    if form == "pt2":
        methods, _ = open_pt2(file)
    else:
        module, _ = open_torchscript(file)
        methods = {name: getattr(module, name) for name in module._c._method_names()}
    results = []
    with torch.inference_mode():
        for method, args in torch.load(calls, weights_only=True):
            results.append(methods[method](*args))
    strangers = OURS & {name.partition(".")[0] for name in sys.modules}
    if strangers:
        sys.exit(f"the file needs {', '.join(sorted(strangers))}")
    torch.save(results, answers)


if __name__ == "__main__":
    _main(*sys.argv[1:])
