import json
import re

import numpy as np
import pytest

from apps.base import draw
from apps.base.errors import UserError
from apps.base.report import report, write_report
from apps.base.shell import Shell
from apps.base.tracking.provenance import record_provenance
from apps.base.tracking.run import Run


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = Run.start(
        tmp_path,
        "dcal",
        "seed_everything: 3\ninput: /data/faces/Mrs Smith 1950.jpg\npath: clinic/Jones/faces\nname: <script>alert(1)</script>\n",
    )
    for step in range(5):
        run.metric({"train/loss": 1 / (step + 1), "val/top1": step / 5, "system/cpu_percent": 90.0}, step)
    run.metric({"test/top1": 0.75}, 5)
    run.figure("confusion", draw.confusion(np.array([[3, 1], [0, 4]]), ["finch", "wren"]), step=5)
    exported = run.exports / "birds.ts"
    exported.write_bytes(b"program")
    run.model(exported, {"torchscript": {"largest difference": 2.5e-7, "items": 12}}, {"program": "classify", "labels": ["finch", "wren"]})
    card = {"name": "embedded", "counts": {"train": 80, "val": 20}, "broken": ["p_01/face 7.png"], "fingerprint": "ab12"}
    record_provenance(run, card, no_diff=True)
    run.status("finished")
    return run


def test_the_report_holds_everything_and_fetches_nothing(run):
    page = write_report(run).read_text()
    for text in ("finished", "seed 3", "test/top1", "0.75", "birds.ts", "2.5e-07", "embedded", "fingerprint", "python"):
        assert text in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", page)
    assert not re.search(r"https?://|<script|@import|url\(", page)
    assert page.count("data:image/svg+xml;base64,") == 3  # two quantities, how busy
    assert page.count("data:image/png;base64,") == 1  # the confusion


def test_test_metrics_stand_first(run):
    page = write_report(run).read_text()
    assert page.index("test/top1") < page.index("val/top1") < page.index("train/loss")


def test_no_picture_is_named(run):
    page = write_report(run).read_text()
    assert "Smith" not in page
    assert "face 7" not in page
    assert "p_01" not in page
    assert "Jones" not in page


def test_the_report_is_kept_with_its_run(run):
    write_report(run)
    run.flush()
    assert run.events()[-1]["path"] == "report.html"


def test_a_run_with_nothing_in_it_still_has_a_report(tmp_path):
    page = write_report(Run.start(tmp_path, "dcal", "a: 1")).read_text()
    assert "running" in page


def test_report_goes_where_it_is_told(run, tmp_path, capsys):
    target = tmp_path / "out.html"
    assert report(Shell(tmp_path), [run.name, "-o", str(target)]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    assert target.exists()
    assert not (run.folder / "report.html").exists()
    with pytest.raises(UserError, match="names no file in an existing folder"):
        report(Shell(tmp_path), [run.name, "-o", str(tmp_path / "no" / "out.html")])


def test_what_is_needed_to_do_it_again_lies_in_the_run(run):
    kept = {event["path"] for event in run.events() if event["kind"] == "artifact"}
    assert {"config.yaml", "machine.json", "data.json", "lock.txt"} <= kept
    machine = json.loads((run.folder / "machine.json").read_text())
    assert {"python", "torch", "cpu", "cores", "git", "discern"} <= machine.keys()
    assert "torch==" in (run.folder / "lock.txt").read_text()
    assert not (run.folder / "diff.patch").exists()


def test_the_diff_is_kept_unless_told_otherwise_and_never_too_long(tmp_path, monkeypatch):
    from apps.base import machine
    from apps.base.tracking import provenance

    monkeypatch.setattr(machine, "_git", lambda *words: "é" * 100 if words[0] == "diff" else "abc")
    assert machine.git_diff(1000) == "é" * 100
    cut = machine.git_diff(51)
    assert cut.startswith("é" * 25 + "\n[cut at 51 of 200 bytes]")
    monkeypatch.setattr(provenance, "git_diff", lambda: "the diff")
    for no_diff in (False, True):
        run = Run.start(tmp_path, "dcal", "a: 1")
        record_provenance(run, {}, no_diff=no_diff)
        assert (run.folder / "diff.patch").exists() is not no_diff


def test_later_attempts_keep_their_own_provenance(tmp_path):
    run = Run.start(tmp_path, "dcal", "a: 1")
    record_provenance(run, {"name": "one"}, no_diff=True)
    run.new_attempt(3)
    record_provenance(run, {"name": "two"}, no_diff=True)
    assert json.loads((run.folder / "data.json").read_text())["name"] == "one"
    assert json.loads((run.folder / "data.2.json").read_text())["name"] == "two"


def test_figures_are_png_and_say_when_they_cannot_be(tmp_path):
    picture = np.zeros((8, 8, 3), np.uint8)
    for data in (
        draw.confusion(np.eye(40), [str(i) for i in range(40)]),
        draw.sheet([picture, picture[:, :, 0]], ["finch", "wren"], title="found"),
    ):
        assert data.startswith(b"\x89PNG")
    for call in (lambda: draw.confusion(np.eye(3), ["a"]), lambda: draw.sheet([picture], ["a", "b"])):
        with pytest.raises(ValueError):
            call()
