from dataclasses import dataclass

import pytest

from apps.base.idle import refuse_idle


@dataclass
class Choice:
    first: int = 1
    second: float = 0.0
    third: str = "x"


def test_everything_that_could_not_act_is_named_at_once_with_what_to_leave_it_at() -> None:
    names = ("first", "second", "third")
    refuse_idle("part", Choice(), names, "nothing reads it")
    with pytest.raises(ValueError, match=r"^part.first=2 cannot act: nothing reads it; leave it at 1$"):
        refuse_idle("part", Choice(first=2), names, "nothing reads it")
    with pytest.raises(ValueError, match=r"^part.second=0.5, part.third=y cannot act: nothing reads it; leave them at 0.0, x$"):
        refuse_idle("part", Choice(second=0.5, third="y"), names, "nothing reads it")
