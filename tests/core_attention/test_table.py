import subprocess
import sys
from pathlib import Path

from core_attention import list_mixers, list_pools
from core_attention.table import MASKS, NEEDS, PATTERNS, page

ROOT = Path(__file__).parents[2]


def test_the_committed_table_is_what_the_specs_say() -> None:
    committed = (ROOT / "docs" / "mechanisms.md").read_text()
    assert committed == page(), "write it anew: python -m core_attention.table > docs/mechanisms.md"


def test_the_table_has_a_row_for_every_mixer_and_a_cell_for_every_column() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| [`")]
    assert [line.split("`")[1] for line in rows] == sorted(list_mixers())
    head = next(line for line in page().splitlines() if line.startswith("| name"))
    assert {line.count(" | ") for line in rows} == {head.count(" | ")}


def test_every_mechanism_says_its_equation_what_was_read_and_what_it_refuses() -> None:
    sections = page().split("\n## ")[1:]
    assert [section.split("\n")[0] for section in sections] == sorted(list_mixers())
    for spec, section in zip(list_mixers().values(), sections, strict=True):
        assert spec.equation
        assert spec.read
        assert spec.refuses
        for part in (spec.equation, spec.read, spec.source, *spec.refuses):
            assert part in section


def test_every_pool_stands_on_the_page_with_its_source_and_cost() -> None:
    sections = page().split("\n### ")[1:]
    assert [section.split("\n")[0] for section in sections] == sorted(list_pools())
    for spec, section in zip(list_pools().values(), sections, strict=True):
        assert spec.source in section
        assert spec.complexity in section
        assert "Shapes:" not in section


def test_the_table_knows_every_word_of_the_specs() -> None:
    for spec in list_mixers().values():
        assert spec.patterns <= set(PATTERNS)
        assert spec.needs <= set(NEEDS)
        assert spec.masks <= set(MASKS)


def test_the_table_is_printed_by_its_module() -> None:
    printed = subprocess.run([sys.executable, "-m", "core_attention.table"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout == page()
    assert printed.stderr == ""
