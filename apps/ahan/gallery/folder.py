"""The gallery's folder: its owner's only, written whole by one process at a time, with nothing left over of an interrupted writing.

    GALLERY/templates.safetensors    who is enrolled (file.py)
    GALLERY/calibration.json         thresholds, where they were calibrated for it

What is forgotten is not in the new file, though the disk may keep the old file's blocks until it uses them again, and backups are yours
to clean.
"""

import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from apps.ahan.gallery.absence import Absence, prove_absence
from apps.ahan.gallery.file import about_seal, plain_bytes, read_people, write_people
from apps.ahan.gallery.people import People
from apps.ahan.gallery.seal import Seal
from apps.base.errors import UserError
from apps.base.only_writer import lock_beside, only_writer
from datamodules.whole import write_whole

__all__ = ["CALIBRATION", "STORE", "GalleryFolder"]

STORE, CALIBRATION = "templates.safetensors", "calibration.json"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass
class GalleryFolder:
    """
    >>> folder = GalleryFolder(Path("gallery"))
    >>> folder.change(lambda people: people.forget("ann"), say=print)

    secret: of a sealed gallery. insecure: do not mind who else can read it.
    """

    path: Path
    secret: bytes | None = None
    insecure: bool = False

    @property
    def store(self) -> Path:
        return self.path / STORE

    @property
    def calibration(self) -> Path:
        return self.path / CALIBRATION

    def there(self) -> bool:
        return self.store.is_file()

    def read(self) -> People:
        data, seal = self._open()
        return read_people(data, seal, str(self.store))

    def sealed(self) -> bool:
        return about_seal(self._bytes(), str(self.store)) is not None

    def make(self) -> None:
        """The folder alone, unless it is there."""
        if not self.path.is_dir():
            if self.path.exists():
                raise UserError(f"--gallery {self.path} is a file; name a folder")
            try:
                self.path.mkdir(mode=0o700)
                self.path.chmod(0o700)  # whatever the umask
            except FileExistsError:
                pass  # another process was first
            except OSError as error:
                raise UserError(f"--gallery {self.path}: {error.strerror}; name a folder in one that is there") from None
        self.check_private()

    def create(self, people: People, say: Callable[[str], None]) -> None:
        """An empty gallery, unless one is there: then it must be of the same model."""
        self.make()
        with self._turn(say):
            if not self.there():
                self._write(people, Seal.new(self.secret) if self.secret is not None else None)
        self.read().check_made_by(people.model, people.aligner)

    def change(self, change: Callable[[People], People], say: Callable[[str], None]) -> People:
        """What `change` makes of the gallery as it is by then, which may be more than when it was read before."""
        self._bytes()  # where there is none, this says so
        with self._turn(say):
            data, seal = self._open()
            people = change(read_people(data, seal, str(self.store)))
            self._write(people, seal)
        return people

    def forget(self, who: list[str], say: Callable[[str], None]) -> tuple[People, Absence]:
        """(who is left, what was searched in vain for them)."""
        self._bytes()
        with self._turn(say):
            data, seal = self._open()
            before = read_people(data, seal, str(self.store))
            self._write(before.forget(*who), seal)
            data, seal = self._open()  # from the disk, as another process would
            after = read_people(data, seal, str(self.store))
            absence = prove_absence(before, after, who, self._files(), plain_bytes(data, seal, str(self.store)))
        return after, absence

    def reseal(self, secret: bytes | None, say: Callable[[str], None]) -> None:
        """Under another key, or in the clear."""
        self._bytes()
        with self._turn(say):
            data, seal = self._open()
            people = read_people(data, seal, str(self.store))
            self._write(people, Seal.new(secret) if secret is not None else None)
        self.secret = secret

    def check_private(self) -> None:
        """Refuse a folder or a file of it that others can read or write, or that is somebody else's."""
        if self.insecure or os.name == "nt":
            return
        for path in (self.path, *sorted(self.path.iterdir())):
            try:
                found = path.stat()
            except FileNotFoundError:  # a draft of another process, put in place meanwhile
                continue
            if found.st_uid != os.geteuid():
                raise UserError(f"{path} belongs to another user; a gallery is its owner's only (--insecure-permissions reads it)")
            if found.st_mode & OTHERS:
                wanted = "700" if path.is_dir() else "600"
                mode = f"{stat.S_IMODE(found.st_mode):04o}"
                raise UserError(f"{path}: others may read it (mode {mode}); run: chmod {wanted} {path}, or give --insecure-permissions")

    def _turn(self, say: Callable[[str], None]) -> AbstractContextManager[None]:
        lock = lock_beside(self.store)
        os.close(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600))
        return only_writer(self.store, say)

    def _bytes(self) -> bytes:
        if not self.path.is_dir():
            raise UserError(f"--gallery {self.path}: no such folder; `discern ahan enroll` makes one")
        self.check_private()
        try:
            return self.store.read_bytes()
        except FileNotFoundError:
            raise UserError(f"{self.path} holds no gallery ({STORE}); `discern ahan enroll` makes one") from None
        except OSError as error:
            raise UserError(f"{self.store}: {error.strerror or error}") from None

    def _open(self) -> tuple[bytes, Seal | None]:
        """The file's bytes, and the key that opens and closes them."""
        data = self._bytes()
        about = about_seal(data, str(self.store))
        if about is None and self.secret is not None:
            raise UserError(f"{self.store} is not sealed: leave --key out, or seal it with `discern ahan gallery reseal`")
        if about is None or self.secret is None:
            return data, None
        return data, Seal.of(self.secret, about)

    def _write(self, people: People, seal: Seal | None) -> None:
        """Only in one's turn: drafts that lie there are then of writers that died."""
        for draft in self.path.glob(f".{STORE}.*"):
            if draft != lock_beside(self.store):
                draft.unlink(missing_ok=True)
        with write_whole(self.store, private=True) as file:
            file.write(write_people(people, seal))

    def _files(self) -> list[Path]:
        return sorted(path for path in self.path.iterdir() if path.is_file())
