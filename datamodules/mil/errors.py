"""What can be wrong with bags of features, as one line each."""

from datamodules.errors import DataError

__all__ = ["EmptyBagError", "FeatureMismatchError"]


class EmptyBagError(DataError):
    """A bag without instances: there is nothing to answer from."""


class FeatureMismatchError(DataError):
    """Features of another width than the set's, or than the model's."""
