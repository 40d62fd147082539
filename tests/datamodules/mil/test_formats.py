import csv
import pickle

import numpy as np
import pytest
import torch

from datamodules.mil.slides import clam, native, trident
from datamodules.mil.slides.features import SlideFeatures
from datamodules.mil.slides.problems import SlideError
from datamodules.mil.slides.slide import open_slide
from datamodules.mil.slides.tiling import TileGrid
from datamodules.mil.slides.tissue import PRESETS
from tests.datamodules.mil.slides_here import small

import h5py  # isort: skip  (slides_here has skipped this file where it is missing)


def grid(n=5):
    coords = np.stack([np.arange(n) * 256, np.arange(n) * 512], 1).astype(np.int64)
    share = np.ones(n, np.float32)
    return TileGrid(coords, share, share * 0, (256, 256), (256, 256), 0, (256, 256), 256, 0, (0.5, 0.5), 0.5, (1024, 1024))


def bag(n=5, dtype=np.float32, **about):
    features = np.random.default_rng(0).normal(size=(n, 7)).astype(dtype)
    return SlideFeatures("a", features, grid(n).coords, about)


def test_clams_patches_have_exactly_its_keys_types_and_attributes(tmp_path):
    with open_slide(small(tmp_path / "a.svs")) as slide:
        path = clam.write_patches(tmp_path, slide, grid())
    assert path == tmp_path / "patches/a.h5"
    with h5py.File(path) as file:
        assert list(file) == ["coords"]
        coords = file["coords"]
        assert (coords.dtype, coords.shape, coords.maxshape, coords.chunks) == (np.int64, (5, 2), (None, 2), (32, 2))
        assert set(coords.attrs) == {"patch_size", "patch_level", "downsample", "downsampled_level_dim", "level_dim", "name", "save_path"}
        assert (coords.attrs["patch_size"], coords.attrs["patch_level"], coords.attrs["name"]) == (256, 0, "a")
        assert coords.attrs["downsample"].tolist() == [1.0, 1.0]
        assert coords.attrs["level_dim"].tolist() == [1024, 1024]
    back, about = clam.read_patches(path)
    assert (back == grid().coords).all()
    assert about["custom_downsample"] == 1


def test_clam_writes_no_file_for_a_slide_without_tiles(tmp_path):
    with open_slide(small(tmp_path / "a.svs")) as slide:
        assert clam.write_patches(tmp_path, slide, grid(0)) is None
    assert not (tmp_path / "patches").exists()


def test_clams_features_have_exactly_its_keys_and_types(tmp_path):
    h5, pt = clam.write_features(tmp_path, bag())
    with h5py.File(h5) as file:
        assert set(file) == {"features", "coords"}
        assert (file["features"].dtype, file["features"].maxshape, file["features"].chunks) == (np.float32, (None, 7), (32, 7))
        assert (file["coords"].dtype, file["coords"].maxshape) == (np.int32, (None, 2))
        assert not file["features"].attrs
        assert not file["coords"].attrs
    tensor = torch.load(pt, weights_only=True)
    assert isinstance(tensor, torch.Tensor)
    assert (tensor.dtype, tuple(tensor.shape)) == (torch.float32, (5, 7))
    for back in (clam.read_features(h5), clam.read_pt(pt)):
        assert (back.features == bag().features).all()
    assert (clam.read_features(h5).coords == bag().coords).all()


def test_tridents_files_have_exactly_its_keys_types_and_attributes(tmp_path):
    path = trident.write_patches(tmp_path, grid(), "a")
    attributes = {
        "patch_size", "patch_size_level0", "level0_magnification", "target_magnification", "overlap", "name", "savetodir", "level0_width",
        "level0_height",
    }  # fmt: skip
    with h5py.File(path) as file:
        coords = file["coords"]
        assert (coords.dtype, coords.maxshape, coords.chunks) == (np.int64, (None, 2), (1, 2))
        assert set(coords.attrs) == attributes | {"mpp_level0", "mpp_target"}
        assert (coords.attrs["level0_magnification"], coords.attrs["patch_size_level0"]) == (20, 256)
    about = {"encoder": "stats", "coords": trident.grid_attributes(grid(), "a", tmp_path)}
    for dtype in (np.float32, np.float16):
        path = trident.write_features(tmp_path, bag(dtype=dtype, **about))
        with h5py.File(path) as file:
            assert file["features"].dtype == dtype
            assert set(file["features"].attrs) == {"name", "savetodir", "encoder"}
            assert set(file["coords"].attrs) == attributes | {"mpp_level0", "mpp_target"}
        back = trident.read_features(path)
        assert back.about["coords"]["patch_size"] == 256
        assert (back.features == bag(dtype=dtype).features).all()


def test_a_slide_without_tiles_has_empty_trident_files(tmp_path):
    assert trident.read_patches(trident.write_patches(tmp_path, grid(0), "a"))[0].shape == (0, 2)
    back = trident.read_features(trident.write_features(tmp_path, bag(0, encoder="e")))
    assert back.features.shape == (0, 7)
    assert back.features.dtype == np.float32


def test_from_clam_to_trident_and_back_nothing_is_lost(tmp_path):
    first = clam.read_features(clam.write_features(tmp_path / "one", bag())[0])
    second = trident.read_features(trident.write_features(tmp_path / "two", first))
    third = clam.read_features(clam.write_features(tmp_path / "three", second)[0])
    assert (third.features == bag().features).all()
    assert (third.coords == bag().coords).all()
    assert (tmp_path / "one/h5_files/a.h5").read_bytes() == (tmp_path / "three/h5_files/a.h5").read_bytes()
    assert (tmp_path / "one/pt_files/a.pt").read_bytes() == (tmp_path / "three/pt_files/a.pt").read_bytes()


def test_our_own_files_keep_everything(tmp_path):
    native.write_grid(tmp_path / "a.safetensors", grid(), np.linspace(0, 1, 5, dtype=np.float32))
    back = native.read_grid(tmp_path / "a.safetensors")
    assert (back.coords == grid().coords).all()
    assert back.side0 == (256, 256)
    assert native.read_truth(tmp_path / "a.safetensors")[-1] == 1
    native.write_features(tmp_path / "f.safetensors", bag(encoder="stats", sha256="00"))
    features = native.read_features(tmp_path / "f.safetensors")
    assert (features.features == bag().features).all()
    assert features.about["sha256"] == "00"
    with pytest.raises(SlideError, match="no features of schema"):
        native.read_features(tmp_path / "a.safetensors")


def test_pt_files_of_arrays_are_read_and_those_that_run_code_are_not(tmp_path):
    torch.save(bag().features, tmp_path / "a.pt")  # TRIDENT saves an array
    assert (clam.read_pt(tmp_path / "a.pt").features == bag().features).all()

    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save(Evil(), tmp_path / "b.pt")
    (tmp_path / "c.pt").write_bytes(pickle.dumps(Evil()))
    torch.save({"x": 1}, tmp_path / "d.pt")
    for name in "bcd":
        with pytest.raises(SlideError, match=f"{name}\\.pt"):
            clam.read_pt(tmp_path / f"{name}.pt")
    assert not (tmp_path / "ran").exists()


def test_rows_that_are_not_finite_are_named(tmp_path):
    wrong = bag()
    wrong.features[3, 2] = np.nan
    (path, _) = clam.write_features(tmp_path, wrong)
    with pytest.raises(SlideError, match="row 3 of a"):
        clam.read_features(path)


def test_what_is_no_feature_file_is_one_line(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"hello")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["coords"] = np.zeros((2, 2), int)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["features"] = h5py.ExternalLink("/etc/hostname", "x")
    for name in ("a.h5", "b.h5", "c.h5", "gone.h5"):
        for read in (clam.read_features, trident.read_features):
            with pytest.raises(SlideError, match=name) as caught:
                read(tmp_path / name)
            assert "\n" not in str(caught.value)


def test_the_process_list_has_clams_header(tmp_path):
    path = clam.write_process_list(tmp_path, [("a.svs", "processed"), ("b.svs", "failed_seg")], PRESETS["bwh_biopsy"])
    header, first, _ = csv.reader(path.open())
    assert ",".join(header) == (
        "slide_id,process,status,seg_level,sthresh,mthresh,close,use_otsu,a_t,a_h,max_n_holes,vis_level,line_thickness,white_thresh,"
        "black_thresh,use_padding,contour_fn,keep_ids,exclude_ids"
    )
    assert first[:3] == ["a.svs", "0", "processed"]
