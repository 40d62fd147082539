"""Compile every kernel for devices that are not here, as it would be launched there, and write down what it takes of them.

    python -m kernels.compile_check [OPERATION ...] [--all]

Compiles what has changed since kernels/compiled.json was written (by a hash of kernels, tiles and forms), --all of it otherwise. Compiling
says nothing about speed, and nothing about right or wrong; it says that a kernel fits: registers, stack (spilled registers), shared memory.
"""

import argparse
import hashlib
import importlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch

from kernels import use_backend
from kernels.cases import CASES, Case
from kernels.launch import FOLDER, Launch, aimed_at, triton_constants

__all__ = ["ARCHITECTURES", "SHARED", "STACK", "TABLE", "compiled", "fingerprint", "launches", "launches_of", "sources"]

ARCHITECTURES = (80, 86, 90, 100)
SHARED = {80: 166_912, 86: 101_376, 90: 232_448, 100: 232_448}  # bytes that a block may take
STACK = 16  # bytes a thread: four numbers laid aside are no spilled tile
TABLE = FOLDER / "compiled.json"
DTYPES = (torch.float32, torch.bfloat16)
WIDTHS = (32, 64, 128)


def files(folder: str) -> list[Path]:
    """What decides what is compiled."""
    paths = [FOLDER / folder / name for name in ("triton.py", "triton_form.py", "attention.py", "tiles.json")]
    return [path for path in paths if path.exists()]


def sources(operation: str) -> list[str]:
    """The operation's folder, and those that it borrows kernels from."""
    names, seen = [operation], {operation}
    for name in names:
        for path in files(name):
            borrowed = [other for other in re.findall(r"from kernels\.(\w+)\.(?:triton|attention)", path.read_text()) if other not in seen]
            names += borrowed
            seen.update(borrowed)
    return names


def fingerprint(operation: str) -> str:
    digest = hashlib.sha256()
    for path in (path for name in sources(operation) for path in files(name)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def launches(operation: str, architecture: int, dtype: torch.dtype, width: int) -> list[tuple[str, Launch]]:
    """(what, launch), forward and backward."""
    return [(case.what, one) for case in CASES[operation](dtype, width) for one in launches_of(case, architecture)]


def launches_of(case: Case, architecture: int) -> list[Launch]:
    leaves = [x.detach().requires_grad_() if x.is_floating_point() else x for x in case.tensors]
    with aimed_at(architecture) as listed, use_backend("triton"):
        answer = case.call(*leaves)
        answers = [answer] if isinstance(answer, torch.Tensor) else [part for part in answer if part is not None]
        flowing = [part for part in answers if part.requires_grad]
        torch.autograd.grad(flowing, [x for x in leaves if x.requires_grad], [torch.ones_like(part) for part in flowing])
    return listed


def typed(value: Any) -> str:
    if value is None:
        return "constexpr"
    if isinstance(value, torch.Tensor):
        names = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64", "int64": "i64", "int32": "i32", "bool": "i1"}
        return "*" + names[str(value.dtype).removeprefix("torch.")]
    return "fp32" if isinstance(value, float) else "i64" if abs(value) >= 2**31 else "i32"


def compiled(one: Launch, architecture: int) -> dict[str, int]:
    """Registers, stack and shared memory of a launch, compiled as Triton would specialise it."""
    triton, target = (importlib.import_module(name) for name in ("triton", "triton.backends.compiler"))
    function = getattr(importlib.import_module(f"kernels.{one.operation}.triton"), one.kernel)
    constants = triton_constants(one.constants)
    names = [name for name in function.arg_names if name not in constants]
    signature: dict[str, str] = dict.fromkeys(function.arg_names, "constexpr")
    attributes: dict[tuple[int, ...], list[list[Any]]] = {}
    for name, value in zip(names, one.arguments, strict=True):
        if value is None or (isinstance(value, int) and value == 1):
            constants[name] = value
            continue
        signature[name] = typed(value)
        if isinstance(value, torch.Tensor) or (isinstance(value, int) and value % 16 == 0):
            attributes[(function.arg_names.index(name),)] = [["tt.divisibility", 16]]
    source = triton.compiler.ASTSource(fn=function, signature=signature, constexprs=constants, attrs=attributes)
    made = triton.compile(source, target=target.GPUTarget("cuda", architecture, 32), options=one.options)
    used = resources(made.asm["cubin"])
    return {"registers": used["REG"], "stack": used["STACK"], "shared": made.metadata.shared}


def resources(cubin: bytes) -> dict[str, int]:
    nvidia = importlib.import_module("triton.backends.nvidia")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        tool = Path(nvidia.__path__[0]) / "bin" / "cuobjdump"
        text = subprocess.run([tool, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True).stdout
    line = next(line for line in text.splitlines() if "REG:" in line)
    return {
        key: int(value)
        for key, value in (part.split(":") for part in line.split() if part.count(":") == 1 and part.split(":")[1].isdigit())
    }


def rows_of(operation: str) -> list[dict[str, Any]]:
    """The worst of all its cases, for each kernel, architecture, dtype and width."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for architecture in ARCHITECTURES:
        seen: dict[str, dict[str, int]] = {}
        for dtype in DTYPES:
            for width in WIDTHS:
                for _, one in launches(operation, architecture, dtype, width):
                    arguments = [x if isinstance(x, int) else typed(x) for x in one.arguments]
                    key = repr((one.operation, one.kernel, arguments, one.constants, one.options))
                    if key not in seen:
                        seen[key] = compiled(one, architecture)
                    at = (one.kernel, architecture, str(dtype).removeprefix("torch."), width)
                    row = rows.setdefault(
                        at,
                        {"kernel": at[0], "architecture": at[1], "dtype": at[2], "width": at[3], "registers": 0, "stack": 0, "shared": 0},
                    )
                    row.update({name: max(row[name], value) for name, value in seen[key].items()})
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", nargs="*", choices=[*CASES, []], metavar="OPERATION")
    parser.add_argument("--all", action="store_true", help="also what has not changed")
    options = parser.parse_args()
    if os.environ.get("TRITON_INTERPRET") == "1":
        parser.error("TRITON_INTERPRET=1 interprets kernels instead of compiling them; unset it")
    version = importlib.import_module("triton").__version__
    table: dict[str, Any] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    for operation in options.operations or CASES:
        old = table.get(operation, {})
        if not options.all and old.get("hash") == fingerprint(operation) and old.get("triton") == version:
            continue
        rows = rows_of(operation)
        table[operation] = {"hash": fingerprint(operation), "triton": version, "rows": rows}
        TABLE.write_text(written(table))
        for row in rows:
            over = row["shared"] > SHARED[row["architecture"]]
            print(operation, *row.values(), "SHARED MEMORY EXCEEDED" if over else "SPILLS" if row["stack"] > STACK else "", flush=True)


def written(table: dict[str, Any]) -> str:
    """A row a line."""
    parts: list[str] = []
    for operation in sorted(table):
        rows = ",\n  ".join(json.dumps(row) for row in table[operation]["rows"])
        parts.append(
            f' "{operation}": {{"hash": "{table[operation]["hash"]}", "triton": "{table[operation]["triton"]}", "rows": [\n  {rows}\n ]}}'
        )
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
