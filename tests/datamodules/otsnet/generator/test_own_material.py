"""Words, fonts and backgrounds of a person's own."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.otsnet.charset import charset
from datamodules.otsnet.generator import Generator
from datamodules.otsnet.normalise import for_training


def test_own_words_are_set_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeffKa-45\nfooBar\n\n  two words \n", encoding="utf-8")
    generator = Generator(seed=1, words=path)
    assert {generator.draw(i).label for i in range(40)} == {"Ka-45", "fooBar", "twowords"}
    spaced = Generator(seed=1, words=path, charset="abcdefghijklmnopqrstuvwxyz ")
    assert {spaced.draw(i).label for i in range(40)} == {"foobar", "two words"}
    assert all(len(drawn.boxes) == len(drawn.label) for drawn in map(spaced.draw, range(20)))


def test_own_words_are_normalised_as_labels_are_and_what_cannot_be_written_is_named() -> None:
    words = ["naïve", "ﬁn", "It's", "Straße", "CENTER日本", "it’s", "x" * 26, "naive"]
    generator = Generator(seed=1, words=words)
    assert {generator.draw(i).label for i in range(40)} == {"naive", "fin", "It's"}
    assert all(generator.written(i).said.text.isascii() for i in range(40))
    assert generator.left_out == ["Straße", "CENTER日本", "it’s", "x" * 26]
    assert {for_training(word, charset("94")).text for word in words[:3]} == {"naive", "fin", "It's"}
    priced = Generator(seed=1, words=["café", "5€"], charset=charset("94").characters + "€")
    assert {priced.draw(i).label for i in range(40)} == {"cafe", "5€"}
    assert Generator(seed=1, words=["Größe"], charset="größe").draw(0).label == "größe"


def test_a_fifth_of_many_own_words_is_held_out() -> None:
    words = [f"word{i}" for i in range(200)]
    training, held = (
        {generator.written(i).said.label for i in range(1500)}
        for generator in (Generator(words=words), Generator(words=words, heldout=True))
    )
    assert not training & held
    assert 20 < len(held) < 60


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfa"])
def test_a_word_file_without_words_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"words\.txt"):
        Generator(words=tmp_path / "words.txt")


def test_a_damaged_font_file_is_no_font(tmp_path: Path) -> None:
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    with pytest.raises(DataError, match="none of 0 faces"):
        Generator(fonts=[tmp_path])


def test_own_backgrounds_are_seen(tmp_path: Path) -> None:
    stripes = np.zeros((120, 300, 3), np.uint8)
    stripes[:, ::6], stripes[:, 1::6] = (0, 0, 255), (0, 0, 255)
    cv2.imwrite(str(tmp_path / "stripes.png"), stripes)
    generator = Generator("easy", seed=1, backgrounds=tmp_path, difficulty=0.0)
    striped = 0
    for i in range(40):
        edge = generator.draw(i).image[0, :, 0].astype(float)
        striped += np.abs(np.diff(edge)).mean() > 5
    assert 8 < striped < 32


def test_an_empty_folder_of_backgrounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture"):
        Generator(backgrounds=tmp_path)
