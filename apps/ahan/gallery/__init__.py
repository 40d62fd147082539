"""Who is enrolled: an owner-only folder of templates, sealed on request, in which forgetting is proved (section 4.6)."""

from apps.ahan.gallery.entry import Entry
from apps.ahan.gallery.errors import GalleryLocked, TemplateMismatch
from apps.ahan.gallery.folder import GalleryFolder
from apps.ahan.gallery.people import People, Twins

__all__ = ["Entry", "GalleryFolder", "GalleryLocked", "People", "TemplateMismatch", "Twins"]
