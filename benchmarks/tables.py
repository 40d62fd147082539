"""Writes the tables of benchmarks/README.md and of the pages that show them from results/*.json: `python -m benchmarks.tables`."""

import json
from pathlib import Path

from benchmarks.pages import PAGES, Shown

HERE = Path(__file__).parent
MARK = "<!-- tables: written by benchmarks/tables.py -->"
FIRST, LAST = "<!-- tables: begin, written by benchmarks/tables.py -->", "<!-- tables: end -->"  # in an application's page


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


def section(results: Path, wanted: list[Shown]) -> str:
    """A page's tables; a result that is not there is not measured."""
    parts = []
    for name, title, columns, only in wanted:
        path = results / f"{name}.json"
        if not path.exists():
            parts.append(f"{title}: not measured.")
            continue
        about = json.loads(path.read_text())
        head = f"{title} ({about['device']}, {about['threads']} thread{'s' * (about['threads'] != 1)}, {about['date']}):"
        rows = [row for row in about["rows"] if row.keys() >= {*columns, *only}]  # a result may hold rows of several kinds
        rows = [row for row in rows if all(row[column] in values for column, values in only.items())]
        lines = [f"| {' | '.join(str(row[column]) for column in columns)} |" for row in rows]
        parts.append("\n".join([head, "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}", *lines]))
    return "\n\n".join(parts)


def put(page: str, text: str) -> str:
    """The page with this text between the marks, and everything else as it was."""
    before, _, rest = page.partition(FIRST)
    _, last, after = rest.partition(LAST)
    if not last:
        raise SystemExit(f"no {FIRST} and {LAST} in the page; put them where the tables belong")
    return f"{before}{FIRST}\n{text}\n{LAST}{after}"


def main() -> None:
    for place, wanted in PAGES.items():
        page = HERE.parent / place
        page.write_text(put(page.read_text(), section(HERE / "results", wanted)))
    readme = HERE / "README.md"
    kept = readme.read_text().split(MARK)[0].rstrip()
    tables = "\n".join(table(path) for path in sorted((HERE / "results").glob("*.json")))
    readme.write_text(f"{kept}\n\n{MARK}\n\n{tables}")


if __name__ == "__main__":
    main()
