"""Why a gallery does not open, or does not answer."""

from apps.base.errors import UserError

__all__ = ["GalleryLocked", "TemplateMismatch"]


class GalleryLocked(UserError):  # noqa: N818 - the brief's name
    """Sealed, and the key is missing or another one."""


class TemplateMismatch(UserError):  # noqa: N818 - the brief's name
    """Made by another model, or from faces that were aligned otherwise: scores of two models cannot be compared."""
