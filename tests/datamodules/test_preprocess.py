import io
import subprocess
import sys

import pytest
import torch
from torch.export import Dim, export

from datamodules.preprocess import Preprocess

SIZES = ((40, 60), (60, 40), (128, 171), (33, 33), (1, 1), (1, 300), (500, 7), (31, 32))
SETTINGS = (
    {"size": 32},
    {"size": (64, 32), "share": 0.875},
    {"size": (20, 50)},
    {"size": (64, 32), "fit": "squash"},
    {"size": (32, 64), "fit": "pad"},
    {"size": 16, "share": 0.3, "mean": (0.5, 0.5, 0.5), "std": (0.2, 0.3, 0.4)},
)


def picture(height, width):
    return torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(height * 1000 + width))


def same(a, b):
    return torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(), b.nan_to_num())


@pytest.mark.parametrize("setting", SETTINGS)
def test_scripted_equals_eager_at_every_size(setting):
    eager = Preprocess(**setting)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(eager), buffer)
    buffer.seek(0)
    scripted = torch.jit.load(buffer)
    for size in SIZES:
        assert same(scripted(picture(*size)), eager(picture(*size)))


@pytest.mark.parametrize("setting", SETTINGS)
def test_exported_once_equals_eager_at_every_size(setting):
    eager = Preprocess(**setting)
    program = export(eager, (picture(40, 60),), dynamic_shapes=({0: Dim.DYNAMIC, 1: Dim.DYNAMIC},)).module()
    for size in SIZES:
        assert same(program(picture(*size)), eager(picture(*size)))


@pytest.mark.parametrize("setting", SETTINGS)
def test_result_has_the_size_asked_for(setting):
    size = setting["size"]
    expected = (3, size, size) if isinstance(size, int) else (3, *size)
    assert all(Preprocess(**setting)(picture(*given)).shape == expected for given in SIZES)


def test_crop_is_centred_and_of_the_results_shape():
    image = torch.zeros(60, 100, 3, dtype=torch.uint8)
    image[:, :20] = 255
    image[:, 80:] = 255
    plain = Preprocess(60, mean=(0, 0, 0), std=(1, 1, 1))
    assert plain(image).max() == 0  # columns 20 to 80 are the square window
    assert plain.crop(image).shape == (60, 60, 3)
    assert Preprocess((20, 50)).crop(image).shape == (40, 100, 3)
    assert Preprocess(30, share=0.5).crop(image).shape == (30, 30, 3)


def test_window_of_the_right_size_is_not_resampled():
    image = picture(48, 48)
    x = Preprocess(48, mean=(0, 0, 0), std=(1, 1, 1))(image)
    assert torch.allclose(x * 255, image.permute(2, 0, 1).float(), atol=1e-3)


@pytest.mark.parametrize(("given", "wide"), [((32, 20), 20), ((64, 40), 20), ((16, 30), 60), ((32, 64), 64), ((32, 90), 64), ((500, 1), 1)])
def test_a_padded_picture_keeps_its_shape_and_has_no_pixels_right_of_it(given, wide):
    x = Preprocess((32, 64), fit="pad", mean=(0, 0, 0), std=(1, 1, 1))(picture(*given))
    assert x.shape == (3, 32, 64)
    assert x[:, :, :wide].isfinite().all()
    assert x[:, :, wide:].isnan().all()
    if given[0] == 32 and given[1] <= 64:
        assert torch.allclose(x[:, :, :wide] * 255, picture(*given).permute(2, 0, 1).float(), atol=1e-3)


def test_constant_picture_is_normalised_exactly():
    image = torch.full((30, 50, 3), 255, dtype=torch.uint8)
    x = Preprocess(16, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))(image)
    assert torch.allclose(x.mean((1, 2)), torch.tensor([1.0, 3.0, 1.0]), atol=1e-5)


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"size": 0}, "size"),
        ({"size": 8, "fit": "stretch"}, "fit"),
        ({"size": 8, "share": 0.0}, "share"),
        ({"size": 8, "fit": "squash", "share": 0.5}, "share"),
        ({"size": 8, "std": (1, 0, 1)}, "std"),
    ],
)
def test_senseless_setting_is_refused_by_name(setting, word):
    with pytest.raises(ValueError, match=word):
        Preprocess(**setting)


def test_light_modules_import_no_lightning_and_no_albumentations():
    light = ("order", "preprocess", "ragged", "pictures", "archive", "checks", "workers", "dcal.layouts", "dcal.synth", "dcal.dataset")
    code = f"import sys, importlib\nfor name in {light}: importlib.import_module('datamodules.' + name)\n"
    code += "print([name for name in ('pytorch_lightning', 'albumentations', 'torchvision') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
