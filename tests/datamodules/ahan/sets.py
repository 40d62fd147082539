"""Miniature imitations of sets of faces."""

import io
import json
import pickle
import struct
import zlib

import cv2
import numpy as np
from scipy.io import savemat

from tests.datamodules.dcal.sets import picture


def put(root, *files, size=112):
    """A small picture that no other file name has, under each of these names."""
    for file in files:
        seed = zlib.crc32(str(file).encode())
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(picture(seed, size, size))
    return root


def twins(root, families=6, alone=2, visits=("2009", "2010"), images=2):
    """people a0 and b0 are twins, and so on; c0.. are alone."""
    people = [f"{side}{n}" for n in range(families) for side in "ab"] + [f"c{n}" for n in range(alone)]
    put(root, *(f"{person}/{visit}/{k}.jpg" for person in people for visit in visits for k in range(images)))
    (root / "twins.json").write_text(json.dumps([[f"a{n}", f"b{n}"] for n in range(families)]))
    return root


def manifests(root):
    for split, first in (("train", 0), ("test", 5)):
        people = {f"p{n}": [f"{split}/p{n}_{k}.jpg" for k in range(3)] for n in range(first, first + 4)}
        put(root, *(file for files in people.values() for file in files))
        (root / f"{split}_dataset_infor.json").write_text(json.dumps(people))
        (root / f"{split}_twin_pairs.json").write_text(json.dumps([[f"p{first}", f"p{first + 1}"]]))
    return root


CSV = "image,person,family,kind,session,split,eye_left_x,eye_left_y,eye_right_x,eye_right_y,nose_x,nose_y"
CSV += ",mouth_left_x,mouth_left_y,mouth_right_x,mouth_right_y,camera"


def csv_set(root, rows=None, columns=CSV):
    points = "38.3,51.7,73.5,51.5,56.0,71.7,41.5,92.4,70.7,92.2"
    rows = rows or [
        f"{person}{k}.jpg,{person},f{family},MZ,day{k},{split},{points if k else ',' * 9},left"
        for family, split in enumerate(["train"] * 4 + ["val", "test"])
        for person in (f"a{family}", f"b{family}")
        for k in range(2)
    ]
    put(root, *(row.split(",")[0] for row in rows))
    (root / "faces.csv").write_text("\n".join([columns, *rows]) + "\n")
    return root


def lfw(root, folds=3, each=2, size=250, ends="\n"):
    """Fold f has the people Ann_fk and Bo-J._fk, with `each` genuine and `each` other pairs."""
    lines, listed = [f"{folds}\t{each}"], [f"{folds}"]
    for fold in range(1, folds + 1):
        people = [f"Ann_{fold}{n}" for n in range(each)] + [f"Bo-J._{fold}{n}" for n in range(each)]
        put(root, *(f"lfw/{name}/{name}_{k:04}.jpg" for name in people for k in (1, 2)), size=size)
        lines += [f"{name}\t1\t2" for name in people[:each]]
        lines += [f"{one}\t1\t{other}\t2" for one, other in zip(people[:each], people[each:], strict=True)]
        listed += [f"{len(people)}", *(f"{name}\t2" for name in people)]
    (root / "pairs.txt").write_bytes((ends.join(lines) + ends).encode())
    (root / "people.txt").write_bytes((ends.join(listed) + ends).encode())
    return root


def kinface(root):
    names = {"fd": "father-dau", "ms": "mother-son"}
    for short, relation in names.items():
        rows = np.empty((6, 4), object)
        for n in range(6):
            kin = n % 2
            other = n if kin else (n + 1) % 6
            rows[n] = [n // 2 + 1, kin, f"{short}_{n:03}_1.jpg", f"{short}_{other:03}_2.jpg"]
        put(root, *(f"images/{relation}/{short}_{n:03}_{k}.jpg" for n in range(6) for k in (1, 2)), size=64)
        (root / "meta_data").mkdir(exist_ok=True)
        savemat(root / f"meta_data/{short}_pairs.mat", {"pairs": rows})
    return root


def encoded(count):
    return [cv2.imencode(".jpg", np.full((112, 112, 3), 5 * n, np.uint8))[1].tobytes() for n in range(count)]


def bin_pack(file, pairs=20, kind=bytes, protocol=4):
    images = [kind(np.frombuffer(image, np.uint8)) if kind is not bytes else image for image in encoded(2 * pairs)]
    file.write_bytes(pickle.dumps((images, [n % 2 == 0 for n in range(pairs)]), protocol=protocol))
    return file


def record(labels, image, part=0):
    payload = struct.pack("<IfQQ", len(labels) if len(labels) > 1 else 0, 0 if len(labels) > 1 else labels[0], 0, 0)
    payload += struct.pack(f"<{len(labels)}f", *labels) if len(labels) > 1 else b""
    return part_of(payload + image, part)


def part_of(payload, part=0):
    return struct.pack("<II", 0xCED7230A, part << 29 | len(payload)) + payload + bytes(-len(payload) % 4)


def records(root, people=4, images=3, split=False):
    """train.rec with its index; `split`: the second image holds the magic number and is cut there, as writers do."""
    root.mkdir(parents=True, exist_ok=True)
    count = people * images
    raw = encoded(count)
    out, offsets = io.BytesIO(), []

    def write(data):
        offsets.append(out.tell())
        out.write(data)

    write(record((count + 1, count + 1 + people), b""))
    for n, image in enumerate(raw):
        if split and n == 1:
            raw[n] = image = image[:-2] + struct.pack("<I", 0xCED7230A) + b"more\xff\xd9"
            head, tail = image.split(struct.pack("<I", 0xCED7230A))
            header = struct.pack("<IfQQ", 0, n // images, 0, 0)
            write(part_of(header + head, 1) + part_of(tail, 3))
        else:
            write(record((n // images,), image))
    for n in range(people):
        write(record((1 + n * images, 1 + (n + 1) * images), b""))
    (root / "train.rec").write_bytes(out.getvalue())
    (root / "train.idx").write_text("".join(f"{key}\t{at}\n" for key, at in enumerate(offsets)))
    return root, raw
