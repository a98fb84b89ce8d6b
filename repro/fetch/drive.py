"""Google Drive, files and folders, through gdown."""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path, PurePosixPath

import requests

from repro.errors import Unavailable
from repro.fetch.content import refuse_page_file
from repro.fetch.http import Http
from repro.fetch.settings import Call, Settings
from repro.fetch.source import Source, Transport


def download(source: Source, partial: Path, name: str, http: Http, settings: Settings, call: Call) -> None:
    """Bring a file of Google Drive, or the member of a folder, into ``partial``.

    What a killed call left beside it is removed first: Drive gives nothing to go on from safely.

    Raises:
        Unavailable: no such file, not public, its quota is used up, or Drive cannot be reached.
        KeyboardInterrupt: the call was stopped.
    """
    import gdown  # only here: the module takes a while to load

    http.reach(settings.drive.format(id=""))
    folder = partial.with_name(f"{partial.name}.drive")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        identity = source.target
        if source.transport is Transport.DRIVE_FOLDER:
            identity = _member_id(source, settings)
        target = folder / "file"
        with contextlib.redirect_stdout(io.StringIO()):
            gdown.download(
                url=settings.drive.format(id=identity),
                output=str(target),
                quiet=True,
                use_cookies=False,
                timeout=(settings.connect_seconds, settings.read_seconds),
                retries=settings.tries - 1,
                progress=call.progress,
                cancel=call.stop,
            )
        refuse_page_file(target, source.url, name)
        target.replace(partial)
    except gdown.DownloadCancelled:
        raise KeyboardInterrupt from None
    except (gdown.FileURLRetrievalError, gdown.DownloadError) as error:
        raise Unavailable(
            f"{source.url}: {' '.join(str(error).split())}",
            next_step=f"open {source.url} in a browser",
        ) from error
    except requests.RequestException as error:
        raise Unavailable(
            f"{source.url}: Google Drive did not give it: {type(error).__name__}",
            next_step="check the network, then fetch again",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _member_id(source: Source, settings: Settings) -> str:
    import gdown

    if source.member is None:
        raise Unavailable(
            f"{source.url} is a folder; which of its files is meant is not published",
            next_step=f"open {source.url} in a browser",
        )
    listed = gdown.download_folder(
        id=source.target,
        quiet=True,
        skip_download=True,
        use_cookies=False,
        timeout=(settings.connect_seconds, settings.read_seconds),
        retries=settings.tries - 1,
    )
    return member_of(source, [(str(one.id), str(one.path)) for one in listed])  # type: ignore[union-attr]


def member_of(source: Source, listed: list[tuple[str, str]]) -> str:
    """Return the id of the one file of a folder's listing (ids and paths) that a source means.

    Raises:
        Unavailable: there is none, or several have the name.
    """
    wanted = PurePosixPath(source.member or "")
    found = [one for one, path in listed if PurePosixPath(path).parts[-len(wanted.parts) :] == wanted.parts]
    if len(found) != 1:
        shown = ", ".join(sorted(path for _, path in listed)[:10]) or "nothing"
        raise Unavailable(f"{source.url}: {len(found)} files called {wanted} in the folder, which holds {shown}")
    return found[0]
