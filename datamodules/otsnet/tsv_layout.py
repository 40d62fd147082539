"""Pictures and a TSV: in a folder with `labels.tsv`, or a zip or tar beside or around it. `name<TAB>label`, with a header or without."""

from pathlib import Path

from datamodules.archive import Tar, Zip
from datamodules.beside import store_beside
from datamodules.errors import DataError
from datamodules.otsnet.table import Collector, Table, split_of
from datamodules.otsnet.text_lines import first_line, lines, lines_of
from datamodules.store import Store, TarStore, ZipStore

__all__ = ["is_tsv", "read_rows", "read_tsv"]

FILES = ("file", "filename", "file_name", "name", "image", "path")
LABELS = ("label", "text", "word", "words", "transcription")
PLAIN = ("labels", "label", "index", "gt", "words")  # names of lists that say nothing
ARCHIVES = (".zip", ".tar")
ROW = tuple[int, str, str]  # line, file, label


def is_tsv(path: Path) -> bool:
    if path.suffix.lower() in ARCHIVES and path.is_file():
        return path.with_suffix(".tsv").is_file() or _inside(path) is not None
    return bool(_lists(path))


def read_tsv(path: Path) -> Table:
    if path.suffix.lower() in ARCHIVES and not path.with_suffix(".tsv").is_file():
        return _read_inside(path)
    lists = [path.with_suffix(".tsv")] if path.suffix.lower() in ARCHIVES else _lists(path)
    tables = [_read_list(file) for file in lists]
    return tables[0] if len(tables) == 1 else _several(path, lists, tables)


def read_rows(text: object, where: str, problems: list[str]) -> list[ROW]:
    """(line, file, label) of numbered lines; a line with the wrong number of cells is a problem."""
    rows: list[ROW] = []
    columns: list[str] | None = None
    for number, line in text:  # type: ignore[attr-defined]
        cells = line.split("\t")
        if columns is None:
            columns = [cell.strip().lower() for cell in cells]
            if columns[0] in FILES:
                label = next((at for at, name in enumerate(columns) if name in LABELS), None)
                if label is None:
                    raise DataError(f"{where}:{number}: no column called {' or '.join(LABELS[:2])}; name it in the header")
                continue
            columns, label = ["file", "label"], 1
        if len(cells) != len(columns):
            problems.append(f"{where}:{number}: {len(cells)} cells for {len(columns)} columns; separate them by one tab")
        else:
            rows.append((number, cells[0].strip(), cells[label]))
    return rows


def _read_list(index: Path) -> Table:
    problems: list[str] = []
    rows = read_rows(lines(index), str(index), problems)
    return _collected(index, store_beside(index, [file for _, file, _ in rows]), rows, problems, index.parent.resolve().name)


def _read_inside(path: Path) -> Table:
    name = _inside(path)
    assert name is not None
    store = _opened(path)
    problems: list[str] = []
    rows = read_rows(lines_of(store.read(name), f"{path}:{name}"), f"{path}:{name}", problems)
    folder = name.rpartition("/")[0]
    rows = [(number, f"{folder}/{file}" if folder else file, label) for number, file, label in rows]
    return _collected(path, store, rows, problems, path.stem)


def _collected(index: Path, store: Store, rows: list[ROW], problems: list[str], folder: str) -> Table:
    stem = index.stem
    split = split_of(stem) or split_of(folder)
    name = folder if stem.lower() in PLAIN or split_of(stem) else stem
    collected = Collector("tsv", index, store)
    for problem in problems:
        collected.problem(problem)
    for number, file, label in rows:
        collected.add(file, label, split, name, f"{index}:{number}")
    return collected.table


def _several(path: Path, lists: list[Path], tables: list[Table]) -> Table:
    """`train.tsv` and `test.tsv` of one folder."""
    from datamodules.otsnet.joining import join

    return join("tsv", path, {file.stem: table for file, table in zip(lists, tables, strict=True)})


def _lists(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".tsv" else []
    return [file for file in sorted(path.glob("*.tsv")) if not file.name.startswith(".") and "\t" in first_line(file)]


def _inside(path: Path) -> str | None:
    """The list in an archive."""
    names = [name for name in (Zip(path) if path.suffix.lower() == ".zip" else Tar(path)).members if name.lower().endswith(".tsv")]
    if len(names) > 1:
        raise DataError(f"{path}: several lists ({', '.join(names[:3])}); leave one in it")
    return names[0] if names else None


def _opened(path: Path) -> Store:
    return ZipStore(path) if path.suffix.lower() == ".zip" else TarStore(path)
