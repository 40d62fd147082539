"""Broken files of every bare format: the named error, with file and line; never a wrong answer."""

import contextlib
import random

import pytest

from datamodules.accord.errors import InfeasibleError, InvalidInstanceError, ParseError, PrecisionError, UnsupportedError
from datamodules.accord.formats import FORMATS, read, read_solution, solution_text
from datamodules.accord.formats.writing import written_as
from datamodules.errors import DataError
from tests.datamodules.accord.formats.instances import plain, plan

FLOW = "number of jobs, number of machines, initial seed, upper bound and lower bound :\n 3 2 1 14 12\nprocessing times :\n 5 1 2\n 4 3 6\n"
TIMES = "2 2\nTimes\n 3 2\n 2 4\nMachines\n 1 2\n 2 1\n"
SHOPS = " +++\n instance one\n +++\n words\n 2 2\n 0 3 1 2\n 1 2 0 4\n +++\n"
BINS = " 2\n a \n 10 2 1\n5\n5\n b\n 9 1 1\n8\n"
SETS = "kp_1\nn 2\nc 9\nz 11\n1,5,4,1\n2,6,3,1\n-----\n"

WRONG = {
    # file: (text, error, message)
    "nan.txt": ("2 2\n0 3 1 nan\n1 2 0 4\n", InvalidInstanceError, "line 2: time nan; give a finite number"),
    "inf.kp": ("2\n9\n\n5 4\ninf 3\n", InvalidInstanceError, "line 5: value inf"),
    "negative.bpp": ("2\n9\n5\n-3\n", InvalidInstanceError, "line 4: sizes -3; it must be at least 0"),
    "short.bpp": ("3\n9\n5\n3\n", ParseError, "line 4: expected 3 sizes, found 2; the text is cut short"),
    "long.bpp": ("1\n9\n5\n3\n", ParseError, "line 4: 1 words more than the 1 sizes that the first line says, from '3'"),
    "heavy.bpp": ("2\n9\n5\n13\n", InfeasibleError, "line 4: item 1 has 13, a bin holds 9"),
    "words.bpp": ("2\n9\n5\nbig\n", ParseError, "line 4: 'big' where a number is expected .sizes."),
    "digits.bpp": ("2\n9\n0.1234567890123\n1\n", PrecisionError, "sizes with 13 decimals; round them to 9"),
    "large.bpp": ("1\n99999999999999999999\n1\n", PrecisionError, "line 2: capacity 99999999999999999999 does not fit into 62 bits"),
    "short.csp": ("2\n9\n5 2\n", ParseError, "line 3: expected 2 types, found 1"),
    "heavy.csp": ("1\n9\n15 2\n", InfeasibleError, "line 3: item 0 has 15, a bin holds 9"),
    "counts.csp": ("1\n9\n1 99999999\n", UnsupportedError, "line 3: more than 1,000,000 items"),
    "short.kp": ("3\n9\n\n5 4\n6 3\n", ParseError, "line 5: expected 3 items, found 2"),
    "row.kp": ("2\n9\n\n5 4\n6 3 1\n", ParseError, "line 5: 3 words; an item is `value weight`"),
    "short.txt": ("3 9\n5 4\n6 3\n", ParseError, "line 3: expected 3 items, found 2"),
    "long.txt": ("1 9\n5 4\n6 3\n", ParseError, "line 3: more lines than 1 items"),
    "half.txt": ("1.5 9\n5 4\n", InvalidInstanceError, "line 1: number of items 1.5; it must be a whole number"),
    "jobs.txt": ("3 2\n0 3 1 2\n1 2 0 4\n", ParseError, "line 3: expected 3 jobs, found 2; the text is cut short"),
    "uneven.txt": ("2 2\n0 3 1 2\n1 2\n", ParseError, "line 3: expected 2 pairs of machine and time, found 1; .* FJSPLIB"),
    "odd.txt": ("2 2\n0 3 1 2\n1 2 0\n", ParseError, "line 3: expected 2 pairs of machine and time, found 1.5"),
    "machine.txt": ("2 2\n0 3 2 2\n1 2 0 4\n", InvalidInstanceError, "line 2: machine 2 of 2; they are counted from 0"),
    "cut.fjs": ("2 2\n1 1 1 5\n", ParseError, "line 2: expected 2 jobs, found 1"),
    "machine.fjs": ("1 2\n1 1 3 5\n", InvalidInstanceError, "line 2: machine 3; there are 1 to 2"),
    "tail.fjs": ("1 2\n1 1 1 5 7\n", ParseError, "line 2: 1 words more than the 1 operations"),
    "flow short.txt": (FLOW.replace(" 3 6", " 3"), ParseError, "line 5: expected 6 times .2 machines x 3 jobs., found 5"),
    "flow long.txt": (FLOW.replace(" 3 6", " 3 6 1"), ParseError, "line 5: 1 words more than 2 machines x 3 jobs have"),
    "flow head.txt": (FLOW.replace("3 2 1 14 12", "3 2 1 14"), ParseError, "line 2: 4 numbers; `jobs machines seed ub lb` are needed"),
    "flow negative.txt": (FLOW.replace(" 5 1", " -5 1"), InvalidInstanceError, "line 4: times .* -5"),
    "times.txt": (TIMES.replace(" 2 1\n", " 2\n"), ParseError, "line 7: expected 4 machines .2 jobs x 2., found 3"),
    "machines.txt": (TIMES.replace(" 2 1\n", " 2 0\n"), InvalidInstanceError, "line 7: machine 0; there are 1 to 2"),
    "shops.txt": (SHOPS.replace(" 1 2 0 4\n", ""), ParseError, "line 6: expected 2 jobs, found 1"),
    "bins.txt": (BINS.replace(" 2\n", " 3\n", 1), ParseError, "line 8: expected 3 problems, found 2"),
    "bins more.txt": (BINS.replace(" 2\n", " 1\n", 1), ParseError, "line 6: more than the 1 problems"),
    "bins heavy.txt": (BINS.replace("\n8\n", "\n18\n"), InfeasibleError, "line 8: item 0 has 18, a bin holds 9"),
    "sets.csv": (SETS.replace("n 2", "n 3"), ParseError, "line 6: expected 3 items, found 2"),
    "sets order.csv": (SETS.replace("2,6", "3,6"), ParseError, "line 6: item 3 where item 2 is expected"),
    "sets keys.csv": (SETS.replace("c 9\n", "c x\n"), ParseError, "line 3: 'x' where a number is expected .c."),
    "empty.txt": ("\n \n", ParseError, "empty"),
    "prose.txt": ("Dear all, this is no problem.\n", ParseError, "not recognised; looked for ours .*TSPLIB.*knapsack"),
    "binary.txt": ("a\0b\n", ParseError, "binary, no text"),
}


@pytest.mark.parametrize("file", WRONG)
def test_everything_that_is_wrong_has_its_error_its_file_and_its_line(file, tmp_path):
    text, error, message = WRONG[file]
    (tmp_path / file).write_text(text)
    with pytest.raises(error, match=f"{file}.*{message}") as caught:
        read(tmp_path / file)
    assert "\n" not in str(caught.value)


def test_a_knapsack_in_four_files_of_unequal_length_is_refused(tmp_path):
    for end, text in {"c": "9\n", "w": "4\n3\n", "p": "5\n6\n", "s": "1\n1\n"}.items():
        (tmp_path / f"p_{end}.txt").write_text(text)
    assert read(tmp_path / "p_c.txt")[0].best == 11
    (tmp_path / "p_s.txt").write_text("1\n2\n")
    with pytest.raises(InvalidInstanceError, match="p_s: a 0 or 1 for each of the 2 items"):
        read(tmp_path / "p_c.txt")
    (tmp_path / "p_p.txt").write_text("5\n")
    with pytest.raises(InvalidInstanceError, match="p_p: 1 profits of 2 weights"):
        read(tmp_path / "p_c.txt")


@pytest.mark.parametrize("file", [name for name in WRONG if not name.startswith(("empty", "prose", "binary"))])
def test_half_of_a_file_is_never_read_as_a_whole_one(file, tmp_path):
    """Any text cut anywhere is an error of ours, or an instance; never another exception."""
    text = WRONG[file][0]
    for end in range(0, len(text), 7):
        (tmp_path / file).write_text(text[:end])
        with contextlib.suppress(DataError):
            assert read(tmp_path / file)


JUNK = [
    "nan",
    "-1",
    "1e400",
    "x",
    "",
    "0",
    "9" * 30,
    "1.5",
    "[",
    "]",
    "{",
    '"',
    ",",
    ":",
    "#",
    "\t",
    "\ufeff",
    "-",
    "inf",
    "\u0663",
    "1_0",
    "True",
]


def spoilt(text, rng):
    """A line gone or doubled, a word or some letters replaced."""
    lines = text.split("\n")
    at, way = rng.randrange(len(lines)), rng.randrange(4)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(at, rng.choice(lines))
    elif way == 2:
        mark = rng.choice(" ,")
        words = lines[at].split(mark)
        words[rng.randrange(len(words))] = rng.choice(JUNK)
        lines[at] = mark.join(words)
    else:
        at = rng.randrange(len(text) + 1)
        return text[:at] + rng.choice(JUNK) + text[at + rng.randrange(5) :]
    return "\n".join(lines)


@pytest.mark.full
@pytest.mark.parametrize("name", FORMATS)
def test_a_spoilt_text_is_an_error_of_ours_or_an_instance(name):
    rng = random.Random(0)
    for kind in FORMATS[name].kinds:
        one, texts = plain(kind), []
        if FORMATS[name].write and isinstance(written := written_as(one, FORMATS[name]), str):
            texts.append((written, lambda text, kind: read(text, kind=rng.choice([None, kind]))))
        if FORMATS[name].write_solution:
            texts.append((solution_text(one, plan(one), name), lambda text, kind: read_solution(text, plain(kind))))
        for text, reader in texts:
            for _ in range(100):
                with contextlib.suppress(DataError):
                    reader(spoilt(spoilt(text, rng), rng) + "\n", kind)
