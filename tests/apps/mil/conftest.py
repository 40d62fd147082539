import cv2
import numpy as np
import pytest

from datamodules.mil.slides import native
from datamodules.mil.slides.state import State
from tests.apps.mil.bag_files import MPP, PX, write_bag_file


@pytest.fixture(scope="session")
def bag_file(tmp_path_factory):
    """An exported model that says which features it was trained on."""
    pytest.importorskip("openslide", reason="needs pip install 'discern[slides]'")
    home = tmp_path_factory.mktemp("bag_file")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))  # the list of trusted files
        return write_bag_file(home / "bags.ts")


@pytest.fixture(scope="session")
def case(tmp_path_factory):
    """(a made slide with a tumour, its features, its grid of tiles), as `discern mil slides features` leaves them."""
    pytest.importorskip("openslide", reason="needs pip install 'discern[slides]'")
    from apps.base.dispatch import dispatch
    from apps.base.shell import Shell
    from tests.datamodules.mil.slides_here import small

    folder = tmp_path_factory.mktemp("case")
    path = small(folder / "case.svs", seed=3, side=1024)
    words = ("features", path, "--job", folder / "job", "--encoder", "stats", "--px", PX, "--mpp", MPP, "--jobs", 1)
    assert dispatch(Shell(quiet=True), ["mil", "slides", *map(str, words)]) == 0
    assert State(folder / "job/states/case.json", {"id": "case"}).stages["features"]["status"] == "done"
    features, tiles = folder / "job/features/case.safetensors", folder / "job/tiles/case.safetensors"
    assert len(native.read_grid(tiles)) > 20
    return path, features, tiles


@pytest.fixture
def unseen(monkeypatch):
    """Pictures in print are one pixel, where a test looks at something else: they take most of the time."""
    pixel = cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes()
    monkeypatch.setattr("apps.mil.maps.write.map_figure", lambda *_: pixel)
    monkeypatch.setattr("apps.mil.maps.write.top_sheet", lambda *_: pixel)


@pytest.fixture(scope="module")
def wsi(tmp_path_factory):
    """Two made slides, one that cannot be opened, one without a resolution, one without tissue."""
    pytest.importorskip("openslide", reason="needs pip install 'discern[slides]'")
    from datamodules.mil.synth_slides import MadeSlide, make_slide, write_slide
    from tests.datamodules.mil.slides_here import small

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
    """`discern mil slides`, called in an empty folder: its code, what it printed and what it said."""
    from apps.base.dispatch import dispatch
    from apps.base.shell import Shell

    monkeypatch.chdir(tmp_path)

    def run(*words):
        capsys.readouterr()
        code = dispatch(Shell(quiet=True), ["mil", "slides", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
