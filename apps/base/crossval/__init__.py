"""Cross-validation: folds, repeats and seeds of one recipe as child runs of one."""

from apps.base.crossval.verb import cross_validate

__all__ = ["cross_validate"]
