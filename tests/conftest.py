from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.command import Here, Said


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole processes first: a file of them that began last would keep one worker busy alone."""
    items.sort(key=lambda item: "tests/system/" not in item.nodeid)


@pytest.fixture
def inside(monkeypatch, capsys) -> Callable[[Path], Here]:
    """The command inside this process, in a folder: as a user would see it, without the seconds that importing takes each time."""
    from apps.cli import main

    def at(folder: Path) -> Here:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("HOME", str(folder))

        def call(*words: object) -> Said:
            capsys.readouterr()
            code = main([str(word) for word in words])
            said = capsys.readouterr()
            return Said(code, said.out, said.err)

        return call

    return at


@pytest.fixture
def here(tmp_path, inside: Callable[[Path], Here]) -> Here:
    return inside(tmp_path)
