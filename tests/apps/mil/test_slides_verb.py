import csv
import json
import sys

import numpy as np
import pytest

from apps.base.errors import UserError
from datamodules.errors import DataError
from datamodules.mil.slides import clam, native, trident
from datamodules.mil.slides.state import Lock
from tests.apps.mil.slides_jobs import TILES, fresh, status


def test_bad_slides_are_skipped_with_their_reason_and_the_others_go_on(call, wsi, tmp_path):
    code, out, err = call("features", wsi, "--job", "a", "--encoder", "stats", *TILES)
    assert code == 1
    said = status(tmp_path / "a")
    assert {name: kind for name, (kind, _) in said.items()} == {
        "made_0": "done", "made_1": "done", "broken": "failed", "nowhere": "failed", "white": "skipped"
    }  # fmt: skip
    assert said["broken"][1].startswith("SlideUnreadable: broken.svs")
    assert said["nowhere"][1].startswith("NoResolution: nowhere.svs")
    assert said["white"][1].startswith("NoTissue")
    assert json.loads(out)["done"] == 2
    assert "broken" in err
    page = (tmp_path / "a/report.html").read_text()
    assert page.index("broken") < page.index("made_0")
    assert "<script" not in page
    bag = native.read_features(tmp_path / "a/features/made_0.safetensors")
    grid = native.read_grid(tmp_path / "a/tiles/made_0.safetensors")
    assert (bag.coords == grid.coords).all()
    assert bag.about["encoder"] == "stats"
    assert len(bag.about["encoder_sha256"]) == 64


def test_a_changed_setting_does_again_what_depends_on_it(call, wsi, tmp_path):
    words = ("features", wsi / "made_0.svs", "--job", "a", "--encoder", "stats", "--px", "64", "--jobs", "1")
    call(*words, "--mpp", "1")
    call(*words, "--mpp", "1")
    assert fresh(tmp_path / "a")["made_0"] == []
    call(*words, "--mpp", "1.5")
    assert fresh(tmp_path / "a")["made_0"] == ["tile", "features"]
    call(*words, "--mpp", "1.5", "--set", "a_h=100")
    assert fresh(tmp_path / "a")["made_0"][0] == "tissue"


def test_another_transform_of_the_encoder_encodes_again(call, wsi, tmp_path, monkeypatch):
    import torch

    class Means(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    monkeypatch.setenv("HOME", str(tmp_path))
    torch.jit.script(Means()).save("e.ts")
    words = ("features", wsi / "made_0.svs", "--job", "a", "--encoder", "e.ts", "--trust", *TILES)
    assert call(*words)[0] == 0
    first = native.read_features(tmp_path / "a/features/made_0.safetensors")
    assert first.features.shape[1] == 3
    call(*words)
    assert fresh(tmp_path / "a")["made_0"] == []
    (tmp_path / "e.transform.json").write_text('{"mean": [0, 0, 0], "std": [1, 1, 1]}')
    call(*words)
    assert fresh(tmp_path / "a")["made_0"] == ["features"]
    assert native.read_features(tmp_path / "a/features/made_0.safetensors").about["transform"]["mean"] == [0, 0, 0]


def test_failed_slides_are_tried_again_only_when_asked(call, wsi, tmp_path):
    words = ("tissue", wsi / "nowhere.svs", "--job", "a", "--jobs", "1")
    assert call(*words)[0] == 1
    assert call(*words)[0] == 1
    assert fresh(tmp_path / "a")["nowhere"] == []
    call(*words, "--retry-failed")
    assert fresh(tmp_path / "a")["nowhere"] == ["tissue"]
    (tmp_path / "mpp.csv").write_text("slide,mpp\nnowhere,0.5\n")
    assert call(*words, "--mpp-csv", "mpp.csv")[0] == 0


def test_edited_contours_are_used_and_never_overwritten(call, wsi, tmp_path):
    words = ("tile", wsi / "made_0.svs", "--job", "a", *TILES)
    call(*words)
    path = tmp_path / "a/contours_geojson/made_0.geojson"
    before = len(native.read_grid(tmp_path / "a/tiles/made_0.safetensors"))
    ring = [[0, 0], [256, 0], [256, 256], [0, 256], [0, 0]]
    mine = json.dumps({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}})
    path.write_text(mine)
    call(*words)
    grid = native.read_grid(tmp_path / "a/tiles/made_0.safetensors")
    assert grid.coords.tolist() == [[0, 0], [128, 0], [0, 128], [128, 128]]
    call(*words, "--set", "sthresh=9")
    assert path.read_text() == mine
    call(*words, "--redraw")
    assert path.read_text() != mine
    assert len(native.read_grid(tmp_path / "a/tiles/made_0.safetensors")) == before


def test_contours_drawn_by_hand_save_a_slide_without_tissue(call, wsi, tmp_path):
    words = ("tile", wsi / "white.svs", "--job", "a", *TILES)
    call(*words)
    assert status(tmp_path / "a")["white"][0] == "skipped"
    ring = [[0, 0], [256, 0], [256, 256], [0, 256], [0, 0]]
    (tmp_path / "a/contours_geojson").mkdir(exist_ok=True)
    (tmp_path / "a/contours_geojson/white.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    call(*words)
    assert status(tmp_path / "a")["white"][0] == "done"


def test_the_clam_layout_is_what_clam_leaves(call, wsi, tmp_path):
    call("features", wsi, "--job", "a", "--encoder", "stats", "--layout", "clam", *TILES)
    coords, about = clam.read_patches(tmp_path / "a/patches/made_0.h5")
    bag = clam.read_features(tmp_path / "a/features/h5_files/made_0.h5")
    assert (bag.coords == coords).all()
    assert (clam.read_pt(tmp_path / "a/features/pt_files/made_0.pt").features == bag.features).all()
    assert about["patch_level"] == 0
    assert about["patch_size"] == 128
    assert not (tmp_path / "a/patches/white.h5").exists()
    table = {row["slide_id"]: row["status"] for row in csv.DictReader((tmp_path / "a/process_list_autogen.csv").open())}
    assert table["made_0.svs"] == "processed"
    assert table["white.svs"] == "failed_seg"


def test_the_trident_layout_is_what_trident_leaves(call, wsi, tmp_path):
    call("features", wsi / "made_0.svs", "--job", "a", "--encoder", "stats", "--layout", "trident", "--half", *TILES)
    folder = tmp_path / "a/10x_64px_0px_overlap"
    coords, about = trident.read_patches(folder / "patches/made_0_patches.h5")
    bag = trident.read_features(folder / "features_stats/made_0.h5")
    assert (bag.coords == coords).all()
    assert bag.features.dtype == np.float16
    assert (about["target_magnification"], about["patch_size_level0"], about["mpp_target"]) == (10, 128, 1.0)
    assert (tmp_path / "a/contours_geojson/made_0.geojson").exists()


def test_labels_are_read_in_every_form_that_training_reads(call, wsi, tmp_path):
    def labels():
        return {row["slide_id"]: row["label"] for row in csv.DictReader((tmp_path / "a/slides.csv").open())}

    for text in ("image,type\nwsi/made_0.svs,yes\nmade_1.svs,no\n", "made_0,yes\nmade_1,no\n"):
        (tmp_path / "labels.csv").write_text(text)
        assert call("find", wsi / "made_0.svs", wsi / "made_1.svs", "--labels", "labels.csv", "--job", "a")[0] == 0
        assert labels() == {"made_0": "yes", "made_1": "no"}
    (tmp_path / "labels.csv").write_text("slide,label\nmade_0,yes\nmade_0.svs,no\n")
    with pytest.raises(DataError, match=r"labels.csv:3: 'made_0' is already in line 2"):
        call("find", wsi / "made_0.svs", "--labels", "labels.csv", "--job", "a")


def test_annotations_become_the_truth_of_tiles(call, tmp_path):
    call("synth", "set", "-n", "2", "--side", "768")
    assert call("tile", "set", "--job", "a", "--annotations", "set/annotations", "--labels", "set/labels.csv", *TILES)[0] == 0
    truth = [native.read_truth(tmp_path / f"a/tiles/made_00{i}.safetensors") for i in (0, 1)]
    assert truth[0].max() == 0
    assert 0 < (truth[1] > 0.1).mean() < 0.5
    labels = {row["slide_id"]: row["label"] for row in csv.DictReader((tmp_path / "a/slides.csv").open())}
    assert labels == {"made_000": "0", "made_001": "1"}


def test_features_go_from_layout_to_layout_unchanged(call, wsi, tmp_path):
    call("features", wsi / "made_0.svs", "--job", "a", "--encoder", "stats", *TILES)
    first = native.read_features(tmp_path / "a/features/made_0.safetensors")
    assert call("convert", "a/features", "b", "--to", "clam")[0] == 0
    assert call("convert", "b", "c", "--to", "trident")[0] == 0
    assert call("convert", "c/features_unknown", "d", "--to", "native")[0] == 0
    last = native.read_features(tmp_path / "d/made_0.safetensors")
    assert (last.features == first.features).all()
    assert (last.coords == first.coords).all()


def test_a_slide_that_another_process_holds_is_left_to_it(call, wsi, tmp_path):
    lock = Lock(tmp_path / "a/locks/made_0")
    lock.take()
    assert call("tissue", wsi / "made_0.svs", wsi / "made_1.svs", "--job", "a", "--jobs", "1")[0] == 1
    assert status(tmp_path / "a")["made_0"][0] == "locked"
    assert status(tmp_path / "a")["made_1"][0] == "done"


def test_find_lists_every_slide_and_a_second_run_needs_no_folders(call, wsi, tmp_path):
    code, out, _ = call("find", wsi, "--job", "a")
    assert (code, json.loads(out)["slides"], json.loads(out)["problems"]) == (1, 5, 2)
    assert call("tissue", "--job", "a", "--jobs", "1")[0] == 1
    assert len(status(tmp_path / "a")) == 5
    assert call("report", "--job", "a")[0] == 0


def test_mistakes_are_said_before_any_slide_is_opened(call, wsi, monkeypatch):
    for words, said in (
        (("tissu",), "did you mean 'tissue'"),
        (("tile", wsi, "--set", "stresh=3"), "no setting 'stresh'"),
        (("tile", wsi, "--set", "sthresh"), "NAME=VALUE"),
        (("tile", wsi, "--mpp", "0.5", "--nominal-mag", "20"), "not both"),
        (("features", wsi, "--encoder", "resnet50"), "no weights of its own"),
        (("tile", wsi, "--ray-address", "x:1"), "belongs to --engine ray"),
        (("tissue",), "not there"),
        (("tissue", "--labels", "x.csv"), "go with the slides"),
        (("features", wsi, "--encoder", "stats", "--device", "cuda"), "CPU only"),
    ):
        with pytest.raises((UserError, ValueError), match=said):
            call(*words)


@pytest.mark.parametrize("word", ["find", "tissue", "tile", "features", "report", "convert", "synth"])
def test_every_word_has_help(call, capsys, word):
    with pytest.raises(SystemExit) as left:
        call(word, "--help")
    assert left.value.code == 0
    assert f"discern mil slides {word}" in capsys.readouterr().out


def test_a_missing_extra_is_one_line_that_names_it(call, wsi, monkeypatch):
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(ValueError, match=r"pip install 'discern\[slides\]'"):
        call("find", wsi, "--job", "a")
