"""Miniature imitations of sets of words, in every layout that is read: the same five words."""

import io
import json
import tarfile
import zipfile

import cv2
import numpy as np
from scipy.io import savemat

from datamodules.otsnet.icdar_words_layout import escaped
from datamodules.otsnet.lmdb_write import write_lmdb

LABELS = ["Hello", "24/7", 'say "oh", then \\"', "café", "it's OK"]  # quotes, commas, backslashes and blanks belong to words
PLAIN = ["HELLO", "247", "SAYOH", "CAFE", "ITSOK"]


def picture(seed, height=24, width=60, extension=".png"):
    """The bytes of a small picture that no other seed has."""
    rng = np.random.default_rng(seed)
    pixels = cv2.resize(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), (width, height))
    return cv2.imencode(extension, pixels)[1].tobytes()


PICTURES = [picture(seed) for seed in range(len(LABELS))]


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def pictures(folder, name="word_{}.png", first=1):
    for number, data in enumerate(PICTURES, first):
        put(folder / name.format(number), data)
    return [name.format(number) for number in range(first, first + len(PICTURES))]


def lmdb(root, labels=LABELS, images=PICTURES, extra=()):
    items = {b"image-%09d" % n: data for n, data in enumerate(images, 1)}
    items |= {b"label-%09d" % n: label.encode() for n, label in enumerate(labels, 1) if label is not None}
    write_lmdb(root, sorted((items | {b"num-samples": b"%d" % len(images)} | dict(extra)).items()))


def tsv(root, header=False, end="\n", bom=b""):
    files = pictures(root)
    rows = ["file\tlabel\torig_w\torig_h"] if header else []
    rows += [f"{file}\t{label}" + ("\t60\t24" if header else "") for file, label in zip(files, LABELS, strict=True)]
    put(root / "labels.tsv", bom + (end.join(rows) + end).encode())


def zipped(root):
    put(root / "train.tsv", "file\tlabel\torig_w\torig_h\n" + "".join(f"{n}.png\t{label}\t60\t24\n" for n, label in enumerate(LABELS)))
    with zipfile.ZipFile(root / "train.zip", "w") as packed:
        for number, data in enumerate(PICTURES):
            packed.writestr(f"{number}.png", data)


def tarred(root):
    """Pictures and their list in one tar."""
    root.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{n}.png\t{label}\n" for n, label in enumerate(LABELS))
    with tarfile.open(root / "words.tar", "w") as packed:
        for name, data in [("set/labels.tsv", rows.encode()), *((f"set/{n}.png", data) for n, data in enumerate(PICTURES))]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))


def csv(root):
    rows = [f'{file},"{label.replace(chr(34), chr(34) * 2)}"' for file, label in zip(pictures(root), LABELS, strict=True)]
    put(root / "index.csv", "file,label\n" + "\n".join(rows))


def paddle(root):
    files = pictures(root / "train")
    put(root / "rec_gt_train.txt", "".join(f"train/{file}\t{label}\n" for file, label in zip(files, LABELS, strict=True)))


def doctr(root):
    put(root / "labels.json", json.dumps(dict(zip(pictures(root / "images"), LABELS, strict=True))))


def hf(root):
    files = pictures(root)
    rows = (json.dumps({"file_name": file, "text": label}) for file, label in zip(files, LABELS, strict=True))
    put(root / "metadata.jsonl", "\n".join(rows))


def icdar_words(root):
    rows = [f'{file}, "{escaped(label)}"' for file, label in zip(pictures(root), LABELS, strict=True)]
    put(root / "gt.txt", b"\xef\xbb\xbf" + "\r\n".join(rows).encode())


def mmocr_old(root):
    put(root / "train_label.txt", "".join(f"{file} {label}\n" for file, label in zip(pictures(root), LABELS, strict=True)))


def mmocr_new(root):
    entries = [{"img_path": file, "instances": [{"text": label}]} for file, label in zip(pictures(root), LABELS, strict=True)]
    put(root / "textrecog_train.json", json.dumps({"metainfo": {"task_name": "textrecog"}, "data_list": entries}))


def annotated(root):
    for number, name in enumerate(pictures(root / "mini_train/IMG", "{}.png"), 1):
        put(root / "mini_train/label" / name.replace("png", "txt"), LABELS[number - 1])


EVERY = {
    "lmdb": lmdb, "tsv": tsv, "zip": zipped, "tar": tarred, "csv": csv, "paddle": paddle, "doctr": doctr, "hf": hf,
    "icdar-words": icdar_words, "mmocr-0": mmocr_old, "mmocr-1": mmocr_new, "annotated": annotated,
}  # fmt: skip


def iiit5k(root):
    for split, files in (("train", ["train/1_1.png", "train/1_2.png"]), ("test", ["test/2_1.png"])):
        for number, file in enumerate(files):
            put(root / "IIIT5K" / file, PICTURES[number + (split == "test") * 2])
        kind = [("ImgName", object), ("GroundTruth", object), ("smallLexi", object)]
        rows = np.array([(file, PLAIN[number + 1], "A") for number, file in enumerate(files)], dtype=kind)
        savemat(root / f"IIIT5K/{split}data.mat", {f"{split}data": rows})
        boxes = np.array([[0, 0, 20, 24], [20, 0, 20, 24], [40, 0, 20, 24]], np.float64)
        kind = [("ImgName", object), ("chars", object), ("charBB", object)]
        bounds = np.array([(file, PLAIN[number + 1], boxes) for number, file in enumerate(files)], dtype=kind)
        savemat(root / f"IIIT5K/{split}CharBound.mat", {f"{split}CharBound": bounds})


def photograph(height=100, width=120):
    """White; in it a red rectangle from (30, 20) to (70, 40)."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[20:40, 30:70] = (0, 0, 255)  # BGR
    return cv2.imencode(".png", pixels)[1].tobytes()


def svt(root, doctype=""):
    put(root / "svt1/img/14_03.png", photograph())
    words = [(30, 20, 40, 20, "LIVING"), (100, 90, 25, 12, "EDGE &amp; CO")]
    for split in ("train", "test"):
        boxes = "".join(
            f'<taggedRectangle height="{h}" width="{w}" x="{x}" y="{y}"><tag>{tag}</tag></taggedRectangle>' for x, y, w, h, tag in words
        )
        image = '<image><imageName>img/14_03.png</imageName><address/><lex>A,B</lex><Resolution x="120" y="100"/>'
        xml = f'<?xml version="1.0"?>{doctype}<tagset>{image}<taggedRectangles>{boxes}</taggedRectangles></image></tagset>'
        if split == "test":
            xml = xml.replace("14_03", "14_04")
        put(root / f"svt1/{split}.xml", xml)
    put(root / "svt1/img/14_04.png", photograph())


def icdar_detection(root):
    put(root / "ch4_training_images/img_1.jpg", photograph())
    rows = ["30,20,70,20,70,40,30,40,Stop, now!", "1,1,2,1,2,2,1,2,###", "70,20,70,40,30,40,30,20,turned"]
    put(root / "ch4_training_localization_transcription_gt/gt_img_1.txt", b"\xef\xbb\xbf" + "\r\n".join(rows).encode())


def mjsynth(root):
    put(root / "1/1/115_Lube_45484.jpg", picture(1, extension=".jpg"))
    put(root / "1/1/116_oak_1.jpg", picture(2, extension=".jpg"))
    put(root / "annotation_train.txt", "./1/1/115_Lube_45484.jpg 45484\n")
    put(root / "annotation_test.txt", "./1/1/116_oak_1.jpg 1\n")


def synthtext(root):
    """Two words and their letters, of which scipy writes cells as MATLAB does."""
    put(root / "8/a.jpg", photograph())
    put(root / "8/b.jpg", photograph())
    word = np.array([[30, 70, 70, 30], [20, 20, 40, 40]], np.float64)
    letters = [np.array([[x, x + 20, x + 20, x], [20, 20, 40, 40]], np.float64) for x in (30, 50)]
    cells = {name: np.empty((1, 2), object) for name in ("imnames", "wordBB", "charBB", "txt")}
    for column, (name, text, quads, chars) in enumerate(
        (("8/a.jpg", ["ab"], [word], letters), ("8/b.jpg", ["cd\nef  "], [word, word + 1], [*letters, *letters]))
    ):
        cells["imnames"][0, column], cells["txt"][0, column] = name, np.array(text)
        cells["wordBB"][0, column], cells["charBB"][0, column] = np.stack(quads, -1).squeeze(), np.stack(chars, -1)
    savemat(root / "gt.mat", cells)
