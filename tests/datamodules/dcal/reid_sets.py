"""Miniature imitations of re-identification sets."""

import itertools

from tests.datamodules.dcal.sets import picture

SEEDS = itertools.count()


def put(root, *files):
    """A small picture that no other one equals under each of these names."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(picture(next(SEEDS), height=32, width=12))
    return root


def market(root, train=8, test=4):
    """Persons of two cameras with two pictures each, junk, background, and a file that is no picture."""
    for n in range(train):
        put(root, *(f"bounding_box_train/{n + 2:04}_c{camera}s1_{k:06}_01.jpg" for camera in (1, 2) for k in range(2)))
    for n in range(train, train + test):
        put(root, *(f"query/{n + 2:04}_c{camera}s1_000000_00.jpg" for camera in (1, 2)))
        put(root, *(f"bounding_box_test/{n + 2:04}_c{camera}s1_{k:06}_01.jpg" for camera in (1, 2) for k in (1, 2)))
    put(root, "bounding_box_test/-1_c1s1_000001_01.jpg", "bounding_box_test/0000_c1s1_000001_01.jpg")
    (root / "bounding_box_test/Thumbs.db").write_bytes(b"no picture")
    return root


def duke(root):
    for folder, persons in (("bounding_box_train", range(8)), ("query", range(8, 10)), ("bounding_box_test", range(8, 12))):
        first = 1 if folder == "query" else 2
        put(root, *(f"{folder}/{n:04}_c{camera}_f{first:07}.jpg" for n in persons for camera in (2, 5)))
    return root


def msmt(root, folders=("train", "test")):
    lists = {"train": (range(8), 0), "val": (range(8), 4), "query": (range(3), 0), "gallery": (range(4), 4)}
    for name, (persons, first) in lists.items():
        lines = []
        for person in persons:
            for k, camera in ((first, 1), (first + 1, 14)):
                file = f"{person:04}/{person:04}_{k:03}_{camera:02}_0303morning_{k:04}_0.jpg"
                put(root / folders[name in ("query", "gallery")], file)
                lines.append(f"{file} {person}")
        (root / f"list_{name}.txt").write_text("\n".join(lines) + "\n")
    return root


def veri(root, lists=False):
    put(root, *(f"image_train/{n:04}_c{camera:03}_0001645{n}_0.jpg" for n in range(1, 9) for camera in (1, 18)))
    queries = [f"{n:04}_c{camera:03}_00016450_0.jpg" for n in range(9, 12) for camera in (1, 18)]
    put(root, *(f"image_query/{name}" for name in queries))
    (root / "image_test").mkdir()
    for name in queries:  # as distributed, the gallery has them, too
        (root / "image_test" / name).write_bytes((root / "image_query" / name).read_bytes())
    put(root, *(f"image_test/{n:04}_c{camera:03}_00016460_0.jpg" for n in range(9, 12) for camera in (1, 18)))
    if lists:
        for name, folder in (("train", "image_train"), ("query", "image_query"), ("test", "image_test")):
            (root / f"name_{name}.txt").write_text("\n".join(sorted(file.name for file in (root / folder).iterdir())))
    return root


def viper(root, persons=24):
    return put(root, *(f"cam_{camera}/{n:03}_{45 * (n % 3)}.bmp" for n in range(persons) for camera in "ab"))


def pku(root, persons=20):
    """JPEG data under .png, as in the copies that are around."""
    return put(root, *(f"{n:03}_{camera}_{view}.png" for n in range(persons) for camera in (1, 2) for view in (1, 2, 3)))


ROWS = [
    *((f"t{n}_{camera}_{k}.jpg", f"p{n}", "train", camera) for n in range(8) for camera in (1, 2) for k in range(2)),
    *((f"q{n}_{camera}.jpg", f"p{n}", "query", camera) for n in range(8, 11) for camera in (1, 2)),
    *((f"g{n}_{camera}.jpg", f"p{n}", "gallery", camera) for n in range(8, 12) for camera in (1, 2)),
]
