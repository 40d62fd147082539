import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.command import Here, Said

# One thread, as in `make test` and in the processes that tests start: sums in another order have other last bits.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole processes first: a file of them that began last would keep one worker busy alone."""
    items.sort(key=lambda item: "tests/system/" not in item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def tables_are_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow makes its tables by dozens of migrations, two seconds a home. The first store that this process opens is kept, empty as
    it is, and stands in the later ones; processes of their own make theirs."""
    from apps.base.tracking.store import Store

    empty = tmp_path_factory.mktemp("tables") / "mlflow.db"
    connect = Store._connect

    def quick(store: Store):
        file = Path(store._uri.removeprefix("sqlite:///"))
        if store._client is not None or not store._on_disk or file.exists():
            return connect(store)
        if empty.exists():
            shutil.copyfile(empty, file)
            return connect(store)
        client = connect(store)
        client.search_experiments()  # what it asks first makes the tables
        shutil.copyfile(file, empty)
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "_connect", quick)
        yield


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
