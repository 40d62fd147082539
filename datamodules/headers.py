"""What a picture's header says, read by hand before anything is decoded: kind by magic bytes, size, turn, whether it is whole."""

import re
import struct
from dataclasses import dataclass

__all__ = ["KINDS", "Header", "probe"]

KINDS = ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF")


@dataclass(frozen=True)
class Header:
    kind: str
    width: int
    height: int
    turn: int = 1  # EXIF orientation, 1..8
    whole: bool = True  # False: the file ends before its picture does
    alpha: str = "straight"  # "premultiplied": TIFF decoders deliver colours already multiplied; "lost": they drop it
    bits: int = 8  # of a channel, where the header of a PNG or TIFF says so


def probe(data: bytes) -> Header | None:
    """The header of a picture of one of KINDS; None for anything else, and for headers that make no sense."""
    for magic, reader in _READERS:
        if data.startswith(magic):
            try:
                header = reader(data)
            except (struct.error, IndexError, ValueError):
                return None
            return header if header and header.width > 0 and header.height > 0 else None
    return None


_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # inside a scan: stuffed zeros, restarts and fill bytes do not end it


def _jpeg(data: bytes) -> Header | None:
    at, size, turn, whole = 2, None, 1, False
    while at + 1 < len(data):
        if data[at] != 0xFF:
            return None if size is None else Header("JPEG", *size, turn=turn, whole=False)
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0xD9:
            whole = True
            break
        if marker in (0x01, 0xD8) or 0xD0 <= marker <= 0xD7:  # no length
            at += 2
            continue
        if at + 4 > len(data):
            break
        length = struct.unpack_from(">H", data, at + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and size is None:
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = (width, height)
        elif marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            turn = _orientation(data[at + 10 : at + 2 + length])
        at += 2 + length
        if marker == 0xDA:
            found = _MARKER.search(data, at)
            if found is None:
                break
            at = found.start()
    return None if size is None else Header("JPEG", *size, turn=turn, whole=whole)


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    at, turn, whole = 8, 1, False
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"eXIf":
            turn = _orientation(data[at + 8 : at + 8 + length])
        at += 12 + length
        if name == b"IEND":
            whole = at <= len(data)
            break
    return Header("PNG", width, height, turn, whole, bits=data[24])


def _webp(data: bytes) -> Header | None:
    if data[8:12] != b"WEBP":
        return None
    whole = struct.unpack_from("<I", data, 4)[0] + 8 <= len(data)
    name, turn = data[12:16], 1
    if name == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    elif name == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif name == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        at = 12
        while at + 8 <= len(data):
            name, length = struct.unpack_from("<4sI", data, at)
            if name == b"EXIF":
                turn = _orientation(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
            at += 8 + length + length % 2
    else:
        return None
    return Header("WebP", width, height, turn, whole)


def _bmp(data: bytes) -> Header:
    start, header = struct.unpack_from("<II", data, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        packing = 0
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
    rows = abs(height)  # negative: stored top down
    whole = packing not in (0, 3) or start + (width * bits + 31) // 32 * 4 * rows <= len(data)
    return Header("BMP", width, rows, whole=whole)


def _gif(data: bytes) -> Header:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, whole = 13 + _colours(flags), False
    while at < len(data) and not whole:
        if data[at] == 0x21:  # an extension: label, then blocks
            at = _skip_blocks(data, at + 2)
        elif data[at] == 0x2C:  # a frame; the first one is the picture
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at + 1)
            width, height = max(width, left + wide), max(height, top + high)
            at = _skip_blocks(data, at + 11 + _colours(flags))
            whole = at <= len(data)
        else:
            break
    return Header("GIF", width, height, whole=whole)


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _tiff(data: bytes) -> Header | None:
    tags = _tags(data)
    if 256 not in tags or 257 not in tags:
        return None
    places, counts = tags.get(273, tags.get(324, [])), tags.get(279, tags.get(325, []))
    whole = all(place + count <= len(data) for place, count in zip(places, counts, strict=False))
    alpha = "straight"
    if tags.get(338):  # extra samples
        alpha = "premultiplied" if tags.get(277, [1])[0] >= 4 and tags.get(258, [8])[0] == 8 else "lost"
    # OpenCV turns a TIFF whatever it is asked, so its turn is not ours to do
    return Header("TIFF", tags[256][0], tags[257][0], whole=whole and bool(places), alpha=alpha, bits=tags.get(258, [8])[0])


def _orientation(exif: bytes) -> int:
    """EXIF is a TIFF without a picture. Anything odd in it means: not turned."""
    try:
        turn = _tags(exif).get(274, [1])[0]
    except (struct.error, IndexError, ValueError):
        return 1
    return turn if 1 <= turn <= 8 else 1


_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def _tags(data: bytes) -> dict[int, list[int]]:
    """The whole-number tags of a (Big)TIFF's first directory."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return {}
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    entries = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    row, inline = (20, 8) if big else (12, 4)
    if entries > 4096:
        raise ValueError("a directory of thousands of tags is no picture's")
    tags = {}
    for entry in range(at, at + entries * row, row):
        tag, code, count = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        if code not in _INTEGERS:
            continue
        value = entry + row - inline
        if count * struct.calcsize(_INTEGERS[code]) > inline:
            value = struct.unpack_from(order + ("Q" if big else "I"), data, value)[0]
        if value + count * struct.calcsize(_INTEGERS[code]) > len(data):
            continue
        tags[tag] = list(struct.unpack_from(f"{order}{count}{_INTEGERS[code]}", data, value))
    return tags


_READERS = (
    (b"\xff\xd8\xff", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"II+\0", _tiff),
    (b"MM\0+", _tiff),
    (b"BM", _bmp),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
)
