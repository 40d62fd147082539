"""Miniature imitations of picture sets."""

import csv
import zipfile

import cv2
import numpy as np


def picture(seed, height=24, width=32, extension=".jpg"):
    """The bytes of a small picture that no other seed has."""
    rng = np.random.default_rng(seed)
    pixels = cv2.resize(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), (width, height))
    return cv2.imencode(extension, pixels)[1].tobytes()


def folder(root, counts):
    """root/<place>/<number>.jpg for place, count in counts."""
    seed = 0
    for place, count in counts.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / place / f"{number}.jpg").write_bytes(picture(seed := seed + 1))
    return root


def index(root, rows, columns="file,label,split", *, pictures=None, archive=None):
    """index.csv with these rows, and their pictures beside it or in a zip; `pictures` replaces the bytes of some."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split(","))
        writer.writerows(rows)
    files = {row[0]: picture(number) for number, row in enumerate(rows) if row and row[0]} | (pictures or {})
    if archive:
        with zipfile.ZipFile(root / archive, "w") as packed:
            for name, data in files.items():
                if data is not None:
                    packed.writestr(name, data)
    else:
        for name, data in files.items():
            if data is not None and ".." not in name and not name.startswith("/"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(data)
    return root


def plain_rows(train=4, test=2, classes=("ant", "bee")):
    return [
        (f"{name}/{split}{n}.jpg", name, split)
        for name in classes
        for split, count in (("train", train), ("test", test))
        for n in range(count)
    ]
