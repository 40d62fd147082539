"""What only a solver can get wrong."""

__all__ = ["InternalInfeasibleError"]


class InternalInfeasibleError(Exception):
    """An answer of ours broke a rule, or was not worth what was said: a bug of ours, never an answer."""

    exit_code = 70
