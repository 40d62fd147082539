import pytest

from apps.base import card


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card is in the table of applications, also before the application as a whole is."""
    monkeypatch.setattr(card, "APPS", tuple(dict.fromkeys((*card.APPS, "accord"))))
