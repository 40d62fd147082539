"""Miniature imitations of sets of polyp frames."""

import io
import json
import tarfile
import zlib

import cv2
import numpy as np

WIDTH, HEIGHT = 120, 96


def frame(name, width=WIDTH, height=HEIGHT):
    """Pixels that no other name has, with a black border as of an endoscope, and no near-copy."""
    rng = np.random.default_rng(zlib.crc32(str(name).encode()))
    coarse = rng.uniform(40, 255, (6, 6, 3)).astype(np.float32)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    pixels[:, :4] = 0
    return pixels.astype(np.uint8)


def encoded(pixels, kind=".jpg"):
    return cv2.imencode(kind, np.ascontiguousarray(pixels if pixels.ndim == 2 else pixels[:, :, ::-1]))[1].tobytes()


def put(root, *names, width=WIDTH, height=HEIGHT):
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(frame(file.name, width, height), file.suffix))
    return root


def mask(box, width=WIDTH, height=HEIGHT):
    pixels = np.zeros((height, width), np.uint8)
    left, top, right, lower = box
    pixels[top:lower, left:right] = 255
    return pixels


def voc(objects, width=WIDTH, height=HEIGHT):
    """As REAL-Colon writes it: xmax before ymin."""
    items = "".join(
        f"<object><name>lesion</name><unique_id>{name}</unique_id><box_id>{at}</box_id><bndbox><xmin>{box[0]}</xmin><xmax>{box[2]}</xmax>"
        f"<ymin>{box[1]}</ymin><ymax>{box[3]}</ymax></bndbox></object>"
        for at, (name, box) in enumerate(objects)
    )
    return (
        "<annotation><version_fmt>1.0</version_fmt><folder>x</folder><filename>y.jpg</filename>"
        f"<source><database>cosmoimd</database></source><size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        f"{items}</annotation>"
    )


LESIONS = {"001-001_1": "4", "001-001_2": "7.5", "001-002_1": "", "001-003_1": "12", "002-001_1": "3", "002-002_1": "20", "002-003_1": "5"}


def real_colon(root, frames=3, lesions=None, ending="_annotations"):
    """Video 001-001 has two lesions, on its first frame together; every video has a frame without."""
    lesions = LESIONS if lesions is None else lesions
    table = ["unique_object_id,unique_video_name,size [mm],site,histology_extended,histology_class"]
    for name, size in lesions.items():
        video = name.rpartition("_")[0]
        table.append(f"{name},{video},{size},sigmoid,x,AD")
        put(root, *(f"{video}_frames/{video}_{number}.jpg" for number in range(frames + 1)))
        folder = root / f"{video}{ending}"
        folder.mkdir(exist_ok=True)
        for number in range(frames):
            old = folder / f"{video}_{number}.xml"
            both = number == 0 and name.endswith("_2")
            mine = (name, (10.5, 12, 60, 70.25))
            old.write_text(voc([("001-001_1", (70, 20, 110, 60)), mine] if both else [mine]))
            if name.endswith("_2") and number > 0:
                old.write_text(voc([("001-001_1", (70, 20, 110, 60))]))
        (folder / f"{video}_{frames}.xml").write_text(voc([]))
    (root / "lesion_info.csv").write_text("\n".join(table) + "\n")
    videos = sorted({name.rpartition("_")[0] for name in lesions})
    (root / "video_info.csv").write_text("unique_video_name,fps,num_lesions\n" + "".join(f"{video},30,1\n" for video in videos))
    return root


SUN_SIZES = {1: "6mm", 2: "18mm", 3: "3mm", 4: "4mm", 5: "15mm-", 6: "5mm", 7: "2mm", 8: "10mm"}


def sun(root, sizes=None, frames=3, renamed=False):
    sizes = SUN_SIZES if sizes is None else sizes
    (root / "annotation_txt").mkdir(parents=True, exist_ok=True)
    for case in sizes:
        names = [f"case_M_2018100109494{case}_0U62_1_005_001-1_a2_ayy_image{number:04}.jpg" for number in range(1, frames + 1)]
        lines = [f"{name} {10 + number},12,60,70,0" for number, name in enumerate(names)] + [f"{names[0][:-8]}9999.jpg 0,0,0,0,1"]
        (root / "annotation_txt" / f"case{case}.txt").write_text("\n".join(lines) + "\n")
        put(root, *(f"renamed/case{case}/image_{n:03}.jpg" if renamed else f"case{case}/{name}" for n, name in enumerate(names, 1)))
    (root / "sizes.csv").write_text("ID,Size\n" + "".join(f"{case},{size}\n" for case, size in sizes.items()))
    return root


def sun_seg(root):
    parts = {"TrainDataset": (1, 2, 3), "TestEasyDataset/Seen": (1,), "TestHardDataset/Unseen": (4,)}
    for part, cases in parts.items():
        notes, kinds = [], []
        for case in cases:
            for number in range(2):
                clip, name = f"case{case}_{1 + ('Seen' in part)}", f"case{case}_{number}-{part.replace('/', '')}-image{number:04}"
                put(root, f"{part}/Frame/{clip}/{name}.jpg")
                (root / part / "GT" / clip).mkdir(parents=True, exist_ok=True)
                (root / part / "GT" / clip / f"{name}.png").write_bytes(encoded(mask((20, 20, 60, 60)), ".png"))
                notes.append({"id": name, "bbox": [20, 20, 40, 40]})
                kinds.append(f"{name}\tadenoma")
        (root / part / "Detection").mkdir()
        (root / part / "Detection" / "bbox_annotation.json").write_text(json.dumps({"annotation": notes}))
        (root / part / "Classification").mkdir()
        (root / part / "Classification" / "classification.txt").write_text("\n".join(kinds))
    (root / "cases.csv").write_text("case,size_raw\n1,6mm\n2,12mm\n3,15mm-\n4,3mm\n")
    return root


PAPER = "database,unique_id,frame_id,bbox_xmin,bbox_xmax,bbox_ymin,bbox_ymax,width,height,frame_path,gt"


def paper_csv(root, kfold=True, rows=None):
    """Twelve polyps, two a fold; SUN's frame ids have leading zeros. Lists in lists/, frames in rc/ and sun/."""
    (root / "lists").mkdir(parents=True)
    lines = []
    for at in range(12):
        real = at % 2 == 0
        polyp = f"001-0{at:02}_1" if real else f"case{at}"
        for number in (1, 2):
            path = (
                f"$REAL_COLON_PATH/001-0{at:02}_frames/001-0{at:02}_{number}.jpg"
                if real
                else f"$SUN_DATA_PATH/case{at}/image_{number:03}.jpg"
            )
            put(root, path.replace("$REAL_COLON_PATH", "rc").replace("$SUN_DATA_PATH", "sun"))
            database, frame_id = ("REALC", number) if real else ("SUN", f"{number:03}")
            line = f"{database},{polyp},{frame_id},10,50,12,60,{WIDTH},{HEIGHT},{path},{(3, 7, 12)[at % 3]}"
            lines.append(line + (f",Dim,{at // 2}" if kfold else ""))
    head = PAPER + (",gt_group,kfold_id" if kfold else "")
    name = "kfold_polypsizing_lists_per_object.csv" if kfold else "polypsizing_real_part1.csv"
    (root / "lists" / name).write_text("\n".join([head, *(rows or lines)]) + "\n")
    return {"REAL_COLON_PATH": str(root / "rc"), "SUN_DATA_PATH": str(root / "sun")}


def kvasir_seg(root, count=9):
    boxes = {}
    for at in range(count):
        name, box = f"cju{at}", (10 + at, 12, 40 + 5 * at, 60)
        put(root, f"images/{name}.jpg")
        (root / "masks").mkdir(exist_ok=True)
        (root / "masks" / f"{name}.jpg").write_bytes(encoded(np.repeat(mask(box)[:, :, None], 3, 2)))
        corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        boxes[name] = {"height": HEIGHT, "width": WIDTH, "bbox": [{"label": "polyp", **corners}]}
    (root / "kavsir_bboxes.json").write_text(json.dumps(boxes))
    return root


def cvc_clinicdb(root, numbers=(1, 25, 26, 50, 51, 68, 79, 104, 127, 612)):
    put(root, *(f"Original/{number}.tif" for number in numbers))
    (root / "Ground Truth").mkdir()
    for number in numbers:
        (root / "Ground Truth" / f"{number}.tif").write_bytes(encoded(mask((30, 20, 70, 80)), ".tif"))
    return root


def index_tar(root, name="kvasir_seg", count=12):
    lines = ["set,id,group,fold,width,height,mask_fraction,area_tercile,xmin,ymin,xmax,ymax,orig_boxes"]
    with tarfile.open(root / "frames.tar", "w") as tar:
        for at in range(count):
            lines.append(f'{name},{at:03},{at // 2},{at // 2 % 3},{WIDTH},{HEIGHT},{0.05 * (1 + at % 3)},{at % 3},10,12,50,60,"1,2,3,4"')
            for member, data in (
                (f"images/{at:03}.jpg", encoded(frame(at))),
                (f"masks/{at:03}.png", encoded(mask((10, 12, 50, 60)), ".png")),
            ):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    (root / "index.csv").write_text("\n".join(lines) + "\n")
    return root


def polypgen(root):
    for number in range(1, 7):
        centre = f"C{number}"
        base = root / f"data_{centre}"
        for at in range(4):
            stem = f"{centre}_{at:03}" + ("_" if centre == "C3" and at == 0 else "")
            put(base, f"images_{centre}/{stem}.jpg")
            for folder in (f"masks_{centre}", f"bbox_{centre}"):
                (base / folder).mkdir(exist_ok=True)
            (base / f"masks_{centre}" / f"{stem.rstrip('_')}_mask.jpg").write_bytes(encoded(mask((20, 20, 60, 70))))
            end = "_mask" if number in (1, 4, 5, 6) else ""
            if not (centre == "C3" and at == 1):  # there some have masks alone
                text = "\n" if at == 3 else "polyp 20 20 60 70\n"
                (base / f"bbox_{centre}" / f"{stem.rstrip('_')}{end}.txt").write_text(text)
    return root


def polyp_csv(root, rows=None, columns="image,polyp,patient,mm,xmin,ymin,xmax,ymax", frames=2, polyps=12):
    rows = rows or [
        f"f{polyp}_{n}.jpg,p{polyp},v{polyp // 2},{(3, 7, 12)[polyp % 3]},10,12,50,60" for polyp in range(polyps) for n in range(frames)
    ]
    put(root, *(row.split(",")[0] for row in rows))
    (root / "polyps.csv").write_text("\n".join([columns, *rows]) + "\n")
    return root


def cifar(root, each=8, folders=False):
    names = ["airplane", "automobile", "bird"]
    for part in ("train", "test"):
        pictures = [(encoded(frame(f"{part}{label}{n}", 32, 32)), label) for n in range(each) for label in range(3)]
        if folders:
            put(root, *(f"{part}/{names[label]}/{n}.png" for n, (_, label) in enumerate(pictures)), width=32, height=32)
            continue
        sizes = np.cumsum([0, *(len(data) for data, _ in pictures)])
        packed = np.frombuffer(b"".join(data for data, _ in pictures), np.uint8)
        labels = np.array([label for _, label in pictures], np.uint8)
        root.mkdir(exist_ok=True)
        np.savez(
            root / f"{part}.npz",
            jpeg=packed,
            offsets=sizes,
            labels=labels,
            names=np.array([b"x"] * len(labels)),
            classes=np.array(names, "S10"),
        )
    return root
