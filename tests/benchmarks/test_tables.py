import json

import pytest

from apps.base.crossval.plan import Cut
from benchmarks.pages import PAGES
from benchmarks.tables import FIRST, LAST, put, section

WANTED = [("speed", "How fast", ["row", "ms"], {"row": ("a",)}), ("size", "How large", ["row"], {})]


def test_what_has_no_result_is_not_measured_and_what_has_one_is_a_table(tmp_path):
    rows = [{"row": "a", "ms": 1.5, "other": 2}, {"row": "b", "ms": 2.5, "other": 2}]
    (tmp_path / "speed.json").write_text(json.dumps({"device": "CPU", "threads": 1, "date": "2026-01-01", "rows": rows}))
    text = section(tmp_path, WANTED)
    assert "How fast (CPU, 1 thread, 2026-01-01):\n\n| row | ms |\n| --- | --- |\n| a | 1.5 |" in text
    assert "| b |" not in text
    assert text.endswith("How large: not measured.")


def test_rows_of_another_kind_are_left_to_their_own_table(tmp_path):
    rows = [{"row": "a", "ms": 1.5}, {"file": "x", "why": "broken"}]
    (tmp_path / "both.json").write_text(json.dumps({"device": "CPU", "threads": 1, "date": "2026-01-01", "rows": rows}))
    text = section(tmp_path, [("both", "Rows", ["row", "ms"], {}), ("both", "Files", ["file"], {})])
    assert "| a | 1.5 |\n\nFiles" in text
    assert text.endswith("| x |")


def test_tables_are_put_between_the_marks_and_nowhere_else():
    page = f"before\n{FIRST}\nold\n{LAST}\nafter\n"
    assert put(page, "new") == page.replace("old", "new")
    assert put(put(page, "new"), "old") == page
    with pytest.raises(SystemExit, match="put them where the tables belong"):
        put("a page without marks", "new")


def test_every_application_shows_columns_that_its_benchmark_writes():
    from benchmarks.dcal import beetles, cub38, pku59

    run = {"top1": 0.5, "per_class": 0.5, "validation": 0.5, "mode": "sa", "cpu_seconds": 1.0, "tested": 9, "train_top1": 1.0, "sa": 0.5}
    marks = {"cross": {"mAP": 0.5, "R1": 0.5, "mINP": 0.5, "queries": 9}}
    written = {
        "dcal_cub38": cub38.summary("row", [run], [run]),
        "dcal_pku59": pku59.summaries("row", [{**run, "marks": marks}])[0],
        "dcal_beetles": beetles.summary(beetles.ROWS["plain"], [run], [run]),
    }
    for name, _, columns, only in PAGES["apps/dcal/README.md"]:
        assert name not in written or {*columns, *only} <= written[name].keys()


def test_the_page_of_graphs_shows_columns_that_its_benchmarks_write():
    from benchmarks.histograph import depth, tu

    cuts = {Cut(None, fold, 0): 0.5 + 0.1 * fold for fold in range(3)}
    written = {
        "histograph_tu": tu.summary("MUTAG", "histo", {"histo": cuts, "mean": cuts}, {"histo": 0.7}, {"histo": 1.0}),
        "histograph_depth": depth.summary("last state", 2, [{"test": 0.5, "val": 0.5, "seconds": 1.0}]),
    }
    for name, _, columns, _ in PAGES["apps/histograph/README.md"]:
        assert name not in written or set(columns) <= written[name].keys()


def test_the_page_of_bags_shows_columns_that_its_benchmarks_write():
    import numpy as np

    from benchmarks.mil import glas, hard_bags

    found = {"seed": 0, "easy": 0.9, "hard": 0.8, "seconds": 1.0}
    row = {"probs": {"a": [0.1, 0.9]}, "seconds": {"a": 1.0}}
    written = {
        "mil_hard_bags": hard_bags.summary("high", [{**found, "arm": "host"}, {**found, "arm": "high"}]),
        "mil_glas": glas.summary(64, "a", {(0, 0): row}, np.array([0, 1]), np.array([0, 0])),
    }
    for name, _, columns, _ in PAGES["apps/mil/README.md"]:
        assert name not in written or set(columns) <= written[name].keys()
