import csv
import json

import cv2
import numpy as np
import pytest

from datamodules.mil.slides import clam, native, trident
from datamodules.mil.slides.features import SlideFeatures
from datamodules.mil.slides.slide import open_slide
from datamodules.mil.synth_slides import make_slide
from tests.apps.mil.bag_files import ENCODING, write_bag_file

PAGE = ("zoom.html", "layer_attention.png", "layer_instance.png", "top.png", "pyramid")


@pytest.fixture
def heatmap(here, bag_file):
    def call(*words, trust=True):
        return here("mil", "heatmap", *words, "--model", bag_file, *(["--trust"] if trust else []))

    return call


def table(folder):
    with (folder / "tiles.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("unseen")
def test_without_the_slide_scores_are_written_and_nothing_that_needs_it(heatmap, case, tmp_path):
    _, features, _ = case
    said = heatmap(features, "--out", "a")
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)
    assert "no medical device" in answer["notice"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["map.png", "tiles.csv", "tiles.geojson"]
    bag = native.read_features(features)
    rows = table(tmp_path / "a")
    assert [[int(row["x"]), int(row["y"])] for row in rows] == bag.coords.tolist()
    assert sum(float(row["attention"]) for row in rows) == pytest.approx(1, abs=1e-4)
    assert answer["compared"] == ["encoder_sha256", "dim", "mpp_target", "tile_px"]
    assert answer["threshold"] == 0.4
    assert answer["decision"] == ("tumour" if answer["probs"]["tumour"] >= 0.4 else "normal")


@pytest.mark.usefixtures("unseen")
def test_the_map_shows_the_tumour(heatmap, case, tmp_path):
    slide, features, _ = case
    assert heatmap(features, "--slide", slide, "--out", "a").returncode == 0
    tumour = make_slide(1024, 1024, 3).tumour
    for name in ("attention", "instance"):
        layer = cv2.imread(str(tmp_path / f"a/layer_{name}.png"), cv2.IMREAD_UNCHANGED)
        light = cv2.cvtColor(layer[..., :3], cv2.COLOR_BGR2GRAY).astype(float)
        there = layer[..., 3] > 0
        truth = cv2.resize(tumour.astype(np.uint8), layer.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        assert light[there & truth].mean() > light[there & ~truth].mean() + 30
    assert all((tmp_path / "a" / name).exists() for name in PAGE)


@pytest.mark.usefixtures("unseen")
def test_qupath_can_read_the_tiles_with_their_measurements(heatmap, case, tmp_path):
    _, features, tiles = case
    heatmap(features, "--out", "a")
    found = json.loads((tmp_path / "a/tiles.geojson").read_text())
    grid = native.read_grid(tiles)
    assert found["type"] == "FeatureCollection"
    assert len(found["features"]) == len(grid)
    for tile, (x, y), row in zip(found["features"], grid.coords.tolist(), table(tmp_path / "a"), strict=True):
        (ring,) = tile["geometry"]["coordinates"]
        assert ring[0] == ring[-1] == [x, y]
        assert ring[2] == [x + grid.side0[0], y + grid.side0[1]]
        assert tile["properties"]["objectType"] == "tile"
        assert tile["properties"]["measurements"] == {name: float(row[name]) for name in row if name not in ("x", "y", "width", "height")}


@pytest.mark.usefixtures("unseen")
def test_maps_are_clipped_to_the_contours_given(heatmap, case, tmp_path):
    slide, features, _ = case
    contours = features.parents[1] / "contours_geojson/case.geojson"
    heatmap(features, "--slide", slide, "--zoom", "none", "--out", "whole")
    heatmap(features, "--slide", slide, "--zoom", "none", "--contours", contours, "--out", "clipped")
    there = [cv2.imread(str(tmp_path / name / "layer_attention.png"), cv2.IMREAD_UNCHANGED)[..., 3] > 0 for name in ("whole", "clipped")]
    assert there[1].sum() < there[0].sum()
    assert not (there[1] & ~there[0]).any()
    assert not (tmp_path / "whole/zoom.html").exists()


@pytest.mark.usefixtures("unseen")
def test_leaving_a_tile_out_is_what_the_model_says_without_it(heatmap, case, here, bag_file, tmp_path):
    _, features, _ = case
    whole = json.loads(heatmap(features, "--score", "leave-one-out", "attention", "--out", "a").stdout)["probs"]["tumour"]
    rows = table(tmp_path / "a")
    bag = native.read_features(features)
    for number in (0, int(np.argmax([float(row["leave-one-out"]) for row in rows]))):
        np.save(tmp_path / "without.npy", np.delete(bag.features, number, 0))
        probs = json.loads(here("predict", bag_file, "without.npy", "--trust").stdout)["probs"]
        without = next(entry["probability"] for entry in probs if entry["label"] == "tumour")
        assert float(rows[number]["leave-one-out"]) == pytest.approx(whole - without, abs=1e-5)


@pytest.mark.usefixtures("unseen")
def test_the_class_that_is_shown_can_be_chosen(heatmap, case, tmp_path):
    _, features, _ = case
    heatmap(features, "--out", "a")
    heatmap(features, "--class", "normal", "--out", "b")
    for one, other in zip(table(tmp_path / "a"), table(tmp_path / "b"), strict=True):
        assert float(one["instance"]) + float(other["instance"]) == pytest.approx(1, abs=1e-5)
        assert one["attention"] == other["attention"]
    assert "did you mean 'normal'" in heatmap(features, "--class", "norml").line


@pytest.mark.usefixtures("unseen")
def test_percentiles_are_shown_where_asked_for(heatmap, case, tmp_path):
    slide, features, _ = case
    heatmap(features, "--slide", slide, "--scale", "percentile", "--out", "a")
    page = (tmp_path / "a/zoom.html").read_text()
    assert page.count('"unit":"percentile within this slide"') == 2


@pytest.mark.usefixtures("unseen")
def test_tiles_unlike_those_trained_on_are_told(heatmap, case, tmp_path):
    _, features, _ = case
    assert 0.5 < json.loads(heatmap(features).stdout)["unlike"] < 1.5
    bag = native.read_features(features)
    native.write_features(tmp_path / "far.safetensors", SlideFeatures("far", bag.features * 9, bag.coords, bag.about))
    far = heatmap("far.safetensors")
    assert json.loads(far.stdout)["unlike"] > 5
    (warning,) = json.loads(far.stdout)["warnings"]
    assert "unlike those that the model was trained on" in warning
    assert warning in far.stderr


def layouts(case, folder):
    """The same bag in every layout: (words, what tells it apart)."""
    _, features, tiles = case
    bag, grid = native.read_features(features), native.read_grid(tiles)
    with open_slide(case[0]) as slide:
        patches = clam.write_patches(folder, slide, grid)
    h5, pt = clam.write_features(folder / "clam", bag)
    np.savez(folder / "plain.npz", features=bag.features, coords=bag.coords)
    about = bag.about | {"coords": trident.grid_attributes(grid, "case", folder)}
    theirs = trident.write_features(folder, SlideFeatures("case", bag.features, bag.coords, about))
    side = str(grid.side0[0])
    return {
        "ours": [features], "clam, side": [h5, "--side", side], "clam, patches": [h5, "--coords", patches], "pt": [pt, "--coords", patches],
        "pt, our tiles": [pt, "--coords", tiles], "trident": [theirs], "npz": [folder / "plain.npz", "--side", side],
    }  # fmt: skip


@pytest.mark.usefixtures("unseen")
def test_every_layout_gives_the_same_scores(heatmap, case, tmp_path):
    pytest.importorskip("h5py", reason="needs pip install 'discern[slides]'")
    made = []
    for number, words in enumerate(layouts(case, tmp_path).values()):
        said = heatmap(*words, "--out", f"out{number}")
        assert said.returncode == 0, said.stderr
        made.append((tmp_path / f"out{number}/tiles.csv").read_bytes())
    assert len(set(made)) == 1


@pytest.mark.usefixtures("unseen")
def test_what_could_not_be_compared_is_said(heatmap, case, tmp_path):
    words = layouts(case, tmp_path)
    assert "does not say with which encoder" in heatmap(*words["pt, our tiles"]).stderr
    assert "does not say" not in heatmap(*words["ours"]).stderr


@pytest.mark.parametrize(
    ("key", "value"), [("encoder_sha256", "b" * 64), ("mpp_target", 0.5), ("tile_px", 256)], ids=["encoder", "resolution", "tile"]
)
def test_features_made_otherwise_than_those_trained_on_are_refused(heatmap, case, tmp_path, key, value):
    bag = native.read_features(case[1])
    native.write_features(tmp_path / "other.safetensors", SlideFeatures("other", bag.features, bag.coords, bag.about | {key: value}))
    said = heatmap("other.safetensors")
    assert said.returncode == 2
    assert "FeatureMismatch" in said.line


@pytest.mark.usefixtures("unseen")
def test_wrong_input_is_one_line(heatmap, here, case, bag_file, tmp_path):
    slide, features, tiles = case
    bag, grid = native.read_features(features), native.read_grid(tiles)

    def refused(*words, trust=True):
        said = heatmap(*words, trust=trust)
        assert said.returncode == 2, said.stderr
        return said.line

    assert "no such file" in refused("nothing.safetensors")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    assert "no safetensors file" in refused("empty.safetensors")
    np.save(tmp_path / "a.npy", bag.features)
    assert "--coords" in refused("a.npy")
    assert "--side" in refused("a.npy", "--coords", _patches_without_size(tmp_path, grid))
    assert "name the coordinates of this slide and job" in refused("a.npy", "--coords", _shorter(tmp_path, grid))
    np.save(tmp_path / "narrow.npy", bag.features[:, :7])
    assert "FeatureMismatch" in refused("narrow.npy", "--coords", tiles)
    bad = bag.features.copy()
    bad[5, 3] = np.nan
    np.save(tmp_path / "nan.npy", bad)
    assert "NaN" in refused("nan.npy", "--coords", tiles) or "finite" in refused("nan.npy", "--coords", tiles)
    native.write_features(tmp_path / "none.safetensors", SlideFeatures("none", bag.features[:0], bag.coords[:0], bag.about))
    assert "EmptyBag" in refused("none.safetensors")
    assert "goes with --slide" in refused(features, "--contours", "a.geojson")
    assert "leave --side out" in refused(features, "--side", 99)
    assert "neither none nor um per pixel" in refused(features, "--slide", slide, "--zoom", "0")
    assert "not trusted" in refused(features, trust=False)
    assert "no such file" in here("mil", "heatmap", features, "--model", "nothing.ts").line


@pytest.mark.usefixtures("unseen")
def test_the_grid_of_another_slide_is_refused(heatmap, case, tmp_path):
    from tests.datamodules.mil.slides_here import small

    small(tmp_path / "tiny.svs", side=256)
    said = heatmap(case[1], "--slide", "tiny.svs")
    assert said.returncode == 2
    assert "name the slide of these features" in said.line


@pytest.mark.usefixtures("unseen")
def test_a_slide_without_resolution_is_shown_without_a_ruler(heatmap, case, tmp_path):
    from tests.datamodules.mil.slides_here import small

    small(tmp_path / "nowhere.svs", seed=3, side=1024, resolution=False)
    assert heatmap(case[1], "--slide", "nowhere.svs", "--out", "a").returncode == 0
    assert '"mpp":null' in (tmp_path / "a/zoom.html").read_text()
    assert "nothing says its um per pixel" in heatmap(case[1], "--slide", "nowhere.svs", "--zoom", 2).line


def test_a_program_of_another_kind_is_refused(here, case, tmp_path, monkeypatch):
    from apps.base.program import Program

    assert Program  # any exported program will do: this one says that it is another's
    import torch

    class Other(torch.nn.Module):
        def forward(self, x):
            return x

    told = {"labels": ["a"], "answer": [], "batching": "stack", "input": "image", "licence": "none", "preprocessing": {}}
    meta = json.dumps({"schema": 1, "app": "dcal", "program": "classify", **told})
    torch.jit.save(torch.jit.script(Other()), str(tmp_path / "other.ts"), _extra_files={"discern.json": meta})
    said = here("mil", "heatmap", case[1], "--model", "other.ts", "--trust")
    assert said.returncode == 2
    assert "is a file of dcal (classify), and mil's bags is needed" in said.line


@pytest.mark.full
@pytest.mark.usefixtures("unseen")
def test_of_several_classes_the_answered_one_is_shown(here, case, tmp_path):
    write_bag_file(tmp_path / "three.ts", ENCODING, ("normal", "tumour", "other"))
    said = json.loads(here("mil", "heatmap", case[1], "--model", "three.ts").stdout)
    assert said["class"] == said["decision"]
    assert said["threshold"] is None


def _patches_without_size(folder, grid):
    h5py = pytest.importorskip("h5py", reason="needs pip install 'discern[slides]'")
    with h5py.File(folder / "bare.h5", "w") as file:
        file["coords"] = grid.coords
    return folder / "bare.h5"


def _shorter(folder, grid):
    from dataclasses import replace

    native.write_grid(folder / "short.safetensors", replace(grid, coords=grid.coords[1:], tissue=grid.tissue[1:], pen=grid.pen[1:]))
    return folder / "short.safetensors"
