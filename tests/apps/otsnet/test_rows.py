"""What is told of a word in each format."""

import csv
import io
import json

from apps.otsnet.reading import Asks, Reading
from apps.otsnet.rows import Rows


def test_a_word_without_a_letter_has_empty_lists_in_a_table_too() -> None:
    stream = io.StringIO()
    Rows(stream, "csv", Asks()).add(Reading("blank.png"))
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert [json.loads(row[name]) for name in ("char_probs", "char_boxes", "verified", "codes")] == [[], [], [], []]
    assert (row["text"], row["warnings"]) == ("", "")
