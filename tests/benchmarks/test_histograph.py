"""The scripts of benchmarks/histograph that make their own data run at miniature size, and write nothing on --smoke."""

import sys

from benchmarks.histograph import large_graph


def test_a_large_graph_is_learned_in_a_process_that_counts_its_memory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(large_graph, "apart", lambda function, *arguments: function(*arguments))  # here it is a short look
    monkeypatch.setattr(sys, "argv", ["large_graph", "--smoke", "--out", str(tmp_path / "out.json")])
    large_graph.main()
    said = capsys.readouterr().out
    assert "'nodes': 4000" in said
    assert "'peak_mib'" in said
    assert not list(tmp_path.iterdir())
