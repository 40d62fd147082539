"""What a verb that decides leaves with. 1 and 2 mean what they mean everywhere: failed under way, and the user's mistake."""

__all__ = ["ACCEPTED", "NOT_ENROLLED", "REJECTED", "UNCALIBRATED"]

ACCEPTED = 0
REJECTED = 3
NOT_ENROLLED = 4  # no usable face on the image
UNCALIBRATED = 5  # a score, and no decision
