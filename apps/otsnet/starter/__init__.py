"""A small reader that answers on a fresh clone: trained on made words alone, by `python -m apps.otsnet.starter.train`."""

from apps.otsnet.starter.load import Starter, load_starter

__all__ = ["Starter", "load_starter"]
