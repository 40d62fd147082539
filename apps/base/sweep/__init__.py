from apps.base.sweep.verb import sweep

__all__ = ["sweep"]
