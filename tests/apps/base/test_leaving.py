"""The process ends with its exit code and with all that it said, also over a thread that nobody waits for any more."""

import subprocess
import sys

import pytest

ENDS = """
import atexit, sys, threading
from apps.base.leaving import abandoned, leave

atexit.register(print, "taken down")
thread = threading.Thread(target=threading.Event().wait, daemon=True)
abandoned.add(thread)
if sys.argv[1] == "at work":
    thread.start()
print("the answer")
leave(130)
"""


@pytest.mark.parametrize(("thread", "said"), [("at work", ["the answer"]), ("ended", ["the answer", "taken down"])])
def test_python_is_not_taken_down_under_a_thread_at_work(thread: str, said: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-c", ENDS, thread], capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert ended.stdout.splitlines() == said
