"""No polyp, no patient and no near-copy on two sides of a split; the paper's folds keep polyps together alone."""

import itertools

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.hag.layouts import read
from datamodules.hag.near import components, with_near_groups
from datamodules.hag.protocols import crossing, hold_gates, limited
from tests.datamodules.hag import sets


def csv_of_patients(root, patients=30, each=2):
    """Two polyps a patient, two centres; every fourth patient's first frame is a near-copy of one of the next patient."""
    rows = [
        f"f{patient}_{polyp}_{n}.jpg,p{patient}_{polyp},v{patient},{(3, 4, 7, 12)[(patient + polyp) % 4]},1,2,40,50,C{patient % 3},"
        + (f"g{patient // 4}" if patient % 4 < 2 and polyp == n == 0 else "")
        for patient in range(patients)
        for polyp in range(2)
        for n in range(each)
    ]
    return sets.polyp_csv(root, rows, "image,polyp,patient,mm,xmin,ymin,xmax,ymax,centre,group")


@pytest.mark.parametrize(("protocol", "fold"), [("auto", None), ("patient", None), ("centre", 0), ("centre", 2), ("polyp", None)])
def test_nothing_of_one_kind_is_on_two_sides(tmp_path, protocol, fold):
    table = read(csv_of_patients(tmp_path), protocol=protocol, fold=fold)
    table = hold_gates(table, 0.15, by_patient=protocol != "polyp")
    assert {r.split for r in table.records} == {"train", "gates", "val", "test"}
    kinds = {"polyp": lambda r: r.polyp, "group": lambda r: r.group}
    if protocol != "polyp":
        kinds["patient"] = lambda r: r.patient
    for kind, name in kinds.items():
        sides = {}
        for record in table.records:
            if name(record):
                sides.setdefault(name(record), set()).add(record.split)
        assert all(len(splits) == 1 for splits in sides.values()), kind


def test_by_polyp_says_how_many_patients_are_on_two_sides(tmp_path):
    table = read(csv_of_patients(tmp_path), protocol="polyp")
    assert any("patients or videos are on two sides, which flatters" in note for note in table.notes)
    assert crossing(table, by_patient=True)
    assert not crossing(table, by_patient=False)


def test_splits_are_decided_by_names_alone_and_have_every_class(tmp_path):
    one, other = (read(csv_of_patients(tmp_path / name)) for name in ("a", "b"))
    assert [r.split for r in one.records] == [r.split for r in other.records]
    for split in ("train", "val", "test"):
        assert {r.mm for r in one.of(split)} >= {3.0, 7.0, 12.0}
    shares = [len(one.of(split)) / len(one.records) for split in ("train", "val", "test")]
    assert np.allclose(shares, (0.7, 0.15, 0.15), atol=0.08)


def test_the_gates_are_a_part_of_training_alone(tmp_path):
    table = read(csv_of_patients(tmp_path))
    held = hold_gates(table, 0.15)
    assert {row for row, r in enumerate(held.records) if r.split in ("train", "gates")} == set(table.rows("train"))
    assert held.rows("val") == table.rows("val")
    with pytest.raises(DataError, match="too few for a third split"):
        hold_gates(read(sets.kvasir_seg(tmp_path / "few", 3)), 0.15)


def test_given_splits_that_tear_a_patient_are_refused_kept_or_mended(tmp_path):
    rows = [f"f{n}.jpg,p{n},v{n // 2},{n + 1},1,2,40,50,{'train' if n % 2 else 'test'}" for n in range(20)]
    root = sets.polyp_csv(tmp_path, rows, "image,polyp,patient,mm,xmin,ymin,xmax,ymax,split")
    with pytest.raises(DataError, match="patient or video v0 on two sides"):
        read(root, protocol="given")
    kept = read(root, protocol="paper")
    assert len(kept.of("test")) == 10
    mended = read(root)
    assert not crossing(mended, by_patient=True)
    assert any("split by patient instead" in note for note in mended.notes)


def test_the_papers_lists_never_tear_a_polyp(tmp_path):
    rows = [f"f{n}.jpg,p{n // 2},v{n // 2},3,1,2,40,50,{n % 4}" for n in range(16)]
    root = sets.polyp_csv(tmp_path, rows, "image,polyp,patient,mm,xmin,ymin,xmax,ymax,fold")
    with pytest.raises(DataError, match="polyp p0 on two sides"):
        read(root, protocol="paper")


def test_a_protocol_that_cannot_be_is_refused(tmp_path):
    root = csv_of_patients(tmp_path)
    with pytest.raises(DataError, match="has no splits or folds of its own"):
        read(root, protocol="paper")
    with pytest.raises(DataError, match="leave it out"):
        read(root, protocol="patient", fold=1)
    with pytest.raises(DataError, match="fold 7 is not there"):
        read(root, protocol="centre", fold=7)
    with pytest.raises(DataError, match="protocol centre needs two"):
        read(sets.real_colon(tmp_path / "rc"), protocol="centre")
    with pytest.raises(DataError, match="fold 9 is not there"):
        read(sets.index_tar(tmp_path), fold=9)


def test_near_copies_are_found_and_kept_together(tmp_path):
    root = sets.kvasir_seg(tmp_path, 24)
    rng = np.random.default_rng(0)
    pairs = [(0, 1), (1, 2), (10, 17)]
    for one, other in pairs:  # 2 is a copy of 0 only through 1
        again = sets.frame(f"cju{pairs[0][0] if other == 2 else one}.jpg").astype(float) + rng.normal(0, 6, (sets.HEIGHT, sets.WIDTH, 3))
        (root / "images" / f"cju{other}.jpg").write_bytes(sets.encoded(np.clip(again, 0, 255).astype(np.uint8)))
    table = read(root)
    group = {r.frame: r.group for r in table.records}
    assert group["cju0"] == group["cju1"] == group["cju2"] != ""
    assert group["cju10"] == group["cju17"] != group["cju0"]
    assert group["cju5"] == ""
    assert not crossing(table, by_patient=True)
    assert any("4 pairs of near-copies" in note for note in table.notes)


def test_frames_that_cannot_be_read_are_alone(tmp_path):
    root = sets.kvasir_seg(tmp_path, 6)
    (root / "images" / "cju1.jpg").write_bytes(b"")
    table = with_near_groups(read(root))
    assert {r.group for r in table.records} == {""}


def test_components_are_those_of_a_graph_whatever_the_order_of_its_pairs():
    pairs = [(0, 3), (3, 5), (1, 2), (5, 1)]
    for order in itertools.permutations(pairs):
        assert components(7, list(order)).tolist() == [0, 0, 0, 0, 4, 0, 6]
    assert components(0, []).tolist() == []


def test_a_limit_takes_every_class_equally_and_smaller_ones_lie_in_larger_ones(tmp_path):
    table = read(sets.cifar(tmp_path, each=10))
    small, large = limited(table, 9), limited(table, 18)
    for part, each in ((small, 3), (large, 6)):
        assert sorted(r.label for r in part.of("train")) == sorted(["airplane", "automobile", "bird"] * each)
        assert part.of("test") == table.of("test")
    assert {r.file for r in small.of("train")} < {r.file for r in large.of("train")}
    for frames in (2, 1000, -3):
        with pytest.raises(DataError, match="limit"):
            limited(table, frames)
