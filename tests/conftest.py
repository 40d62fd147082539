import pytest

from tests.system.command import Here, Said


@pytest.fixture
def here(tmp_path, monkeypatch, capsys) -> Here:
    """The command inside this process: as a user would see it, without the seconds that importing takes each time."""
    from apps.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call
