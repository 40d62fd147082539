"""Numbers and codes as they stand on signs, labels and plates."""

import random
import string

from datamodules.otsnet.generator.vocabulary import words_of

__all__ = ["code", "number"]

DIGITS, UPPER = string.digits, string.ascii_uppercase


def _some(rng: random.Random, characters: str, count: int) -> str:
    return "".join(rng.choices(characters, k=count))


def number(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.62:  # house numbers, counts
        digits = rng.randint(1, 6)
        return str(rng.randrange(10 ** (digits - 1), 10**digits))
    if kind < 0.7:
        return str(rng.randint(1900, 2035))
    if kind < 0.8:
        return _price(rng)
    if kind < 0.84:
        return f"{rng.randint(1, 100)}%"
    if kind < 0.9:
        return rng.choice((_some(rng, DIGITS, rng.randint(5, 11)), f"{_some(rng, DIGITS, 3)}-{_some(rng, DIGITS, 4)}",
                           f"({_some(rng, DIGITS, 3)})", f"+{_some(rng, DIGITS, rng.randint(9, 12))}", f"0800-{_some(rng, DIGITS, 6)}"))  # fmt: skip
    if kind < 0.94:
        return rng.choice(("{}:{:02d}", "{:02d}:{:02d}", "{}.{:02d}", "{}:{:02d}pm", "{}{:02d}am")).format(rng.randint(0, 23), rng.randrange(60))
    if kind < 0.97:
        n = rng.randint(1, 99)
        return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"
    return rng.choice((f"{rng.randint(1, 99)}/{rng.randint(1, 99)}", f"{rng.randint(1, 9)}.{rng.randrange(10)}", f"{rng.randint(1, 40)}x{rng.randint(1, 40)}",
                       f"#{rng.randint(1, 99)}", f"{rng.randint(1, 200)}-{rng.randint(1, 200)}", f"{rng.randint(1, 500)}{rng.choice(('km', 'm', 'g', 'kg', 'ml', 'cm', 'L', 'W', 'V'))}",
                       f"{rng.randint(1, 9)},{_some(rng, DIGITS, 3)}", f"{rng.randint(1, 18)}+", f"{rng.randint(10, 300)}{rng.choice('ABCDab')}"))  # fmt: skip


def _price(rng: random.Random) -> str:
    amount = rng.randrange(1, 10 ** rng.randint(1, 3))
    form = rng.choice(("${}.{:02d}", "${}", "{}.{:02d}", "{},{:02d}", "{}.99", "${}.99", "{}-", "{}/-", "Rs.{}"))
    return form.format(amount, rng.randrange(100))


def code(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        plates = (
            _some(rng, UPPER, 2) + _some(rng, DIGITS, 2) + _some(rng, UPPER, 3),
            f"{_some(rng, UPPER, rng.randint(1, 3))}-{_some(rng, UPPER, 2)}{_some(rng, DIGITS, rng.randint(2, 4))}",
            _some(rng, UPPER, 3) + _some(rng, DIGITS, rng.choice((3, 4))),
            _some(rng, DIGITS, 4) + _some(rng, UPPER, 3),
        )
        return rng.choice(plates)
    if kind < 0.38:  # gates, flights, roads, buses
        return _some(rng, UPPER, rng.randint(1, 2)) + _some(rng, DIGITS, rng.randint(1, 4))
    if kind < 0.52:
        return _some(rng, UPPER, 2) + _some(rng, DIGITS, rng.randint(4, 6))
    if kind < 0.62:
        year, month, day = rng.randint(1990, 2035), rng.randint(1, 12), rng.randint(1, 28)
        return rng.choice(("{0}-{1:02d}-{2:02d}", "{2:02d}/{1:02d}/{0}", "{2}.{1}.{0}", "{2:02d}.{1:02d}.{3:02d}")).format(year, month, day, year % 100)
    if kind < 0.8:
        word = rng.choice(words_of(rng.choice(("everyday", "street"))))
        return _address(rng, word.lower())
    model = (f"{rng.choice(UPPER)}{rng.randint(1, 99) * 10}{rng.choice(('', 'i', 's', 'x', 'X'))}", f"{_some(rng, UPPER, 3)}-{rng.randint(1, 999)}",
             f"{rng.choice(('i', 'e', 'x', 'Z', 'V'))}{rng.randint(2, 9)}", f"MK{rng.randint(2, 9)}", f"{rng.randint(2, 9)}{rng.choice(UPPER)}", f"No.{rng.randint(1, 99)}")  # fmt: skip
    return rng.choice(model)


def _address(rng: random.Random, word: str) -> str:
    end = rng.choice((".com", ".com", ".org", ".net", ".co.uk", ".de", ".info"))
    kind = rng.random()
    if kind < 0.5:
        return f"www.{word}{end}"
    if kind < 0.75:
        return f"{word}{end}"
    return rng.choice((f"info@{word}{end}", f"@{word}", f"#{word}", f"{word[:1]}.{word}@mail{end}", f"{word}_{rng.randint(1, 99)}"))
