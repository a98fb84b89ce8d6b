"""Kaggle, with the user's own token."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from repro.errors import BadInput, Unavailable
from repro.fetch.archive import extract, sole_member
from repro.fetch.http import Http, Received, forget
from repro.fetch.settings import Call, Settings
from repro.fetch.source import Source
from repro.schema import read_json

_PLACES = ("~/.kaggle/kaggle.json", "~/.config/kaggle/kaggle.json")


def token() -> tuple[str, str] | None:
    """Return the user's name and key, or ``None`` where there is no token.

    From ``KAGGLE_USERNAME`` and ``KAGGLE_KEY``, else ``kaggle.json`` in ``KAGGLE_CONFIG_DIR`` or where Kaggle's own
    command looks.

    Raises:
        BadInput: a ``kaggle.json`` is damaged. Its content is never shown.
    """
    name, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    if name and key:
        return name, key
    folder = os.environ.get("KAGGLE_CONFIG_DIR")
    for place in [f"{folder}/kaggle.json"] if folder else _PLACES:
        path = Path(place).expanduser()
        if path.is_file():
            data = read_json(path)
            if isinstance(data, dict) and all(isinstance(data.get(part), str) for part in ("username", "key")):
                return data["username"], data["key"]
            raise BadInput(f"{path.name}: expected username and key", next_step="download a new token from Kaggle")
    return None


def download(source: Source, partial: Path, name: str, http: Http, settings: Settings, call: Call) -> Received:
    """Bring a file of a competition into ``partial``; Kaggle sends some of them zipped, which is undone.

    Raises:
        Unavailable: there is no token, it is not accepted, the rules of the competition are not, or no such file.
    """
    competition, _, file = source.target.partition("/")
    page = f"https://www.kaggle.com/c/{competition}"
    auth = token()
    if auth is None:
        raise Unavailable(
            f"{source.url} needs a Kaggle account and its token, and there is none",
            next_step=f"accept the rules at {page}/rules, create a token in your account's settings, save it as "
            "~/.kaggle/kaggle.json and fetch again",
        )
    url = f"{settings.kaggle}/competitions/data/download/{competition}/{quote(file)}"
    try:
        received = http.download(url, partial, name, call, auth)
    except Unavailable as error:
        if "answered 401" in error.message or "answered 403" in error.message:
            raise Unavailable(
                f"{source.url}: Kaggle refuses the token, or the rules of the competition are not accepted",
                next_step=f"accept the rules at {page}/rules; if that is done, create a new token",
            ) from error
        raise
    if not file.endswith(".zip") and sole_member(partial, file):
        inner = partial.with_name(f"{partial.name}.member")
        extract(partial, file, inner, source.url)
        forget(partial)
        inner.replace(partial)
    return received
