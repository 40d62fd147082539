"""What is wrong with a problem that somebody gives us, by name; all are one line with the place and the remedy."""

from datamodules.errors import DataError

__all__ = ["InfeasibleError", "InvalidInstanceError", "LossyConversionError", "ParseError", "PrecisionError", "UnsupportedError"]


class ParseError(DataError):
    """The text is not of the format."""


class InvalidInstanceError(DataError):
    """It was read, and it is no problem: a negative size, a NaN, a matrix that is not square."""


class InfeasibleError(DataError):
    """No plan can exist: a customer asks for more than a vehicle holds, an item is larger than a bin."""

    exit_code = 3


class UnsupportedError(DataError):
    """It asks for what is not modelled (time windows, several depots): refused rather than solved without it."""


class PrecisionError(DataError):
    """It needs more than nine decimals, or numbers whose sums do not fit into 62 bits."""


class LossyConversionError(DataError):
    """The format asked for cannot hold all that is there."""
