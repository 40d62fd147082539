"""Where the tracking store is: a file under the home folder, or what MLFLOW_TRACKING_URI names."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from apps.base.errors import UserError

__all__ = ["LOCAL", "address", "public_address"]

LOCAL = "local"  # written in run.json instead of a path, so that the home folder may move

_SECRET = re.compile(r"pass|pwd|secret|token|credential", re.IGNORECASE)  # of an option's name: `password`, `sslpassword`, `passwd`


def public_address() -> str:
    """The store that a new run goes to, without its password: this is written to files."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    return _without_password(uri) if uri else LOCAL


def address(home: Path, public: str) -> str:
    """The URI to connect to; the password of a database comes from the environment if that names the same store."""
    if public == LOCAL:
        return f"sqlite:///{(Path(home) / 'mlruns' / 'mlflow.db').resolve().as_posix()}"
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    return uri if _without_password(uri) == public else public


def _without_password(uri: str) -> str:
    """Neither in front of the host, nor among the options behind the question mark, where databases take it, too."""
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise UserError(f"MLFLOW_TRACKING_URI is no address ({error}); correct it, or unset it to keep the runs here") from None
    told = parts if parts.password is None else parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}")
    options = parts.query.split("&")
    told = told._replace(query="&".join(option for option in options if not _SECRET.search(unquote(option.partition("=")[0]))))
    return uri if told == parts else urlunsplit(told)
