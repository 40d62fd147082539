"""The page that zooms, in a browser: from a file, without server or network."""

import re

import cv2
import numpy as np
import pytest

from tests.browser import CHROMIUM, Browser

WIDE, HIGH = 1300, 800
STAGE = np.s_[60 : HIGH - 200, 100:900]  # of a screenshot: slide, without panel and buttons
# The page's own word that all it wants is drawn; just after a navigation there may be no root yet.
READY = """new Promise((done) => {
  const look = () => document.documentElement?.dataset.ready === "1" && done(true);
  new MutationObserver(look).observe(document, { attributes: true, childList: true, subtree: true }); look();
  setTimeout(() => done(false), 60000);
})"""

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


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"), WIDE, HIGH)
    yield opened
    opened.close()


@pytest.fixture
def browse(browser, page):
    """The window at a place of the page, which is drawn there: all of it."""

    def run(where):
        browser.ask("Page.navigate", url="about:blank")  # or else only what follows the # changes, and the page is not loaded anew
        browser.ask("Page.navigate", url=f"{(page / 'zoom.html').as_uri()}#{where}")
        assert browser.evaluate(READY), f"never ready: {browser.evaluate('({...document.documentElement.dataset})')}"
        return browser

    return run


def seen(browser):
    shot = cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert shot is not None
    return shot[STAGE].astype(int)


def test_the_slider_shows_the_slide_alone_the_map_alone_and_what_is_between(browse):
    slide, both, layer = (seen(browse(f"x=600&y=500&z=0.9&map=instance&opacity={n}")) for n in (0, 50, 100))
    assert slide.std() > 10  # tissue is there
    assert np.abs(slide - layer).mean() > 20
    assert np.abs(both - (slide + layer) / 2).mean() < 2


@pytest.mark.parametrize(("z", "level"), [(0.3, "1"), (6, "0")])
def test_each_zoom_takes_the_level_that_is_fine_enough_and_all_of_it_is_there(browse, z, level):
    browser = browse(f"x=600&y=500&z={z}&map=attention&opacity=40")
    text = browser.evaluate("document.documentElement.outerHTML")
    assert f'data-level="{level}"' in re.findall(r"<html[^>]*>", text)[0]
    assert "no medical device" in text
    assert text.count("<li>") == 12
    assert re.search(r'<output id="percent">40 %</output>', text)


def test_the_page_asks_for_nothing_but_files_beside_it(page):
    text = (page / "zoom.html").read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|import\(", text)
    assert (page / "pyramid/about.json").exists()
