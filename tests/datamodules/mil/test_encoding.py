import pytest

from datamodules.mil.encoding import KEYS, compared, encoding_of

ONE = {
    "encoder": "resnet50", "encoder_sha256": "a" * 64, "dim": 1024, "transform": {"size": 224, "mean": [0.5, 0.5, 0.5]}, "mpp_target": 0.5,
    "tile_px": 256,
}  # fmt: skip


def test_an_encoding_fits_itself_and_names_are_not_compared_where_hashes_are():
    assert compared(ONE, ONE) == ([key for key in KEYS if key != "encoder"], [])
    assert compared(ONE, ONE | {"encoder": "copy"})[1] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("encoder_sha256", "b" * 64),
        ("dim", 512),
        ("transform", {"size": 256, "mean": [0.5, 0.5, 0.5]}),
        ("mpp_target", 0.25),
        ("tile_px", 224),
    ],
)
def test_every_difference_is_told(key, value):
    _, (line,) = compared(ONE, ONE | {key: value})
    assert str(value)[:12] in line


def test_names_count_where_a_hash_is_missing():
    assert len(compared(ONE, ONE | {"encoder_sha256": None, "encoder": "uni"})[1]) == 1


def test_what_is_not_known_is_neither_equal_nor_different():
    assert compared(ONE, {"dim": 1024}) == (["dim"], [])
    assert compared({}, ONE) == ([], [])


def test_a_resolution_within_the_tolerance_of_tiling_is_the_same():
    assert compared(ONE, ONE | {"mpp_target": 0.505})[1] == []
    assert compared(ONE, ONE | {"mpp_target": 0.52})[1]


def test_a_tuple_read_from_a_file_is_a_list():
    assert compared(ONE, ONE | {"transform": {"size": 224, "mean": (0.5, 0.5, 0.5)}})[1] == []


def test_tridents_files_say_it_beside_the_coordinates():
    found = encoding_of({"encoder": "uni", "coords": {"patch_size": 256, "mpp_target": 0.5}}, 1024)
    assert (found["encoder"], found["tile_px"], found["mpp_target"], found["dim"]) == ("uni", 256, 0.5, 1024)
    assert found["encoder_sha256"] is None
