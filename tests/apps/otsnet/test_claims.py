from pathlib import Path

import pytest
import torch

from apps.base.errors import UserError
from apps.base.shell import Shell
from apps.otsnet.claims import claim_text, verdicts
from apps.otsnet.options import Verify
from apps.otsnet.source import open_source
from datamodules.otsnet.charset import Charset
from tests.apps.otsnet.tiny import pictures
from tests.apps.otsnet.tiny_files import weights_file

READERS = {
    "judge": ("otsnet", {}),
    "slots": ("otsnet", {"verify": Verify(head="cloze")}),
    "columns": ("ctc", {}),
    "letters": ("parseq", {}),
}


@pytest.mark.parametrize("kind", READERS)
def test_each_character_and_the_end_is_judged(tmp_path: Path, kind: str) -> None:
    name, options = READERS[kind]
    source = open_source(Shell(quiet=True), str(weights_file(tmp_path, name, **options)))
    found = verdicts(source, pictures(3), ["ab", "abc", "f"])
    assert [[slot.character for slot in one.slots] for one in found] == [["a", "b", ""], ["a", "b", "c", ""], ["f", ""]]
    for one in found:
        assert 0 <= one.probability <= 1
        assert all(slot.contradicts == (slot.probability < 0.5) for slot in one.slots)
        assert all(slot.instead == slot.character for slot in one.slots if not slot.contradicts)
    for number, claim in enumerate(("ab", "abc", "f")):  # each against its own picture
        (alone,) = verdicts(source, pictures(3)[number : number + 1], [claim])
        assert [slot.probability for slot in alone.slots] == pytest.approx([slot.probability for slot in found[number].slots], abs=1e-5)


def test_without_a_judge_what_was_read_is_the_most_probable_claim(tmp_path: Path) -> None:
    source = open_source(Shell(quiet=True), str(weights_file(tmp_path, "parseq")))
    tokens = source.reader.read(pictures(1)).tokens
    read = source.charset.decode(tokens[0])
    if not read:
        pytest.skip("the untrained reader reads nothing here")
    other = ("b" if read[0] == "a" else "a") + read[1:]
    (own,), (changed,) = verdicts(source, pictures(1), [read]), verdicts(source, pictures(1), [other])
    assert own.read == read
    assert own.probability > changed.probability
    assert changed.slots[0].probability < own.slots[0].probability


def test_a_claim_for_columns_is_all_ways_to_write_it(tmp_path: Path) -> None:
    source = open_source(Shell(quiet=True), str(weights_file(tmp_path, "ctc")))
    table = source.program.forward(pictures(1))["table"]
    (one,) = verdicts(source, pictures(1), ["abba"])
    log = torch.nn.functional.ctc_loss(
        table.log().transpose(0, 1), torch.tensor([[1, 2, 2, 1]]), torch.tensor([table.shape[1]]), torch.tensor([4]), reduction="sum"
    )
    assert one.probability == pytest.approx(float((-log).exp()), rel=1e-4)


@pytest.mark.parametrize(
    ("claim", "why"),
    [("abcdef", "more than 5 characters"), ("ax", "does not know 'x'"), ("a日", "does not know '日'"), (" ", "claims nothing")],
)
def test_what_the_reader_cannot_read_cannot_be_claimed(claim: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        claim_text(claim, Charset("abcdef"), 5)


def test_a_claim_is_written_in_the_characters_that_the_reader_has() -> None:
    assert claim_text("cáfé", Charset("aácfe€"), 5) == "cáfe"
