"""The page that zooms, in a browser: from a file, without server or network."""

import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE, HIGH = 1300, 800
STAGE = np.s_[60 : HIGH - 200, 100:900]  # of a screenshot: slide, without panel and buttons

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def page(case, bag_file, tmp_path_factory):
    from apps.base.shell import Shell
    from apps.mil.verbs.heatmap import heatmap

    out = tmp_path_factory.mktemp("page")
    words = (case[1], "--slide", case[0], "--zoom", 0.5, "--model", bag_file, "--trust", "--out", out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("apps.mil.maps.write.map_figure", lambda *_: b"")
        patch.setattr("apps.mil.maps.write.top_sheet", lambda *_: b"")
        assert heatmap(Shell(quiet=True), [str(word) for word in words]) == 0
    return out


@pytest.fixture
def browse(page, tmp_path):
    def run(where, *flags):
        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={WIDE},{HIGH}", "--virtual-time-budget=6000", *flags,
            f"{(page / 'zoom.html').as_uri()}#{where}",
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    return run


def seen(browse, path, where):
    """What stands at last: virtual time may run out before a file is decoded, so until two pictures in a row are equal."""
    before = None
    for _ in range(6):
        browse(where, f"--screenshot={path}")
        shot = cv2.imread(str(path))
        assert shot is not None
        if before is not None and np.array_equal(shot, before):
            break
        before = shot
    return shot[STAGE].astype(int)


def test_the_slider_shows_the_slide_alone_the_map_alone_and_what_is_between(browse, tmp_path):
    slide, both, layer = (seen(browse, tmp_path / f"{n}.png", f"x=600&y=500&z=0.9&map=instance&opacity={n}") for n in (0, 50, 100))
    assert slide.std() > 10  # tissue is there
    assert np.abs(slide - layer).mean() > 20
    assert np.abs(both - (slide + layer) / 2).mean() < 2


@pytest.mark.parametrize(("z", "level"), [(0.3, "1"), (6, "0")])
def test_each_zoom_takes_the_level_that_is_fine_enough_and_all_of_it_is_there(browse, z, level):
    for _ in range(10):  # on a busy machine the browser's own clock runs out before its pictures are decoded
        text = browse(f"x=600&y=500&z={z}&map=attention&opacity=40", "--dump-dom")
        (root,) = re.findall(r"<html[^>]*>", text)
        if 'data-ready="1"' in root:
            break
    else:
        pytest.fail(f"never ready: {root}")
    assert f'data-level="{level}"' in root
    assert "no medical device" in text
    assert text.count("<li>") == 12
    assert re.search(r'<output id="percent">40 %</output>', text)


def test_the_page_asks_for_nothing_but_files_beside_it(page):
    text = (page / "zoom.html").read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|import\(", text)
    assert (page / "pyramid/about.json").exists()
