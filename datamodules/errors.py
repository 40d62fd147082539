"""What is wrong with a person's data, as one line: what, where, the remedy."""

__all__ = ["DataError"]


class DataError(ValueError):
    exit_code = 2  # the user's mistake: usage, file, config
