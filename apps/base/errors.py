"""Errors that a person sees as one line: what, where, the remedy. The command prints them and leaves with `exit_code`."""

__all__ = ["FailureError", "UserError"]


class UserError(Exception):
    """The user's mistake: usage, file, config."""

    exit_code = 2


class FailureError(Exception):
    """Something failed under way that is neither the user's mistake nor a bug: a full disk, a lost store."""

    exit_code = 1
