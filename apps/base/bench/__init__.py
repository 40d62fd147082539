"""`discern bench`: what the parts cost on this machine."""

from apps.base.bench.verb import bench

__all__ = ["bench"]
