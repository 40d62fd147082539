"""Every layout is read as it is distributed, and what is wrong in it is named."""

import json
import pickle

import cv2
import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.hag.cvc_clinicdb_layout import LAST_FRAMES, sequence_of
from datamodules.hag.layouts import KNOWN, detect, read
from datamodules.hag.sizes import mm_of, parse_size
from tests.datamodules.hag import sets


def paper(root):
    sets.paper_csv(root)
    return root / "lists"


MADE = {
    "real-colon": sets.real_colon,
    "sun": sets.sun,
    "sun-seg": sets.sun_seg,
    "paper-csv": paper,
    "kvasir-seg": sets.kvasir_seg,
    "cvc-clinicdb": sets.cvc_clinicdb,
    "index-tar": sets.index_tar,
    "polypgen": sets.polypgen,
    "polyp-csv": sets.polyp_csv,
    "cifar": sets.cifar,
}


@pytest.mark.parametrize("name", MADE)
def test_a_set_is_recognised_as_what_it_is_and_checked(tmp_path, name):
    path = MADE[name](tmp_path)
    layout = detect(path)
    assert layout.name == name
    assert [kind.name for kind in KNOWN if kind.matches(path)] == [name], "and as nothing else"
    if name == "paper-csv":
        return  # its frames lie where only a config says
    report = layout.check()
    assert report.problems == []
    assert all(report.counts.values())
    assert json.dumps(report.notes)


def wrong(path, words, **options):
    table = read(path, **options)
    found = [problem for problem in table.problems if words in problem]
    assert len(found) == 1, (words, table.problems)
    assert "\n" not in found[0]
    return found[0]


# REAL-Colon


def test_real_colon_reads_corners_by_their_tags_and_floats_as_they_are(tmp_path):
    table = read(sets.real_colon(tmp_path))
    assert table.problems == []
    box = next(r.box for r in table.records if r.polyp == "001-002_1")
    assert box == (10.5, 12.0, 60.0, 70.25)


def test_real_colon_frames_have_no_lesion_one_or_several(tmp_path):
    table = read(sets.real_colon(tmp_path))
    both = [r.polyp for r in table.records if r.file == "001-001_frames/001-001_0.jpg"]
    assert sorted(both) == ["001-001_1", "001-001_2"]
    assert not [r for r in table.records if r.frame == "3"], "its XML has no object"
    assert any("frames without a lesion" in note for note in table.notes)
    assert {r.patient for r in table.records if r.polyp.startswith("001-001")} == {"001-001"}, "a video is a patient"


def test_a_lesion_without_a_size_is_kept_and_said(tmp_path):
    table = read(sets.real_colon(tmp_path))
    assert {r.mm for r in table.records if r.polyp == "001-002_1"} == {None}
    assert any("1 lesions have no size" in note and "001-002_1" in note for note in table.notes)


def test_both_spellings_of_the_annotation_folder_are_read(tmp_path):
    one, other = (read(sets.real_colon(tmp_path / end, ending=end)) for end in ("_annotations", "_annotation"))
    assert [r._replace(where="") for r in one.records] == [r._replace(where="") for r in other.records]


def test_a_box_over_the_border_is_clipped_and_counted(tmp_path):
    root = sets.real_colon(tmp_path)
    (root / "001-002_annotations" / "001-002_0.xml").write_text(sets.voc([("001-002_1", (-5, 10, 500, 60))]))
    table = read(root)
    assert next(r.box for r in table.records if r.polyp == "001-002_1" and r.frame == "0") == (0, 10, sets.WIDTH, 60)
    assert any(note.startswith("1 boxes over the frame's border (clipped)") for note in table.notes)


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ([("001-002_1", (60, 10, 60, 50))], "is empty: its maxima must be greater"),
        ([("001-002_1", (90, 10, 60, 50))], "is empty: its maxima must be greater"),
        ([("001-002_1", (500, 10, 600, 50))], "lies outside the frame"),
        ([("001-002_1", ("nan", 10, 60, 50))], "not of finite numbers"),
        ([("001-002_1", ("left", 10, 60, 50))], "no box of four numbers"),
        ([("", (10, 10, 60, 50))], "without unique_id"),
    ],
)
def test_a_box_that_makes_no_sense_is_refused_by_file(tmp_path, objects, words):
    root = sets.real_colon(tmp_path)
    file = root / "001-002_annotations" / "001-002_0.xml"
    file.write_text(sets.voc(objects))
    assert str(file) in wrong(root, words)


def test_broken_xml_and_xml_with_definitions_are_refused_by_file(tmp_path):
    root = sets.real_colon(tmp_path)
    file = root / "001-002_annotations" / "001-002_0.xml"
    file.write_text("<annotation><object>")
    assert str(file) in wrong(root, "not readable XML")
    file.write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotation><object/></annotation>')
    assert str(file) in wrong(root, "definitions of its own")


def test_a_missing_image_is_named(tmp_path):
    root = sets.real_colon(tmp_path)
    (root / "001-002_frames" / "001-002_1.jpg").unlink()
    assert "001-002_1.jpg" in wrong(root, "no image")


def test_a_lesion_twice_in_the_table_is_a_problem_by_line(tmp_path):
    root = sets.real_colon(tmp_path)
    table = root / "lesion_info.csv"
    table.write_text(table.read_text() + "001-001_1,001-001,9,x,x,x\n")
    assert f"{table}:9" in wrong(root, "is there twice")


# SUN


@pytest.mark.parametrize("renamed", [False, True])
def test_sun_reads_sizes_boxes_and_both_names_of_its_frames(tmp_path, renamed):
    table = read(sets.sun(tmp_path, renamed=renamed))
    assert table.problems == []
    last = {r.polyp: (r.mm, r.censored) for r in table.records}
    assert last["case1"] == (6.0, False)
    assert last["case5"] == (15.0, True), "15mm- is 15 mm or more"
    assert sorted(r.frame for r in table.records if r.polyp == "case1") == ["001", "002", "003"], "zeros stay"
    assert any("frames without a polyp" in note for note in table.notes)


@pytest.mark.parametrize("size", ["10-15mm", "6mm or so", "big", "-3mm", "0mm", "6 cm", "1e9mm"])
def test_a_size_that_is_not_one_number_of_mm_is_refused_by_line(tmp_path, size):
    root = sets.sun(tmp_path, sizes=sets.SUN_SIZES | {2: size})
    assert "sizes.csv:3" in wrong(root, repr(size))


def test_sizes_are_read_as_they_are_written():
    assert parse_size("6mm") == (6.0, False)
    assert parse_size(" 2.5 mm") == (2.5, False)
    assert parse_size("15mm-") == (15.0, True)
    assert mm_of("7.5") == (7.5, False)
    assert mm_of("") is None
    with pytest.raises(DataError, match="10-15mm"):
        parse_size("10-15mm")


def test_a_sun_line_that_is_none_is_a_problem_by_line(tmp_path):
    root = sets.sun(tmp_path)
    (root / "annotation_txt" / "case1.txt").write_text("image0001.jpg 1,2,3\n")
    assert "case1.txt:1" in wrong(root, "is not 'NAME.jpg xmin,ymin,xmax,ymax,class'")


def test_sun_seg_keeps_clips_of_a_case_together_and_leaves_seen_cases_out_of_its_own_splits(tmp_path):
    root = sets.sun_seg(tmp_path)
    table = read(root)
    assert {r.polyp for r in table.of("test")} == {"case4"}
    assert {r.polyp for r in table.of("train", "val")} == {"case1", "case2", "case3"}
    assert len([r for r in table.records if "Seen/" in r.file and "Unseen" not in r.file]) == 0
    both = read(root, protocol="patient")
    assert len({r.split for r in both.records if r.polyp == "case1"}) == 1
    assert len([r for r in both.records if r.polyp == "case1"]) == 4, "Seen clips are frames like all others"
    assert next(r for r in both.records if r.polyp == "case3")[5:7] == (15.0, True)


# the paper's lists


def test_the_papers_lists_take_folders_from_the_config_and_ids_as_text(tmp_path):
    roots = sets.paper_csv(tmp_path)
    table = read(tmp_path / "lists", protocol="paper", fold=2, roots=roots)
    assert table.problems == []
    assert {r.frame for r in table.records if r.polyp == "case1"} == {"001", "002"}
    assert {r.fold for r in table.of("test")} == {2}
    assert {r.fold for r in table.of("val")} == {3}
    assert {r.fold for r in table.of("train")} == {0, 1, 4, 5}
    assert table.store.read(table.records[0].file)


def test_folders_are_never_taken_from_the_environment(tmp_path, monkeypatch):
    roots = sets.paper_csv(tmp_path)
    for name, folder in roots.items():
        monkeypatch.setenv(name, folder)
    table = read(tmp_path / "lists", "paper-csv", "auto")
    assert table.records == []
    assert sorted(problem.rpartition(" ")[2] for problem in table.problems) == ["data.roots.REAL_COLON_PATH", "data.roots.SUN_DATA_PATH"]


def test_an_unknown_name_is_refused_in_the_list_and_in_the_config(tmp_path):
    row = f"REALC,001-000_1,1,10,50,12,60,{sets.WIDTH},{sets.HEIGHT},$HOME/a.jpg,3,Dim,0"
    roots = sets.paper_csv(tmp_path, rows=[row])
    assert ":2" in wrong(tmp_path / "lists", "'$HOME'", roots=roots)
    with pytest.raises(DataError, match="'HOME' is not one of"):
        read(tmp_path / "lists", roots={"HOME": "/"})


def test_rows_that_name_a_frame_again_are_left_out_and_counted(tmp_path):
    roots = sets.paper_csv(tmp_path)
    file = tmp_path / "lists" / "kfold_polypsizing_lists_per_object.csv"
    file.write_text(file.read_text() + file.read_text().splitlines()[1] + "\n")
    table = read(tmp_path / "lists", roots=roots)
    assert len(table.records) == 24
    assert any(note.startswith("1 rows name a polyp's frame again") for note in table.notes)


# sets of pictures


def test_kvasir_takes_the_box_round_all_boxes_and_the_area_from_the_mask(tmp_path):
    root = sets.kvasir_seg(tmp_path)
    file = root / "kavsir_bboxes.json"
    content = json.loads(file.read_text())
    content["cju0"]["bbox"].append({"label": "polyp", "xmin": 70, "ymin": 5, "xmax": 90, "ymax": 20})
    file.write_text(json.dumps(content))
    table = read(root, areas=True)
    first = next(r for r in table.records if r.frame == "cju0")
    assert first.box == (10, 5, 90, 60)
    assert first.area == pytest.approx(30 * 48 / (sets.WIDTH * sets.HEIGHT), rel=0.05)
    assert read(root.parent / root.name).layout == "kvasir-seg"


def test_kvasir_entries_without_sense_are_named(tmp_path):
    root = sets.kvasir_seg(tmp_path)
    file = root / "kavsir_bboxes.json"
    content = json.loads(file.read_text())
    content["cju1"]["bbox"] = []
    content["cju2"]["bbox"][0]["xmax"] = 0
    del content["cju3"]["width"]
    file.write_text(json.dumps(content))
    problems = read(root).problems
    assert [name for name in ("cju1", "cju2", "cju3") if any(f"{file}: {name}:" in problem for problem in problems)] == [
        "cju1",
        "cju2",
        "cju3",
    ]
    file.write_text("{")
    with pytest.raises(DataError, match="not readable JSON"):
        read(root)


def test_cvc_frames_are_of_29_sequences(tmp_path):
    assert len(LAST_FRAMES) == 29
    assert [sequence_of(number) for number in (1, 25, 26, 50, 51, 68, 79, 103, 104, 612)] == [1, 1, 2, 2, 3, 4, 5, 5, 6, 29]
    table = read(sets.cvc_clinicdb(tmp_path))
    assert {r.polyp for r in table.records} == {f"sequence-{n:02}" for n in (1, 2, 3, 4, 5, 6, 7, 29)}
    assert {r.box for r in table.records} == {(30, 20, 70, 80)}, "of the masks"


def test_an_empty_mask_is_a_frame_without_a_polyp(tmp_path):
    root = sets.cvc_clinicdb(tmp_path)
    (root / "Ground Truth" / "25.tif").write_bytes(sets.encoded(np.zeros((sets.HEIGHT, sets.WIDTH), np.uint8), ".tif"))
    table = read(root)
    assert "25" not in {r.frame for r in table.records}
    assert any("1 frames with an empty mask" in note for note in table.notes)


def test_polypgen_has_six_centres_of_which_one_is_tested(tmp_path):
    root = sets.polypgen(tmp_path)
    table = read(root)
    assert table.problems == []
    assert len(table.records) == 18, "one frame of each centre is without a polyp"
    assert {r.box for r in table.records} == {(20, 20, 60, 70)}, "of the text, or of the mask alone"
    tested = read(root, protocol="centre", fold=1)
    assert {r.centre for r in tested.of("test")} == {"C2"}
    assert "C2" not in {r.centre for r in tested.of("train", "val")}


def test_the_index_beside_a_tar_keeps_its_folds(tmp_path):
    table = read(sets.index_tar(tmp_path), fold=1)
    assert {r.fold for r in table.of("test")} == {1}
    assert {r.fold for r in table.of("val")} == {2}
    assert table.records[0].area == 0.05


@pytest.mark.parametrize("folders", [False, True])
def test_cifar_is_read_from_arrays_and_folders(tmp_path, folders):
    table = read(sets.cifar(tmp_path, folders=folders))
    assert table.classes == ["airplane", "automobile", "bird"]
    assert len(table.of("train", "val")) == len(table.of("test")) == 24
    assert len(table.of("val")) >= 3


def test_folders_of_any_classes_are_read(tmp_path):
    names = [f"{part}/{kind}/{n}.png" for part in ("train", "val", "test") for kind in ("cat", "dog") for n in range(3)]
    sets.put(tmp_path, *names, width=32, height=32)
    table = read(tmp_path)
    assert table.layout == "cifar"
    assert table.classes == ["cat", "dog"]
    assert [len(table.of(part)) for part in ("train", "val", "test")] == [6, 6, 6]
    sets.put(tmp_path, "test/emu/0.png", width=32, height=32)
    with pytest.raises(DataError, match="'emu' is in train"):
        read(tmp_path)


@pytest.mark.parametrize("hundred", [False, True])
@pytest.mark.parametrize("pickled", [False, True])
def test_cifar_is_read_as_distributed(tmp_path, hundred, pickled):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 3072), dtype=np.uint8)
    labels = [n % 3 for n in range(12)]
    for name in ("train", "test") if hundred else ("data_batch_1", "data_batch_2", "test_batch"):
        if pickled:
            keys = {b"coarse_labels": [0] * 12, b"fine_labels": labels} if hundred else {b"labels": labels}
            (tmp_path / name).write_bytes(pickle.dumps({b"data": pixels, **keys}, protocol=2))
        else:
            before = np.array([[7, label] for label in labels] if hundred else [[label] for label in labels], np.uint8)
            (tmp_path / f"{name}.bin").write_bytes(np.concatenate([before, pixels], 1).tobytes())
    kinds = ["apple", "bear", "cup"]
    if pickled:
        meta = {b"fine_label_names" if hundred else b"label_names": kinds}
        (tmp_path / ("meta" if hundred else "batches.meta")).write_bytes(pickle.dumps(meta, protocol=2))
    else:
        (tmp_path / ("fine_label_names.txt" if hundred else "batches.meta.txt")).write_text("\n".join(kinds) + "\n\n")
    table = read(tmp_path)
    assert table.classes == kinds
    assert len(table.of("train", "val")) == (12 if hundred else 24)
    (row,) = [row for row in table.of("test") if row.file.endswith("/5")]
    assert row.label == "cup"
    shown = cv2.imdecode(np.frombuffer(table.store.read(row.file), np.uint8), cv2.IMREAD_COLOR)
    assert (shown[:, :, ::-1].transpose(2, 0, 1).ravel() == pixels[5]).all()


def test_a_pickle_of_cifar_that_asks_for_more_than_data_is_refused(tmp_path):
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (tmp_path / name).write_bytes(pickle.dumps({b"label_names": ["a"], b"data": print}, protocol=2))
    with pytest.raises(DataError, match="nothing of it was run"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (sets.kvasir_seg, "split by near-copies (who the patients are is not told)"),
        (sets.cvc_clinicdb, "split by polyp, case or sequence (who the patients are is not told)"),
        (sets.real_colon, "split by patient, video or case"),
    ],
)
def test_a_split_says_what_it_kept_together_and_no_more(tmp_path, make, words):
    assert any(note.startswith(words) for note in read(make(tmp_path)).notes)


def test_damaged_arrays_are_refused_in_one_line(tmp_path):
    root = sets.cifar(tmp_path)
    arrays = dict(np.load(root / "train.npz"))
    np.savez(root / "train.npz", **arrays | {"offsets": arrays["offsets"][:-1]})
    with pytest.raises(DataError, match="do not fit together"):
        read(root)


# one's own


@pytest.mark.parametrize("kind", ["voc", "coco", "yolo", "sun", "csv", "masks"])
def test_boxes_lie_in_the_list_or_beside_it_in_any_known_kind(tmp_path, kind):
    rows = [f"images/f{polyp}_{n}.jpg,p{polyp},{3 + polyp}" for polyp in range(8) for n in range(2)]
    sets.polyp_csv(tmp_path, rows, "image,polyp,mm")
    names = [row.split(",")[0].removeprefix("images/") for row in rows]
    box = (12, 24, 60, 72)
    if kind == "voc":
        (tmp_path / "annotations").mkdir()
        for name in names:
            (tmp_path / "annotations" / f"{name[:-4]}.xml").write_text(sets.voc([("", box)]))
    elif kind == "coco":
        images = [{"id": at, "file_name": name, "width": sets.WIDTH, "height": sets.HEIGHT} for at, name in enumerate(names)]
        marks = [{"image_id": at, "bbox": [12, 24, 48, 48]} for at in range(len(names))]
        (tmp_path / "annotations.json").write_text(json.dumps({"images": images, "annotations": marks}))
    elif kind == "yolo":
        (tmp_path / "labels").mkdir()
        for name in names:
            (tmp_path / "labels" / f"{name[:-4]}.txt").write_text("0 0.3 0.5 0.4 0.5\n")
    elif kind == "sun":
        (tmp_path / "annotation_txt").mkdir()
        (tmp_path / "annotation_txt" / "mine.txt").write_text("".join(f"{name} 12,24,60,72,0\n" for name in names))
    elif kind == "csv":
        (tmp_path / "boxes.csv").write_text("image,xmin,ymin,xmax,ymax\n" + "".join(f"{name},12,24,60,72\n" for name in names))
    else:
        (tmp_path / "masks").mkdir()
        for name in names:
            (tmp_path / "masks" / f"{name[:-4]}_mask.png").write_bytes(sets.encoded(sets.mask(box), ".png"))
    table = read(tmp_path / "polyps.csv")
    assert table.problems == []
    assert np.allclose([r.box for r in table.records], box)


@pytest.mark.parametrize("kind", ["csv", "masks"])
def test_frames_of_one_name_in_folders_keep_their_own_boxes(tmp_path, kind):
    sets.polyp_csv(tmp_path, [f"case{at}/f.jpg,p{at},{3 + at}" for at in range(3)], "image,polyp,mm")
    boxes = [(12 + at, 24, 60, 72) for at in range(3)]
    if kind == "csv":
        rows = (f"case{at}/f.jpg,{','.join(map(str, box))}\n" for at, box in enumerate(boxes))
        (tmp_path / "boxes.csv").write_text("image,xmin,ymin,xmax,ymax\n" + "".join(rows))
    else:
        for at, box in enumerate(boxes):
            (tmp_path / "masks" / f"case{at}").mkdir(parents=True)
            (tmp_path / "masks" / f"case{at}" / "f.png").write_bytes(sets.encoded(sets.mask(box), ".png"))
    table = read(tmp_path / "polyps.csv")
    assert table.problems == []
    assert [r.box for r in table.records] == boxes


@pytest.mark.parametrize("kind", ["csv", "masks"])
def test_a_box_or_mask_that_several_frames_may_have_is_refused(tmp_path, kind):
    sets.polyp_csv(tmp_path, [f"case{at}/f.jpg,p{at},{3 + at}" for at in range(3)], "image,polyp,mm")
    if kind == "csv":
        (tmp_path / "boxes.csv").write_text("image,xmin,ymin,xmax,ymax\nf.jpg,12,24,60,72\n")
    else:
        (tmp_path / "masks").mkdir()
        (tmp_path / "masks" / "f.png").write_bytes(sets.encoded(sets.mask((12, 24, 60, 72)), ".png"))
    problems = read(tmp_path / "polyps.csv").problems
    assert len(problems) == (2 if kind == "csv" else 3)
    assert all("folders" in words for words in problems)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("f.jpg,,v,3,1,2,3,4", "no polyp"),
        ("f.jpg,p,v,3,5,2,3,4", "is empty"),
        ("f.jpg,p,v,3,a,2,3,4", "are not four numbers"),
        ("f.jpg,p,v,10-15mm,1,2,3,4", "'10-15mm'"),
        ("f.jpg,p,v,3,500,2,600,4", "lies outside the frame of 120 x 96"),
        ("../f.jpg,p,v,3,1,2,3,4", "outside the data's folder"),
        ("gone.png,p,v,3,1,2,3,4", "no image"),
        ("f0_0.jpg,p0,v0,9,1,2,3,4", "is there already"),
        ("f.jpg,p1,v0,9,1,2,3,4", "has 9 mm here and 7 mm"),
        ("f.jpg,p,v,3,1,2,3", "7 cells under 8 columns"),
    ],
)
def test_a_row_that_makes_no_sense_is_a_problem_by_line(tmp_path, row, words):
    root = sets.polyp_csv(tmp_path)
    sets.put(root, "f.jpg")
    file = root / "polyps.csv"
    file.write_text(file.read_text() + row + "\n")
    assert ":26" in wrong(root, words)


def test_what_is_not_a_set_of_polyps_is_not_recognised(tmp_path):
    with pytest.raises(DataError, match="not recognised; looked for REAL-Colon"):
        detect(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        detect(tmp_path / "gone")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="not recognised"):
        detect(tmp_path / "empty.csv")


def test_an_empty_list_is_refused(tmp_path):
    (tmp_path / "polyps.csv").write_text("image,polyp\n")
    with pytest.raises(DataError, match="without a single frame"):
        read(tmp_path)


def test_a_broken_picture_is_a_problem_of_the_check(tmp_path):
    root = sets.polyp_csv(tmp_path)
    (root / "f0_0.jpg").write_bytes(b"no picture")
    report = detect(root).check()
    assert [problem for problem in report.problems if "f0_0.jpg" in problem and "not a picture" in problem]


def test_the_same_picture_on_two_sides_is_a_problem(tmp_path):
    rows = [f"f{n}.jpg,p{n},v{n},{n + 1},1,2,30,40,{'train' if n < 6 else 'val' if n < 8 else 'test'}" for n in range(10)]
    root = sets.polyp_csv(tmp_path, rows, "image,polyp,patient,mm,xmin,ymin,xmax,ymax,split")
    (root / "f9.jpg").write_bytes((root / "f0.jpg").read_bytes())
    report = detect(root).check()
    assert any("same picture in test and train" in problem for problem in report.problems)
