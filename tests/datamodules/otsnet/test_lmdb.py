import base64
import pickle
import random
import zlib

import pytest

from datamodules.errors import DataError
from datamodules.otsnet.lmdb_file import LmdbFile
from datamodules.otsnet.lmdb_write import write_lmdb

REAL = (
    "eNrtnW2IHMeZx2t3Z6dfqrpbXkn2arPW6XQrR3FkpXum52XlPWUjyUKYYPxBhBCCkNVxojvWuUPhEmHMnT6IRRifMUIYYQ5hRDBiPwhjzCKMOcxiBhOCMCL4"
    "gwiLMUKEIHzG6IMwZjnNVM/saHm6tZN0V8/2/H+GKXmrp6uf6uqerq7n+T+MtdFbn8sf/d//DrFuZmWxqbnFas2D2zA2HJbb1/y1vV1xzXb/FZbOmu8VGQAA"
    "AAAAAAAAAJJmKOH5/+PrnP//d1gaa743ilMCAAAAAAAAAAAkznDXjH6SnXHuOe86Z5xPnIvO584EnzG/0Sf1y9pr2ilxgTP24bBfZENFfYIvD6HvAAAAgPQI"
    "Wp8O+5eXXvjVi0+5knLln9KnQbbs78wFjLautCMXRFjn/UMuiLDO3Z4LaOtK04/nAvp+VqpPpg/dr7Xv5IKIfq1OpA/dr5VtuSDiavTHk2EreSerjejU36v+"
    "iEYfTXmc+rtfC9fdHTb3wokX59p/98rssfDpYqTznFFo/bsEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADkAMQfAAAAACBvrOrtD7N5dlS/6TwnXPGFcds6zD/j"
    "Y9aM+Vf9fecb8xp/3XnC+Ng4YxRsZh6zDhlX9SviVTEnjuo7+Ft2wZm15/g1+464ap4wXrF32nf5gnXM/qO+bL+hn3QOOA1x1tKNU/on1pg4Z54w/2Se5+8Y"
    "dWu7+aSD8wAASAIyXqta/mEuiLCutD8XRFjn/XMuoCM0q+5M+pD9Wpl+WmKHtVrC5QMxh+X67/7t1C92lOtkbdVr1VY9srZSadVWKvSefblnn/5uWX63TNaW"
    "Sq3aUok+KlcelUt/tya/W6OPSrZbptv15Xf9mk3ueVruuV08TR+d7NEq3aMlWVuia71qq9ar0scuz0aZPhs12Ss1lz52+d1O8UNyq6o8o50iYit5ZjsFvZUv"
    "bekUEfuS1Z2C0Ucvm+oUFXKrsjwxnYLeypNnoFPQW/lynHQKequqHC+dgr4SSrI7S3StJw/Xm6avE3lWK/RYr8rDq9Kj2ZPtehHtys706OuzLE0qR1xF8nSV"
    "I8apbDeizyqy4zsFfcZ9uY9OETEuZO90CnqrquzhTkFvVZb3nE5Bb1WRO+kU9F21Ii+zCn2lVmUTVfru5sme9yJ6XppapseDLw/Lp8eSL9v16XYrsrZC1/ry"
    "dPn0fcuXR+XT9x5fjrROEdGzsrpTRIwL2bOdghVaW3H26/946anfvPDSv8+9+Jva/XthRBuybztFxFZydHeKiLEnqztFxFbyCu0U9FaerO4U4aiS8/8n2U1t"
    "p3PI/oN1XX/eair+LZpLxlH9iDFj3tRsfsNcHmbDE8Nvm98U3mMNc7v9Fb9n3TH/XLxh3R26PvQ/xiJUAfMwW+o8GW5wIqyr1HJBhHV+NRewTd9tapKutc4d"
    "iR25/rSXCyKsq7u5IMK62g/6AVpbrDqVJLSmX/kfkyRQYEd21vVgsxKFL9pmFVqJdMsqdAz7TZkS6oZQNxxcdUPo/21E/b+MCbP+yfl/la0Ye/i8c8VeMfba"
    "7/Dnra/MPdabpm79VTTEFXHaPCveN5vvAZaM63rqs9By/YlcQFvnTW9OEvLqd72hJCHb8EoiSWg7SsNJQrdR19NHhXU92JzwuevljCY7MmlUXHeZEXFXcc1c"
    "QD9HudVi+tDPUd7W9KFtLo+kDzmW3GkjF+yirxTf7h8aD3hOFLs+16zfuHJ1rB5RG/oc0GuFnlw789zV/qA9UmoH0yc96+haueboleg9y0U+L2LPYa1H95Y/"
    "mz60X9T0M7nAE+Q5kSvM4adPn7da6IlC7yF09Qh9eOg9hJ5FEXsIF5Ll5w/obUIPIvlJvz2uuYdzQcT9on4ofegroHogF9Tofq38KH2Mzhyczv+3ZDRX/2X+"
    "vzxm/6NXosrfzwUR1lX35oII67zv5QKW72w1yC22YdlGX3elJ3PBruxWNemWVRyPijVkFSvkWP/H+j/W/7H+j/V/rP/31/r/bGsvehhFwDp+9zZ5rddGJul3"
    "jSMWfTRlTntUMkFHATAzbN/sWv/fz8xRV8zwS9a8c1xfEMJZMldGz44eNRb5EfN08bz9dfG2dt0wR8ftKWtOu6mfLbZj/lcj/pftdrR/OpH+64uRoM9a+bEH"
    "oT2ovbI6xlrQq7MeT5JgXT3y90GvYFVGk4Tuq9ojSUL3VenRJKHtqG5KkkDBylegYO0wULDWHWTmLRBktpIfZLbuG2S2Jqviuuvhakz4rtLLvSbZe2YPd9KE"
    "fxF6+J1I+Peuh1/BhH/Ne/iN9+pj6UO3XLbSB958g+HNB48wlR5htM3ulvShx3bFSR+6t2ta+tAt+4X04V3z/xKb1ecd4Zy3J/luc8q6aozbl81FviA+0Jtv"
    "BWZ1V/iGVP0b0942l4yzxRVxuWgOjRX2DjVn+3VrdYbfyGpOm/CvjorfVDwx4IkBTwyD6P9fvw/ZQ5VqPUnObSbVFCbCm/XTQQI6IIECtY1AwRtbuo1yJUkC"
    "BSqVtB31fUkSZKbYqMK6XmxWoTCqYmT2MF6VrJQEmWn4qLhn/m2o+MWgCTLTn6Vtrk2nD91yyU+f7BRjg8y0pYLMdJ2CzDSXgsz0kMQD+v/bjdv8Zfvn9qvW"
    "Xsc2h+3fmzPGNVEQN4xb1m/5XTFnbTd+7FyxPjfHrFfEn+xF+6K9U3xlfOH8lJ9z9piTfN5803Ctj51/dXbYX9vvOG+JffyY+IQv8JPmivmZmBWbnP32aeNn"
    "xvvGs+Zz1pLZsC6ELyEQ/4/4f8T/Y/6P+H/E/2O1Z2PG/68vP8BwqKWcdMaBtEpanV+L1b/XYnXvtVi9ey1W516L1bfXYnXttVg9ey1Wx16L1a/XYnXrtViF"
    "di1WmV2LVWTXYpXYtVgFdi1WeV2L1RjXYrXFtVhNcS3Wh3WYUhr/nRarM67F6otrsVrgWqyeOLJ5rD+bR3/m6UCuiO5cEcij0J1HwXpA//+6scivG/POlCWc"
    "I+YMXzLH7QVxyTpvuwL6/9D/h/4/9P+h/w/9f+j/Q/8/0o6EtZEDBdHQgYJ48kBB3HOQWSSuCut6sFmJFoCKkdnDeFWiSY6sIlAVyauqyCBqN9hd8/8pNsPn"
    "nUvWlDXDF8S4vcibsQCu+Fi/rV3jrztPGB8bZ4yCzcxj1iHjqi4jAY7qO/hbdsGZtdtaACeMVTWAP+rL9ht6WxFAN07p6agCAABAxHsBJd65CoiwToX/pQIi"
    "rFPhTa4Alp03Z/xbXlvFqnlGK4ZNodhAgV5loMCDkW5j+rtJEijQ1A0UqBIHCnSd6Tbc3emjwrpebFahKK1iZPYwXhO+7nq4GpX4Rau4Z/ZwJ/UrT6UP3bK/"
    "J33o81zblT7OQ/X/b+lFfbf2S6v573Nix8gHo/P3t75YTDYDIAAAALBh3iopUZNTQIR1KpQJFRBhnYqIDgWw7JS6GpmpSiogIr5KhU6oAtggqqw1MospUwA9"
    "XpUorSqAZaeQ14iNyjveqtXZaPic0NbT2xaW42H5WFhuDcv25HkLPfMfeYRcK/BHNtOeP+VHaY9KNkZH/rBNYfubutb/97GVjv7/zVD//3Txekv9/+vieXtO"
    "O66vtLT/b2tHjZt6U/8fT4YAgI1O/+n/D2LLmeU8QOYBZB5A5oE+V2KGmi/0/6EIA/1/6P8nxyNd83+fHec/seedU2K3JZzj/B6fsG/yjyzT+tK+Iz61L1vL"
    "Vt3+1vrWWjLg/w8A2CArtfD/h/8//P/h/w//f/j/J+oLf/gwfVVPPyOJr02TInWtuKFCHn0vqrmH04fukeqB9KF7JNTNZHRtqPZ4kD7q2sH0oY9L3k3rEUcd"
    "qhXSd2JPar95tCKdJ0eIV6L3LO/TXsSew1paSb/qz6YPfdS1UAmRrg1/XWgV/mr9UPrQLVd+lD5jXfP/l9kNY1ZctF+2G9ZeZ789yb8yxqxjYt7cYX/Kr1g3"
    "jB87t6yf8uesz1ra/6+I35tfOO/xc86SeYE/a861dP9/3tL9vyuuiZ2iIFbM33LXektscvaYtnnS/Nx81drHh+0v+aet/97jF/gFjllLX82WoP8H/T/o/0H/"
    "D/p/0P8bUP2/mDcZD9H/34i1uctZkF5Wgv7MO4DMAv2bWQC5A9afOyDF7ADQ/6f0/zd3zf+fYEvmglgy5x3hzHBXLPKmr39T/X9BtPX/kf8P+f+Q/w8eg8j/"
    "h/x/yP+H/H/I/9cfc+n+1P8fxJaR82Awch5klnkA+v/Q/0+MLV3z/51skc874/Yla5FPtXL+Cac582/q/zdVAWZ1V/iG9Pof0942l4yzxRVxuWgOjRX2DjX9"
    "+uvWqi9/Q0EsmoqoM7qN+liS9FvcXrLW9WIzIgYx/x+k+X/9PmQPVar1JDm3mfSmmAhv1k8HCfgBBQq8beg2vHKS0G2UK0kSKIhSoe2o70uSILOIDRXW9WKz"
    "iggjFSOzh/Ga8HXXy9Wowocv7p7Zj/r/yDyAzAPIPJB05oF86/9v7Zr/T7Fb+rxzxf6DdUfY4pbu8kVzxjxmNOf/c9rrxXdHbxTqBbP4iv7G6EfFo0O32U6r"
    "+w0AvOkBAIj/R/w/4v83Tvx/ljQyiwVX8USpwrrM2DeImboamc1/FVBrZDbTVYDfyOytiQLKjczeFSiAPnd58RB3s5v/P9o1/9/LfKPp+3/efpNfNi9Zu81J"
    "7oop66rRjATwjQVx1Wiv/09Zc1pT/7+t+beq+Ldst9X+0lH6s2MjnMJinfmaGpm91W6jbv1fhSqxCs1lFYrSKvSyVaiBq9A6DxLzHY5GhVo8tPDTOXe9nFGo"
    "8G80Ff4+W/8fxJaz83mA50EGngdJeWv9bajwVaMJMnvzTdtcm04fuuWSnz7ZvasOMtN1CjLTXAoy00N6rGv+v5/ND50o/HrkNa3pBXCxuNe+O1zUPxidH/rL"
    "yMvDt/T3rc/EPc6G/1z4Tw7/f/j/w/8f/v/w/0f8P+L/Ef/fx+xqZPauSQF7Ggre62dGxDqOindmCmDZZVlrZJaXUwERv40q3vEqgA1ihrxGZtlcFcCyy/83"
    "3jX/L7Gzo3L9/5R9wfq6uChmxDF+dvR08Yx52dhtPKuvjM5pcv1/bc4/rP/3HU+JuIwm8vNF6P/nWf9fblHs+ozIfcJi86YcbqwzW5CKPCYqsrSsttFQsN6B"
    "NZXBWFMZxMgUxG7kN3YjvV9oFR4NCsj580eQWf6hRmbeKApguZ6VPDSvE9b/Va7/b+ua/29hJ51rzkmnGf//vHVKXOCL5pJxxJgxX9Oa//fhsF9kQ0V9gi8P"
    "5TpaOC/xXCzX8Ycs19FqEW+wat/JBbR1SpRtFRBhnQr1XAVsa2QWT62AXX2mP1xWcTwq1J5VaFkHmd0zodSt8kppZKZ/r4CIXw8VGvsKiHiuUZE1QQFsEDXk"
    "G5ll4FBAxHjtNe/EbGsvOiuE804tLNvx920d/nY+vrGwfCQsN7F2jjxJPdxf+7VJ8YHVccassBRhGabYY2ZYGmE50ZkJF1pZeUoAAAAAAAAAAAAAAIDUgY4/"
    "AAAAAAAAIGkmu/z/q+wA/4k975wSuy3hHOD3+IT9If/IMq0v7TviU/uydZMvW3X7W2vJWEa2PwAAACBF+s3LGjE6GwD2MA95WSfHVpw+jBRUqkbUhipCB2l1"
    "hNrBtdDbVQ8kycNtKkmRqIja6VbtNK1ls27Nm+ln0keFdcmjYgzQqBjhyUMfV711XPWIoy63asuhl/maWs9t1XouXSvHj1ei9+zJ2og9h7V0JH3Vn02fWB0r"
    "N1YDy1WhLPUwvan0dLNoHu+a/29hs867zmwr/v+i87kzwWfMJeOWXtR3a7+0mv8+J3aMfDA6f3/ri8XrOp7NAAAA5B2orG9clXXaOhUZHRQADXloyEND/u/Q"
    "kFeRU0YBDAr56UD3azsrz/FWrc5Gw+eEdpx9W1evra/fzrO3NSzbk+e2DkA7fr+9n7ZOwEhndi6ZDb+dlI7A9gfm/3XnDae+Zv4P/T/o/0H/D/p/0P/D2iL0"
    "/6D/B/0/6P9B/w/6f9D/g/7f4Or/HQnn4cU18/n2enrbr75XPT7V7xP+H/3bY1s="
)


def words(count, longest=60, seed=0):
    rng = random.Random(seed)
    items = {b"image-%09d" % n: rng.randbytes(rng.randrange(longest)) for n in range(1, count + 1)}
    items |= {b"label-%09d" % n: b"word %d" % n for n in range(1, count + 1)}
    return items | {b"num-samples": b"%d" % count}


# Around 2014 bytes a value leaves its page, around 4080 it needs two.
@pytest.mark.parametrize(("count", "longest"), [(1, 10), (2, 3000), (40, 9000), (9000, 20)])
def test_what_is_written_is_read_again(count, longest, tmp_path):
    items = words(count, longest)
    file = LmdbFile(write_lmdb(tmp_path / "set", sorted(items.items())))
    assert dict(file.items()) == items
    assert len(file) == len(items)
    assert list(file.items(b"label-")) == sorted((key, value) for key, value in items.items() if key.startswith(b"label-"))
    for key in list(items)[::37]:
        assert file.get(key) == items[key]
        assert file.size(key) == len(items[key])


@pytest.mark.parametrize("size", [0, 1, *range(2010, 2020), *range(4076, 4084), 70_000])
def test_a_value_of_any_length_comes_back(size, tmp_path):
    value = bytes(range(256)) * (size // 256 + 1)
    items = [(b"a", b"before"), (b"b", value[:size]), (b"c", b"after")]
    assert list(LmdbFile(write_lmdb(tmp_path, items)).items()) == items


def test_what_is_not_there_is_none(tmp_path):
    file = LmdbFile(write_lmdb(tmp_path / "set", sorted(words(500).items())))
    assert [file.get(key) for key in (b"", b"a", b"image-000000501", b"label-0", b"zzz")] == [None] * 5
    assert list(file.items(b"label-0000009")) == []
    assert list(LmdbFile(write_lmdb(tmp_path / "none", [])).items()) == []
    assert LmdbFile(tmp_path / "none/data.mdb").get(b"a") is None


def test_a_file_of_the_library_itself_is_read(tmp_path):
    """Written by py-lmdb in many transactions, some values changed and deleted again, so that its pages lie in no order."""
    (tmp_path / "data.mdb").write_bytes(zlib.decompress(base64.b64decode(REAL)))
    file = LmdbFile(tmp_path / "data.mdb")
    expected = {b"image-%09d" % n: bytes([n]) * (5000 if n % 50 == 0 else 99) for n in range(1, 71) if n % 9}
    expected |= {b"label-%09d" % n: b"word %d" % n for n in range(1, 71) if n % 9} | {b"num-samples": b"70"}
    assert dict(file.items()) == expected
    assert all(file.get(key) == value for key, value in expected.items())


def test_the_library_reads_what_is_written_here(tmp_path):
    lmdb = pytest.importorskip("lmdb", reason="py-lmdb is not installed")
    items = words(2000, 5000)
    write_lmdb(tmp_path, sorted(items.items()))
    with lmdb.open(str(tmp_path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        assert dict(transaction.cursor()) == items
        assert all(transaction.get(key) == value for key, value in items.items())


def test_a_worker_opens_its_own(tmp_path):
    file = LmdbFile(write_lmdb(tmp_path, sorted(words(5).items())))
    assert pickle.loads(pickle.dumps(file)).get(b"num-samples") == b"5"
    assert len(pickle.loads(pickle.dumps(file))) == 11


def test_keys_that_do_not_ascend_are_refused_and_leave_nothing(tmp_path):
    for wrong in ([(b"b", b""), (b"a", b"")], [(b"a", b""), (b"a", b"")], [(b"", b"")], [(b"k" * 512, b"")]):
        with pytest.raises(DataError, match="ascend"):
            write_lmdb(tmp_path, wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "words_said"),
    [
        (lambda data: b"", "empty file"),
        (lambda data: data[:100], "too few"),
        (lambda data: b"no database" * 1000, "not an LMDB"),
        (lambda data: data[:20] + b"\2" + data[21:], "data version 2; version 1 is read"),
        (lambda data: data[: len(data) // 2 & -4096], "beyond its end|none of its tree|no long value"),
    ],
)
def test_damage_is_one_line_that_names_the_file(change, words_said, tmp_path):
    path = write_lmdb(tmp_path, sorted(words(300, 4000).items()))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=words_said) as caught:
        dict(LmdbFile(path).items())
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_no_damage_does_more_than_raise(tmp_path):
    raw = write_lmdb(tmp_path, sorted(words(400, 3000).items())).read_bytes()
    raised = 0
    for seed in range(60):
        rng, data = random.Random(seed), bytearray(raw)
        for _ in range(40):  # near the front of pages, where pointers and sizes are
            data[rng.randrange(len(data)) & -4096 | rng.randrange(64)] = rng.randrange(256)
        (tmp_path / "data.mdb").write_bytes(data)
        try:
            dict(LmdbFile(tmp_path / "data.mdb").items())
        except DataError:
            raised += 1
    assert raised > 50
