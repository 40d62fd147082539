"""Sealing at rest: AES-256-GCM by `cryptography`, under a key that scrypt makes of what a person keeps.

What is readable of a sealed gallery is authenticated as well: whoever changes the header breaks the seal.
"""

import base64
import getpass
import os
import secrets
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.ahan.gallery.errors import GalleryLocked
from apps.base.errors import UserError

__all__ = ["Seal", "read_secret"]

CIPHER, SALT, NONCE = "AES-256-GCM", 16, 12  # bytes
COST = {"n": 1 << 15, "r": 8, "p": 1}  # of scrypt: 32 MiB and about a tenth of a second
MOST = 1 << 30  # bytes of memory that a header may ask for: it is read before it is trusted
LONGEST = 1 << 20  # bytes of a key file


@dataclass(frozen=True)
class Seal:
    """A key, made. `about` says how, in the clear; a new nonce is drawn for every writing."""

    key: bytes
    about: dict[str, Any]

    @classmethod
    def new(cls, secret: bytes) -> "Seal":
        about = {"cipher": CIPHER, "kdf": "scrypt", **COST, "salt": _text(secrets.token_bytes(SALT))}
        return cls(_stretch(secret, about), about)

    @classmethod
    def of(cls, secret: bytes, about: dict[str, Any]) -> "Seal":
        """The key of a gallery that is there."""
        return cls(_stretch(secret, about), {name: value for name, value in about.items() if name != "nonce"})

    def close(self, plain: bytes, header: dict[str, str]) -> tuple[bytes, dict[str, Any]]:
        """(sealed bytes, what to say about the seal)."""
        nonce = secrets.token_bytes(NONCE)
        about = {**self.about, "nonce": _text(nonce)}
        return _cipher(self.key).encrypt(nonce, plain, _bound(header, about)), about

    def open(self, sealed: bytes, header: dict[str, str], about: dict[str, Any], where: str) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return _cipher(self.key).decrypt(_bytes(about["nonce"]), sealed, _bound(header, about))
        except (InvalidTag, KeyError, ValueError):
            raise GalleryLocked(f"{where}: sealed with another key, or changed since; give the right --key, or restore it") from None


def read_secret(word: str, insecure: bool = False, twice: bool = False) -> bytes:
    """What `--key` names: `prompt`, `env:NAME`, or a file that its owner alone can read.

    twice: ask again, where a mistyped word would lock the gallery for ever
    """
    if word == "prompt":
        secret = _typed("key of the gallery: ")
        if twice and _typed("once more: ") != secret:
            raise UserError("--key prompt: the two words differ; nothing was done")
        found, where = secret.encode(), "prompt"
    elif word.startswith("env:"):
        found, where = os.environ.get(word[4:], "").encode(), f"the environment variable {word[4:]}"
    else:
        found, where = _key_file(Path(word), insecure), word
    if not found:
        raise UserError(f"--key {word}: {where} is empty or not set; give a word of at least one letter")
    return found


def _typed(question: str) -> str:
    """Only where nobody sees it: without a terminal the word would be echoed, or there is nobody to ask."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(question)
    except (getpass.GetPassWarning, EOFError):
        raise UserError("--key prompt: no terminal to ask at; name a key file or env:NAME") from None


def _key_file(path: Path, insecure: bool) -> bytes:
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(LONGEST + 1)
    except OSError as error:
        raise UserError(f"--key {path}: {error.strerror or error}; name a file, env:NAME, or prompt") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and not insecure:
        raise UserError(f"--key {path}: others may read it (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}")
    if len(data) > LONGEST:
        raise UserError(f"--key {path}: more than {LONGEST >> 20} MiB are no key; name another file")
    return data.rstrip(b"\r\n")


def _stretch(secret: bytes, about: dict[str, Any]) -> bytes:
    crypto()
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    try:
        n, r, p = (int(about[name]) for name in ("n", "r", "p"))
        known = about["cipher"] == CIPHER and about["kdf"] == "scrypt" and 0 < 128 * n * r * p <= MOST
        if not known:
            raise ValueError("unknown, or too costly")
        return Scrypt(salt=_bytes(about["salt"]), length=32, n=n, r=r, p=p).derive(secret)
    except (KeyError, TypeError, ValueError) as error:
        raise GalleryLocked(f"the gallery's header says nothing usable about its seal ({error}); restore it") from None


def crypto() -> None:
    """Refuse early where the extra is missing."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise UserError("a sealed gallery needs cryptography; run: pip install 'discern[faces]'") from None


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _bound(header: dict[str, str], about: dict[str, Any]) -> bytes:
    """What is in the clear, as one string of bytes that the seal covers."""
    import json

    return json.dumps([header, about], sort_keys=True).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
