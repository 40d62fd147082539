import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from apps.base.dispatch import dispatch
from apps.base.errors import UserError
from apps.base.shell import Shell
from apps.mil.slides import stages
from datamodules.errors import DataError
from datamodules.mil.slides import clam, native, trident
from datamodules.mil.slides.state import Lock, State
from datamodules.mil.synth_slides import MadeSlide, make_slide, write_slide
from tests.datamodules.mil.slides_here import small

TILES = ("--px", "64", "--mpp", "1", "--jobs", "1")


@pytest.fixture(scope="module")
def wsi(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wsi")
    for i in range(2):
        small(folder / f"made_{i}.svs", seed=i, side=768, tumour=bool(i))
    (folder / "broken.svs").write_bytes(b"hello")
    small(folder / "nowhere.svs", seed=7, side=512, resolution=False)
    glass = make_slide(512, 512, seed=8)
    blank = np.full_like(glass.picture, 244)
    write_slide(folder / "white.svs", MadeSlide(blank, glass.tissue, glass.tumour, glass.pen, glass.lumen, 0.5))
    return folder


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        capsys.readouterr()
        code = dispatch(Shell(quiet=True), ["mil", "slides", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def outputs(folder, *kinds):
    kinds = kinds or ("thumbnails", "contours", "contours_geojson", "tiles", "features")
    return {
        str(path.relative_to(folder)): path.read_bytes() for kind in kinds for path in sorted((folder / kind).rglob("*")) if path.is_file()
    }


def status(folder):
    report = json.loads((folder / "report.json").read_text())
    return {slide["slide"]: (slide["status"], slide["reason"] or "") for slide in report["slides"]}


def fresh(folder):
    return {slide["slide"]: slide["fresh"] for slide in json.loads((folder / "report.json").read_text())["slides"]}


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


def test_a_killed_job_goes_on_and_ends_in_the_same_bytes(call, wsi, tmp_path, monkeypatch):
    words = (wsi / "made_0.svs", wsi / "made_1.svs", "--encoder", "stats", *TILES)
    call("features", *words, "--job", "whole")
    ending = stages._Worker._features
    monkeypatch.setattr(
        stages._Worker, "_features", lambda self: (_ for _ in ()).throw(KeyboardInterrupt) if self.name == "made_1" else ending(self)
    )
    with pytest.raises(KeyboardInterrupt):
        call("features", *words, "--job", "killed")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert not (tmp_path / "killed/features/made_1.safetensors").exists()
    assert call("features", *words, "--job", "killed")[0] == 0
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")
    assert fresh(tmp_path / "killed") == {"made_0": [], "made_1": ["features"]}


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


@pytest.mark.full
def test_processes_and_threads_do_not_change_a_byte(call, wsi, tmp_path):
    words = ("features", wsi / "made_0.svs", wsi / "made_1.svs", "--encoder", "stats", "--px", "64", "--mpp", "1")
    call(*words, "--job", "one", "--jobs", "1", "--readers", "1")
    call(*words, "--job", "two", "--jobs", "2", "--readers", "3")
    assert outputs(tmp_path / "one") == outputs(tmp_path / "two")


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


@pytest.mark.full
def test_a_ray_cluster_gives_the_same_bytes(call, wsi, tmp_path):
    pytest.importorskip("ray", reason="needs pip install 'discern[ray]'")
    words = ("features", wsi / "made_0.svs", wsi / "made_1.svs", wsi / "broken.svs", "--encoder", "stats", "--px", "64", "--mpp", "1")
    assert call(*words, "--job", "here", "--jobs", "1")[0] == 1
    assert call(*words, "--job", "ray", "--jobs", "2", "--engine", "ray")[0] == 1
    assert outputs(tmp_path / "here") == outputs(tmp_path / "ray")
    assert status(tmp_path / "ray")["broken"] == status(tmp_path / "here")["broken"]


@pytest.mark.full
def test_a_worker_of_a_ray_cluster_killed_in_the_middle_loses_nothing_and_does_nothing_twice(call, wsi, tmp_path):
    pytest.importorskip("ray", reason="needs pip install 'discern[ray]'")
    small(tmp_path / "large.svs", seed=3, side=2048)
    words = ("features", tmp_path / "large.svs", wsi / "made_0.svs", wsi / "made_1.svs", "--encoder", "stats", "--px", "32", "--mpp", "1")
    call(*words, "--job", "calm", "--jobs", "1")
    held = tmp_path / "ray/states/large.json"

    def kill():  # as soon as the tiles of the large slide are being encoded
        while not (held.exists() and "features" in (stages := json.loads(held.read_text())["stages"])):
            pass
        (attempt,) = stages["features"]["attempts"]
        os.kill(attempt["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    assert call(*words, "--job", "ray", "--jobs", "2", "--engine", "ray")[0] == 0
    killer.join()
    assert outputs(tmp_path / "ray") == outputs(tmp_path / "calm")
    assert status(tmp_path / "ray") == status(tmp_path / "calm")
    attempts = {
        (path.stem, stage): [attempt["seconds"] is None for attempt in entry["attempts"]]
        for path in sorted((tmp_path / "ray/states").glob("*.json"))
        for stage, entry in json.loads(path.read_text())["stages"].items()
    }
    broken_off = [True, False]
    assert attempts.pop(("large", "features")) == broken_off
    assert len(attempts) == 8
    assert set(map(tuple, attempts.values())) == {(False,)}


@pytest.mark.full
def test_kill_minus_nine_and_the_same_command_end_in_the_same_bytes(call, wsi, tmp_path):
    words = ["features", str(wsi / "made_0.svs"), str(wsi / "made_1.svs"), "--encoder", "stats", *TILES]
    call(*words, "--job", "whole")
    killed = ["mil", "slides", *words, "--job", "killed"]
    code = f"from apps.base.shell import Shell; from apps.base.dispatch import dispatch; dispatch(Shell(), {killed!r})"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    while not (tmp_path / "killed/tiles/made_0.safetensors").exists():
        assert process.poll() is None
    process.kill()
    process.wait()
    assert call(*words, "--job", "killed")[0] == 0
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")


KILLED = """
import os, random, signal, sys
from pathlib import Path
from apps.base.shell import Shell
from apps.base.dispatch import dispatch

words, folders = sys.argv[1].split("\\n"), sys.argv[2:]
seen = 0


def counted(last, root):
    # every file that is opened for writing, renamed or deleted within the job is a moment; at the last one the power goes
    def hook(event, arguments):
        global seen
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if not (writes or event in ("os.rename", "os.remove", "os.mkdir")) or not str(arguments[0]).startswith(root):
            return
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def run(folder, last):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        sys.addaudithook(counted(last, str(Path(folder).absolute())))
        code = dispatch(Shell(quiet=True), ["mil", "slides", *words, "--job", folder])
        os.write(tell, str(seen).encode())
        os._exit(code)
    _, status = os.waitpid(child, 0)
    os.close(tell)
    return status, os.read(told, 20)


status, told = run(folders[0], None)
assert status == 0, status
moments = random.Random(0).sample(range(2, int(told)), len(folders) - 1)
for folder, moment in zip(folders[1:], moments):
    status, told = run(folder, moment)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (folder, moment, status)
print(told, moments)
"""


@pytest.mark.full
def test_whenever_the_power_goes_nothing_cut_short_is_accepted_and_nothing_finished_is_done_again(call, wsi, tmp_path):
    """Ten jobs, each killed at one of the moments at which an undisturbed one opens, renames or deletes a file. The children are forked
    before any library has threads."""
    words = ["features", str(wsi / "made_0.svs"), str(wsi / "made_1.svs"), "--encoder", "stats", *TILES]
    jobs = [f"killed_{i}" for i in range(10)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", KILLED, "\n".join(words), "whole", *jobs]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    whole = outputs(tmp_path / "whole")
    for name in jobs:
        job = tmp_path / name
        there = {path: data for path, data in outputs(job).items() if not Path(path).name.startswith(".")}
        assert there.items() <= whole.items(), (name, done.stdout)  # what has its name is whole
        finished = {
            slide: [
                stage for stage, entry in State(job / f"states/{slide}.json", {"id": slide}).stages.items() if entry["status"] == "done"
            ]
            for slide in ("made_0", "made_1")
        }
        assert call(*words, "--job", name)[0] == 0
        assert outputs(job) == whole, (name, done.stdout)  # and no draft is left
        for slide, kept in finished.items():
            assert not set(kept) & set(fresh(job)[slide]), (name, done.stdout)
