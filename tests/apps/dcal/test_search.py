import numpy as np
import pytest
import torch

from apps.base.errors import UserError
from apps.dcal.gallery import Entry, Gallery, content_digest
from apps.dcal.search import Searcher

MODEL = "a" * 64


def gallery(vectors, cameras=None):
    cameras = cameras or [None] * len(vectors)
    entries = [Entry(f"{n}.jpg", content_digest(str(n).encode()), camera) for n, camera in enumerate(cameras)]
    return Gallery.empty(MODEL, vectors.shape[1]).append(vectors, entries, MODEL)


def random(count, width=24, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width))


def test_search_is_the_sorted_cosine():
    stored, asked = random(300), random(70, seed=1)
    cosine = (asked / np.linalg.norm(asked, axis=1, keepdims=True)) @ (stored / np.linalg.norm(stored, axis=1, keepdims=True)).T
    for scores, hits in zip(cosine, Searcher(gallery(stored)).search(asked, MODEL, top=7), strict=True):
        assert [hit.row for hit in hits] == np.argsort(-scores, kind="stable")[:7].tolist()
        assert [hit.score for hit in hits] == pytest.approx(sorted(scores, reverse=True)[:7], abs=1e-5)
        assert all(hit.entry.name == f"{hit.row}.jpg" for hit in hits)


def test_ties_follow_the_gallerys_order_also_at_the_last_place():
    stored = np.eye(4)[[1, 0, 0, 1, 0, 0]]
    (hits,) = Searcher(gallery(stored)).search(np.eye(4)[:1], MODEL, top=3)
    assert [hit.row for hit in hits] == [1, 2, 4]
    (hits,) = Searcher(gallery(np.tile(np.eye(4), (50, 1)))).search(np.eye(4)[:1], MODEL, top=40)
    assert [hit.row for hit in hits] == list(range(0, 160, 4))


def test_copies_tie_whatever_their_place_in_the_product():
    stored = random(1001, 384)
    stored[[3, 500, 1000]] = stored[3]
    for seed in range(5):
        (hits,) = Searcher(gallery(stored)).search(stored[3:4] + 0.3 * random(1, 384, seed), MODEL, top=3)
        assert [hit.row for hit in hits] == [3, 500, 1000]


def test_asking_for_more_than_there_is_gives_all():
    (hits,) = Searcher(gallery(random(3))).search(random(1), MODEL, top=50)
    assert len(hits) == 3
    assert Searcher(Gallery.empty(MODEL, 24)).search(random(1), MODEL) == [[]]


def test_own_camera_is_left_out_when_asked():
    stored = gallery(random(40), ["a", "b"] * 20)
    for camera, hits in zip(
        "ab", Searcher(stored).search(random(2, seed=1), MODEL, top=40, cameras=["a", "b"], exclude_camera=True), strict=True
    ):
        assert len(hits) == 20
        assert camera not in {hit.entry.camera for hit in hits}


def two_cameras(people=40, shift=4.0, width=24):
    """The same people twice; camera b adds one vector to all."""
    who = random(people, width)
    offset = shift * random(1, width, seed=5)
    return np.concatenate([who, who + offset]), ["a"] * people + ["b"] * people


def test_centring_by_camera_undoes_what_a_camera_adds_to_all():
    """Asked with camera a's own pictures, the second answer should be the same person by camera b, not another one by camera a."""
    stored, cameras = two_cameras()
    own = ["a"] * 40

    def right(center):
        options = {"cameras": own} if center else {}
        found = Searcher(gallery(stored, cameras), center_camera=center).search(stored[:40], MODEL, top=2, **options)
        return np.mean([hits[1].row == 40 + n for n, hits in enumerate(found)])

    assert right(True) > right(False) + 0.3


def test_centring_is_the_mean_of_the_camera_subtracted_before_normalising():
    stored, cameras = two_cameras(people=20)
    unit = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    centred = unit - np.repeat([unit[:20].mean(0), unit[20:].mean(0)], 20, axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    found = Searcher(gallery(stored, cameras), center_camera=True).search(stored[25:26], MODEL, top=40, cameras=["b"])
    scores = torch.zeros(40, dtype=torch.float64)
    for hit in found[0]:
        scores[hit.row] = hit.score
    assert np.allclose(scores, centred @ centred[25], atol=1e-5)


def test_a_mean_needs_twenty_vectors_of_known_cameras():
    with pytest.raises(UserError, match="camera b has 19 vectors, a mean needs 20"):
        Searcher(gallery(random(39), ["a"] * 20 + ["b"] * 19), center_camera=True)
    with pytest.raises(UserError, match="1 of 21 gallery pictures have no camera"):
        Searcher(gallery(random(21), ["a"] * 20 + [None]), center_camera=True)
    ready = Searcher(gallery(random(20), ["a"] * 20), center_camera=True)
    with pytest.raises(UserError, match="no mean of camera z"):
        ready.search(random(1), MODEL, cameras=["z"])
    with pytest.raises(UserError, match="need the camera of every query"):
        ready.search(random(1), MODEL)


def test_what_cannot_act_or_fit_is_refused():
    ready = Searcher(gallery(random(5)))
    with pytest.raises(ValueError, match="act only with"):
        ready.search(random(1), MODEL, cameras=["a"])
    with pytest.raises(ValueError, match=r"queries of \(1, 7\) in a gallery of width 24"):
        ready.search(random(1, 7), MODEL)
    with pytest.raises(ValueError, match="zero or not finite"):
        ready.search(np.zeros((1, 24)), MODEL)
    with pytest.raises(UserError, match="not by bbbb"):
        ready.search(random(1), "b" * 64)


def test_half_precision_finds_the_same_people():
    stored = random(200)
    entries = [Entry(f"{n}.jpg", content_digest(str(n).encode())) for n in range(200)]
    half = Gallery.empty(MODEL, 24, "float16").append(stored, entries, MODEL)
    found = Searcher(half).search(stored + 0.05 * random(200, seed=3), MODEL, top=1)
    assert [hits[0].row for hits in found] == list(range(200))
