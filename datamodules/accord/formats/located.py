"""What a record of a problem refuses knows no file: the place is put before it."""

from collections.abc import Iterator
from contextlib import contextmanager

from datamodules.errors import DataError

__all__ = ["located"]


@contextmanager
def located(where: str) -> Iterator[None]:
    """Errors that do not name the place yet are raised again with it."""
    try:
        yield
    except DataError as error:
        if where in str(error):
            raise
        raise type(error)(f"{where}: {error}") from None
