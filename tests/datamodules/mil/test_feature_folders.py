"""Folders of features as the tools of the field leave them, and the label tables beside them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py", reason="needs pip install 'discern[slides]'")

from datamodules.errors import DataError
from datamodules.mil.errors import EmptyBagError, FeatureMismatchError
from datamodules.mil.feature_bags import FeatureBags
from datamodules.mil.feature_set import Choice, read_feature_set
from datamodules.mil.layouts import detect
from datamodules.mil.reader import read_bag, read_header
from tests.datamodules.mil.feature_sets import LAYOUTS, WIDTH, broken, features, labelled, save_tensor, slides, table, write


def bags(folder: Path, **options: Any) -> FeatureBags:
    data = FeatureBags(str(folder), **options)
    data.said = []  # type: ignore[attr-defined]
    data.say = data.said.append  # type: ignore[attr-defined]
    data.setup()
    return data


def said(data: Any) -> str:
    return "\n".join(data.said)


# --- layouts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_bags(tmp_path: Path, layout: str, dtype: Any) -> None:
    names = slides(4)
    folder = write(tmp_path / "set", names, layout, dtype)
    table(tmp_path / "set" / "labels.csv", [(name, i % 2) for i, name in enumerate(names)])
    found = read_feature_set(folder)
    assert [found.bags.name(i) for i in range(4)] == names
    assert found.bags.width == WIDTH
    for i, name in enumerate(names):
        assert np.array_equal(found.bags.read(i), features(name))
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert detect(folder).read().layout == {"clam": "clam", "pt": "clam", "trident": "trident", "native": "native"}.get(layout, "files")
    if layout in ("trident", "native"):
        assert found.encoder["encoder"] == "stats"


@pytest.mark.parametrize("room", ["20x_256px_0px_overlap", "20x_256px_0px_overlap/features_stats"])
def test_a_trident_job_can_be_named_at_each_of_its_levels(tmp_path: Path, room: str) -> None:
    write(tmp_path, slides(2), "trident")
    table(tmp_path / "labels.csv", [("slide_00", 0), ("slide_01", 1)])
    assert len(read_feature_set(tmp_path / room).bags) == 2


def test_several_encoders_in_a_job_are_named_and_none_is_chosen(tmp_path: Path) -> None:
    write(tmp_path, slides(2), "trident")
    (tmp_path / "20x_256px_0px_overlap/features_stats").rename(tmp_path / "20x_256px_0px_overlap/features_other")
    write(tmp_path, slides(2), "trident")
    with pytest.raises(DataError, match=r"features_other, .*features_stats\); name one"):
        detect(tmp_path).read()


def test_a_tensor_of_another_shape_and_a_bag_in_a_batch_of_one_are_told_apart(tmp_path: Path) -> None:
    save_tensor(tmp_path / "a.pt", features("a")[None])
    assert np.array_equal(read_bag(tmp_path / "a.pt"), features("a"))
    assert read_header(tmp_path / "a.pt")[:2] == features("a").shape
    save_tensor(tmp_path / "b.pt", features("a")[0])
    with pytest.raises(DataError, match=r"b\.pt: a bag is \(instances, features\)"):
        read_header(tmp_path / "b.pt")


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["features"] = features("a")
    with h5py.File(tmp_path / "bag.h5", "w") as file:
        file["features"] = h5py.ExternalLink("other.h5", "features")
    for read in (read_bag, read_header):
        with pytest.raises(DataError, match="no plain dataset"):
            read(tmp_path / "bag.h5")


def test_what_is_no_folder_of_features_is_said_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="h5_files"):
        detect(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        FeatureBags(str(tmp_path / "gone")).setup()
    np.savez(tmp_path / "musk.npz", x=np.zeros((2, 2)), offsets=[0, 2], y=[0])
    with pytest.raises(DataError, match=r"name one, such as .*musk\.npz"):
        detect(tmp_path)


# --- reading when needed ---------------------------------------------------------------------------------------------


def test_no_feature_is_read_before_a_bag_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr("datamodules.mil.feature_files.read_bag", lambda path, width: read.append(path.stem) or features(path.stem))
    data = bags(labelled(tmp_path / "set"), scale="none")
    assert read == []
    _ = data.test_set[0]
    assert len(read) == 1


def test_bags_are_the_same_with_any_number_of_workers(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set", layout="clam")
    one, other = (
        {int(i): x for batch in bags(folder, workers=workers).test_dataloader() for i, x in [(batch["index"], batch["bag"].flat)]}
        for workers in (0, 1)
    )
    assert one.keys() == other.keys()
    assert all(bool((one[i] == other[i]).all()) for i in one)


# --- label tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("slide_id,label", [("slide_00.svs", "LUAD"), ("slide_01.svs", "LUSC")]),
        ("case_id,slide_id,label", [("a", "slide_00", "LUAD"), ("b", "slide_01", "LUSC")]),
        ("ID,Label,Split", [("slide_00", "LUAD", "train"), ("slide_01", "LUSC", "test")]),
        ("Case,ID,Label,Split", [("a", "slide_00", "LUAD", "train"), ("b", "slide_01", "LUSC", "test")]),
        ("image,type,detail", [("slide_00.tif", "LUAD", "x"), ("slide_01.tif", "LUSC", "y")]),
        (None, [("slide_00", "LUAD"), ("slide_01", "LUSC")]),
    ],
)
def test_tables_are_read_as_they_are_handed_around(tmp_path: Path, header: str | None, rows: list) -> None:
    write(tmp_path / "set", slides(2))
    found = read_feature_set(tmp_path / "set", Choice(labels=str(table(tmp_path / "t.csv", rows, header))))
    assert found.classes == ["LUAD", "LUSC"]
    assert found.labels.tolist() == [0, 1]  # the first row of a table without a header is a slide, too


def test_a_slide_has_one_name_whichever_file_tells_of_it(tmp_path: Path) -> None:
    """Slides, tables and features of an .ome.tiff: the name is what is before both endings."""
    folder = write(tmp_path / "set", [f"{name}.ome" for name in slides(12)])
    table(folder / "labels.csv", [(f"wsi/{name}.ome.tiff", i % 2) for i, name in enumerate(slides(12))])
    assert read_feature_set(folder).bags.names == slides(12)
    table(folder / "labels.csv", [(name, i % 2) for i, name in enumerate(slides(12))])
    assert read_feature_set(folder).bags.names == slides(12)


def test_a_table_of_patients_labels_all_slides_of_each_and_no_others(tmp_path: Path) -> None:
    names = ["TCGA-05-4420-01Z-00-DX1", "TCGA-05-4420-01Z-00-DX2", "TCGA-05-4421-01Z-00-DX1"]
    write(tmp_path / "set", names)
    table(tmp_path / "set" / "label.csv", [("TCGA-05-4420", "LUAD"), ("TCGA-05-4421", "LUSC"), ("TCGA-05-442", "LUSC")], None)
    found = read_feature_set(tmp_path / "set")
    assert found.labels.tolist() == [0, 0, 1]
    assert found.patients == ["TCGA-05-4420", "TCGA-05-4420", "TCGA-05-4421"]
    assert any("1 of 3 labelled patients have no features: TCGA-05-442" in note for note in found.notes)


def test_whom_slides_are_of_is_told_by_pattern_column_or_name_in_this_order(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set", 4, patients=2)
    assert read_feature_set(folder).patients == ["p0", "p1", "p0", "p1"]
    assert read_feature_set(folder, Choice(patient=r"(slide)")).patients == ["slide"] * 4
    table(folder / "labels.csv", [(name, i % 2) for i, name in enumerate(slides(4))])
    assert read_feature_set(folder).patients == slides(4)
    with pytest.raises(DataError, match="0 of 4"):
        read_feature_set(folder, Choice(patient="TCGA-(..)"))


def test_a_pattern_also_finds_the_table_that_names_patients(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", slides(12))
    table(folder / "labels.csv", [(f"slide_{i}", i) for i in range(2)], "patient_id,label")
    assert read_feature_set(folder, Choice(patient=r"(slide_\d)\d")).labels.tolist() == [0] * 10 + [1] * 2


def test_slides_without_label_and_labels_without_slide_are_counted_and_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", slides(6))
    table(folder / "labels.csv", [("slide_00", "a"), ("slide_01", "b"), ("slide_02", ""), ("gone_1", "a"), ("gone_2", "b")])
    notes = "\n".join(read_feature_set(folder).notes)
    assert "2 of 4 labelled slides have no features: gone_1, gone_2" in notes
    assert "4 slides have features and take no part, having no label: slide_02, slide_03" in notes


def test_other_columns_stay_at_hand_and_times_become_numbers(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", slides(2))
    table(folder / "labels.csv", [("slide_00", 3.5, 1, "x"), ("slide_01", 12, 0, "y")], "slide,time,event,site")
    found = read_feature_set(folder)
    assert found.known["time"].tolist() == [3.5, 12.0]
    assert found.known["event"].tolist() == [1, 0]
    assert found.columns["site"] == ["x", "y"]
    assert [found.classes[label] for label in found.labels] == ["event", "censored"]
    table(folder / "labels.csv", [("slide_00", -1, 1), ("slide_01", 12, "maybe")], "slide,time,event")
    assert sum("make time positive and event 0 or 1" in problem for problem in read_feature_set(folder).problems) == 1


def test_classes_can_be_chosen_and_ordered(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", slides(3))
    table(folder / "labels.csv", [("slide_00", "a"), ("slide_01", "b"), ("slide_02", "c")])
    found = read_feature_set(folder, Choice(classes=("c", "a")))
    assert found.classes == ["c", "a"]
    assert found.labels.tolist() == [1, 0]
    assert any("1 slides of other classes are left out: b" in note for note in found.notes)
    with pytest.raises(DataError, match="no slide is labelled d"):
        read_feature_set(folder, Choice(classes=("a", "d")))


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ([("slide_00", 0), ("slide_00", 1), ("slide_01", 1)], "slide_id,label", r"t\.csv:3: 'slide_00' is already in line 2"),
        ([("slide_00", 0), ("slide_01", 1, "x")], "slide_id,label", r"t\.csv:3: 3 cells under 2 columns"),
        ([("a", 0), ("b", 1)], "slide_id,label", "labels none of the 24 slides; it has 'a', the features have 'slide_00'"),
        ([("slide_00", 0)], "slide_id,grade", "has no label"),
        ([("x", 0)], "who,label", "no column for the slide"),
        ([("slide_00", 0, "x"), ("slide_01", 1, 1)], "slide_id,label,fold", "fold 'x' is no whole number"),
        ([("slide_00", 0, "some"), ("slide_01", 1, "test")], "slide_id,label,split", "split 'some' is not train, val or test"),
    ],
)
def test_a_wrong_table_is_one_line_with_its_place(tmp_path: Path, rows: list, header: str, words: str) -> None:
    labels = str(table(tmp_path / "t.csv", rows, header))
    with pytest.raises(DataError, match=words) as caught:
        bags(labelled(tmp_path / "set"), labels=labels)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_two_tables_beside_the_features_are_named_and_none_is_chosen(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set")
    table(folder / "more.csv", [("slide_00", 1)])
    with pytest.raises(DataError, match=r"2 label tables \(labels\.csv, more\.csv\)"):
        bags(folder)
    with pytest.raises(DataError, match="no such file"):
        bags(folder, labels=str(tmp_path / "gone.csv"))
    for file in folder.glob("*.csv"):
        file.unlink()
    with pytest.raises(DataError, match="no label table beside the 24 slides"):
        bags(folder)


# --- what is broken --------------------------------------------------------------------------------------------------


def test_slides_without_tiles_are_left_out_with_a_count(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set")
    np.savez(folder / "slide_03.npz", features=np.zeros((0, WIDTH), np.float32))
    data = bags(folder)
    assert len(data.source) == 23
    assert "1 slides without instances are left out: slide_03" in said(data)
    with pytest.raises(EmptyBagError, match="slide_03"):
        read_bag(folder / "slide_03.npz")


def test_a_row_that_is_not_finite_is_named_with_its_slide(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set")
    for name in slides():
        broken(folder / f"{name}.npz", row=2)
    with pytest.raises(DataError, match=r"slide_\d\d\.npz: row 2 is not finite"):
        bags(folder).train_dataloader()  # the training slides are read to be standardised


def test_a_slide_of_another_width_is_a_feature_mismatch(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set")
    np.savez(folder / "slide_07.npz", features=features("slide_07", WIDTH + 1))
    with pytest.raises(FeatureMismatchError, match=r"slide_07\.npz: 6 features, most have 5"):
        bags(folder)


def test_slides_that_were_encoded_otherwise_are_refused(tmp_path: Path) -> None:
    from datamodules.mil.slides import native
    from datamodules.mil.slides.features import SlideFeatures

    folder = labelled(tmp_path / "set", layout="native")
    native.write_features(folder / "slide_02.safetensors", SlideFeatures("slide_02", features("slide_02"), None, {"encoder": "resnet50"}))
    with pytest.raises(DataError, match=r"slide_02 was encoded otherwise than .* slide_00 \(the encoder: stats and resnet50\)"):
        bags(folder)


def test_broken_slides_are_left_out_when_asked_and_counted(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "set")
    broken(folder / "slide_02.npz")
    (folder / "slide_05.npz").write_bytes(b"nonsense")
    np.savez(folder / "slide_07.npz", features=features("slide_07", WIDTH + 1))
    with pytest.raises(DataError, match=r"slide_0[57]\.npz.*1 more.*skip_broken"):
        bags(folder)
    data = bags(folder, skip_broken=True)
    assert len(data.source) == 21
    assert "3 broken slides are left out" in said(data)
    assert sorted(np.concatenate(data.parts).tolist()) == list(range(21))
    assert {data.source.name(i) for i in range(21)} == set(slides()) - {"slide_02", "slide_05", "slide_07"}
