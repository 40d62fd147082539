"""What is wrong with a person's data, as one line: what, where, the remedy."""

__all__ = ["DataError", "MissingDependencyError"]


class DataError(ValueError):
    exit_code = 2  # the user's mistake: usage, file, config


class MissingDependencyError(DataError):
    """An optional package is needed for this kind of data, and is not installed."""
