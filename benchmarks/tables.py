"""Writes the tables of benchmarks/README.md from results/*.json: `python -m benchmarks.tables`."""

import json
from pathlib import Path

HERE = Path(__file__).parent
MARK = "<!-- tables: written by benchmarks/tables.py -->"


def table(path: Path) -> str:
    about = json.loads(path.read_text())
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    head = (
        f"### {about['subject']}\n\n{about['device']}, {about['threads']} threads, {about['date']}, commit {about['commit']}; {versions}\n"
    )
    lines = [head]
    groups: dict[tuple[str, ...], list[dict]] = {}
    for row in about["rows"]:
        groups.setdefault(tuple(row), []).append(row)
    for keys, rows in groups.items():
        lines += [f"| {' | '.join(keys)} |", f"|{' --- |' * len(keys)}"]
        lines += [f"| {' | '.join(str(row[key]) for key in keys)} |" for row in rows] + [""]
    return "\n".join(lines)


def main() -> None:
    readme = HERE / "README.md"
    kept = readme.read_text().split(MARK)[0].rstrip()
    tables = "\n".join(table(path) for path in sorted((HERE / "results").glob("*.json")))
    readme.write_text(f"{kept}\n\n{MARK}\n\n{tables}")


if __name__ == "__main__":
    main()
