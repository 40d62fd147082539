"""docs/kernels.md's table, from kernels/compiled.json: `python -m docs.draw_kernels`."""

import json
from pathlib import Path

from kernels.compile_check import ARCHITECTURES, TABLE

PAGE = Path(__file__).parent / "kernels.md"
BEGIN, END = "<!-- table: begin, written by docs/draw_kernels.py -->", "<!-- table: end -->"


def table() -> str:
    """The most of registers, stack and shared memory over all kernels, dtypes and widths of an operation."""
    lines = [f"| operation | {' | '.join(f'sm_{each}' for each in ARCHITECTURES)} |", "| --- " * (len(ARCHITECTURES) + 1) + "|"]
    for operation, entry in sorted(json.loads(TABLE.read_text()).items()):
        cells = []
        for architecture in ARCHITECTURES:
            rows = [row for row in entry["rows"] if row["architecture"] == architecture]
            registers, stack, shared = (max(row[key] for row in rows) for key in ("registers", "stack", "shared"))
            cells.append(f"{registers} / {stack} / {shared / 1024:.0f}k")
        lines.append(f"| `{operation}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    text = PAGE.read_text()
    head, rest = text.split(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
