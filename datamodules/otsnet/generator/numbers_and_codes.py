"""Numbers and codes as they stand on signs, labels and plates, by patterns: n is a digit from 1, d one from 0, U a capital letter."""

import random
import string

from datamodules.otsnet.generator.vocabulary import words_of

__all__ = ["code", "number"]

PLAIN = ("n", "nd", "ndd", "nddd", "ndddd", "nddddd")  # house numbers, counts
PRICES = ("$n.dd", "$nd.dd", "$ndd", "$n", "n.dd", "nd.dd", "ndd.dd", "n,dd", "nd,dd", "$n.99", "$nd.99", "n.99", "nd.-", "ndd/-", "Rs.nd")
PHONES = ("nddddd", "nddddddd", "ddd-dddd", "(ddd)", "+nddddddddd", "+nddddddddddd", "0800-dddddd", "ndd-ddd-dddd")
OTHERS = ("n/n", "nd/nd", "n.d", "nd.d", "nxn", "ndxnd", "No.n", "nd-nd", "n-n", "n,ddd", "nd,ddd", "18+", "n+", "ndU", "nddU")
UNITS = ("nkm", "ndkm", "ndm", "nddg", "nkg", "ndkg", "nddml", "ndcm", "n.dL", "ndW", "nddV")
PLATES = ("UUddUUU", "U-UUddd", "UU-UUdddd", "UUU-UUdd", "UUUddd", "UUUdddd", "ddddUUU")
PLACES = ("Un", "Und", "UUn", "UUnd", "Undd", "UUndd", "UUnddd")  # gates, flights, roads, buses
SERIALS = ("UUdddd", "UUddddd", "UUdddddd")
MODELS = ("Und0", "Und0i", "Undds", "Und0x", "UUU-ndd", "UUU-nd", "in", "xn", "Zn", "Vn", "MKn", "nU", "No.nd")
ADDRESSES = ("www.{}.com", "www.{}.org", "www.{}.net", "www.{}.de", "www.{}.co.uk", "{}.com", "{}.com", "{}.org", "{}.info", "@{}", "#{}")
MAILS = ("info@{}.com", "{}@mail.com", "{}_1")


def _filled(rng: random.Random, patterns: tuple[str, ...]) -> str:
    draw, pattern = rng.random, rng.choice(patterns)
    return "".join(
        str(int(10 * draw()))
        if sign == "d"
        else str(1 + int(9 * draw()))
        if sign == "n"
        else string.ascii_uppercase[int(26 * draw())]
        if sign == "U"
        else sign
        for sign in pattern
    )


def number(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.62:
        return _filled(rng, PLAIN)
    if kind < 0.7:
        return str(rng.randint(1900, 2035))
    if kind < 0.8:
        return _filled(rng, PRICES)
    if kind < 0.84:
        return f"{rng.randint(1, 100)}%"
    if kind < 0.9:
        return _filled(rng, PHONES)
    if kind < 0.94:
        form = rng.choice(("{}:{:02d}", "{:02d}:{:02d}", "{}.{:02d}", "{}:{:02d}pm", "{}.{:02d}am"))
        return form.format(rng.randint(0, 12 if form.endswith("m") else 23), rng.randrange(60))
    if kind < 0.97:
        n = rng.randint(1, 99)
        return f"{n}{'th' if n in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"
    return _filled(rng, rng.choice((OTHERS, UNITS)))


def code(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        return _filled(rng, PLATES)
    if kind < 0.38:
        return _filled(rng, PLACES)
    if kind < 0.52:
        return _filled(rng, SERIALS)
    if kind < 0.62:
        year, month, day = rng.randint(1990, 2035), rng.randint(1, 12), rng.randint(1, 28)
        form = rng.choice(("{0}-{1:02d}-{2:02d}", "{2:02d}/{1:02d}/{0}", "{2}.{1}.{0}", "{2:02d}.{1:02d}.{3:02d}"))
        return form.format(year, month, day, year % 100)
    if kind < 0.8:
        word = rng.choice(words_of(rng.choice(("everyday", "street"))))
        return rng.choice(ADDRESSES if rng.random() < 0.85 else MAILS).format(word)
    return _filled(rng, MODELS)
