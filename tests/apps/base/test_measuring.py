"""What `test` finds is told even where nothing of it can be kept."""

import errno
from types import SimpleNamespace

import pytest

from apps.base import measuring
from apps.base.shell import Shell
from apps.base.tracking.run import Run


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_numbers_are_told_where_the_home_cannot_be_written(tmp_path, monkeypatch, number):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = Run.start(tmp_path, "dcal", "a: 1")
    run.status("finished")
    task = SimpleNamespace(
        check_data=lambda data: None,
        answers=lambda data: [{"item": 0, "said": "ant"}],
        baselines=lambda data: {"chance": 0.5},
        figures=lambda data: {"confusion": b"png"},
        run_figures=lambda history: {},
    )
    beginning = SimpleNamespace(verb="test", run=run, checkpoint=None)
    beginning.restore = lambda: (SimpleNamespace(set_up=lambda stage: None, trainer=None), task, 7)
    monkeypatch.setattr(measuring, "run_trainer", lambda *_, **__: [{"test/top1": 0.75}])

    def refused(*_, **__):
        raise OSError(number, "no")

    monkeypatch.setattr("datamodules.whole.tempfile.mkstemp", refused)
    monkeypatch.setattr("apps.base.tracking.log.os.open", refused)
    assert measuring.measure(Shell(tmp_path, quiet=True), beginning) == {"test/top1": 0.75, "test/chance": 0.5}
