"""Which release of a distribution is installed."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["version_of"]


def version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
