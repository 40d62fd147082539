"""From a whole photograph to the words in it: where they are, in which order they are read, and each one cut out and made straight."""

from apps.otsnet.photos.cutting import Cut, cut, from_crop
from apps.otsnet.photos.found import Finder, Found
from apps.otsnet.photos.photo import How, NamedCrop, add_photo_options, crops_from_photo, how_of
from apps.otsnet.photos.simple import find

__all__ = ["Cut", "Finder", "Found", "How", "NamedCrop", "add_photo_options", "crops_from_photo", "cut", "find", "from_crop", "how_of"]
