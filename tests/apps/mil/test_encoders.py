import hashlib
import json

import numpy as np
import pytest
import torch
from torch import nn

from apps.base.errors import UserError
from apps.mil.slides.encoders import Transform, build_encoder, read_transform
from apps.mil.slides.tile_stats import STATS_DIM, tile_stats
from core_attention.trunks import build_trunk
from datamodules.preprocess import IMAGENET_MEAN, IMAGENET_STD

PX = 32


@pytest.fixture
def tiles():
    return np.random.default_rng(0).integers(0, 256, (3, PX, PX, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # the list of trusted files


class Means(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def torchscript(path, module=None):
    torch.jit.script(module or Means()).save(str(path))
    return path


def test_stats_are_48_finite_numbers_of_each_tile_alone(tiles):
    encoder = build_encoder("stats", PX)
    both = encoder.encode(tiles)
    assert both.shape == (3, STATS_DIM) == (3, encoder.dim)
    assert both.dtype == np.float32
    assert np.isfinite(both).all()
    assert (both[1:2] == tile_stats(tiles[1:2])).all()
    assert np.isfinite(tile_stats(np.zeros((1, 8, 8, 3), np.uint8))).all()


def test_an_encoder_without_weights_is_refused():
    for name in ("resnet50", "vit_small"):
        with pytest.raises(UserError, match=f"{name} has no weights of its own; give --weights"):
            build_encoder(name, PX)
    with pytest.raises(UserError, match="did you mean 'resnet50'"):
        build_encoder("resnet5", PX)
    with pytest.raises(UserError, match="neither weights nor transform"):
        build_encoder("stats", PX, weights="x")


def test_resnet50_gives_the_1024_numbers_of_its_third_stage(tmp_path, tiles):
    from safetensors.torch import save_file

    trunk = build_trunk("resnet50", seed=1).eval()
    path = tmp_path / "r.safetensors"
    save_file(trunk.state_dict(), path)
    by_name, by_path = build_encoder("resnet50", PX, weights=path), build_encoder(str(path), PX)
    assert by_name.dim == by_path.dim == 1024
    assert by_name.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    x = (torch.from_numpy(tiles).permute(0, 3, 1, 2) / 255 - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(
        3, 1, 1
    )
    with torch.inference_mode():
        x = trunk.maxpool(torch.relu(trunk.bn1(trunk.conv1(x))))
        expected = trunk.layer3(trunk.layer2(trunk.layer1(x))).mean((2, 3)).numpy()
    for encoder in (by_name, by_path):
        np.testing.assert_allclose(encoder.encode(tiles), expected, rtol=1e-4, atol=1e-5)


def test_a_vit_is_told_by_its_weights_and_its_positions_fit_the_tile(tmp_path, tiles):
    from safetensors.torch import save_file

    weights = build_trunk("vit_tiny", image=64, seed=1).state_dict()
    save_file(weights, tmp_path / "v.safetensors")
    torch.save({"state_dict": weights}, tmp_path / "v.pth")
    first, second = (build_encoder(str(tmp_path / f"v.{kind}"), PX) for kind in ("safetensors", "pth"))
    assert (first.name, first.dim) == ("vit_tiny", 192)
    assert first.sha256 != second.sha256
    assert (first.encode(tiles) == second.encode(tiles)).all()


def test_weights_of_something_else_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="weights of no trunk"):
        build_encoder(str(tmp_path / "a.safetensors"), PX)
    with pytest.raises(UserError, match="do not fit"):
        build_encoder("resnet50", PX, weights=tmp_path / "a.safetensors")
    (tmp_path / "b.pth").write_bytes(b"junk")
    for wrong in ("b.pth", "gone.safetensors"):
        with pytest.raises(UserError, match=wrong):
            build_encoder(str(tmp_path / wrong), PX)


def test_a_program_runs_only_when_trusted_and_its_transform_is_applied(tmp_path, tiles):
    path = torchscript(tmp_path / "e.ts")
    with pytest.raises(UserError, match="not trusted"):
        build_encoder(str(path), PX)
    (tmp_path / "e.transform.json").write_text(json.dumps({"size": 16, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.25, 1]}))
    encoder = build_encoder(str(path), PX, trusted=True)
    assert encoder.transform == Transform(16, (0.5, 0.5, 0.5), (0.5, 0.25, 1.0))
    assert encoder.about()["transform"]["size"] == 16
    expected = (tiles.mean((1, 2)) / 255 - 0.5) / np.array([0.5, 0.25, 1])
    np.testing.assert_allclose(encoder.encode(tiles), expected, atol=0.02)


def test_onnx_and_torchscript_of_one_model_agree(tmp_path, tiles):
    pytest.importorskip("onnxruntime", reason="needs pip install 'discern[onnx]'")
    from onnx import TensorProto, helper, save_model

    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    boxes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, *size]) for name, size in (("x", ["h", "w"]), ("y", [1, 1]))]
    graph = helper.make_graph([node], "mean", boxes[:1], boxes[1:])
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), tmp_path / "e.onnx")
    with pytest.raises(UserError, match="not trusted"):
        build_encoder(str(tmp_path / "e.onnx"), PX)
    onnx = build_encoder(str(tmp_path / "e.onnx"), PX, trusted=True)
    script = build_encoder(str(torchscript(tmp_path / "e.ts")), PX, trusted=True)
    np.testing.assert_allclose(onnx.encode(tiles), script.encode(tiles), atol=1e-5)


def test_a_program_that_answers_no_vectors_is_refused_at_once(tmp_path):
    class Map(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(UserError, match="a vector each"):
        build_encoder(str(torchscript(tmp_path / "m.ts", Map())), PX, trusted=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "no transform"), ('{"sise": 3}', "did you mean 'size'"), ('{"interpolation": "bicubic"}', "interpolation is bilinear"),
     ('{"mean": [1, 2]}', "three numbers"), ('{"mean": "abc"}', "three numbers"), ('{"std": 0.5}', "three numbers"),
     ('{"size": "big"}', "number of pixels")],
)  # fmt: skip
def test_a_transform_that_cannot_be_kept_is_refused(tmp_path, text, said):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(UserError, match=said):
        read_transform(tmp_path / "t.json")


@pytest.mark.parametrize("name", ["resnet50", "vit_tiny"])
def test_bf16_is_nearly_the_same_and_another_encoder(tmp_path, tiles, name):
    weights = tmp_path / "weights.pt"
    torch.save(build_trunk(name, seed=0, **({"image": PX} if name == "vit_tiny" else {})).state_dict(), weights)
    exact, fast = (build_encoder(name, PX, weights, bf16=bf16) for bf16 in (False, True))
    a, b = exact.encode(tiles), fast.encode(tiles)
    assert b.dtype == np.float32
    assert ((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min() >= 0.999
    assert (a != b).any()
    assert exact.expects != fast.expects  # features of one do not go on with the other
    assert "bf16" in fast.about()
    with pytest.raises(UserError, match="stats computes in its own precision"):
        build_encoder("stats", PX, bf16=True)
