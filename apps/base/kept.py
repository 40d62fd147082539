"""What the files in a run's checkpoint folder are called. Apart from who writes them: verbs that only look need no torch."""

__all__ = ["LAST", "RANKING"]

LAST = "last.ckpt"
RANKING = "best.json"  # which of the others rank, the best first
