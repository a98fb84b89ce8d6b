"""One file of one artifact: from the cache, a mirror or the first of its addresses that gives it, verified."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from repro.errors import Contradiction, Unavailable
from repro.fetch import drive, kaggle, wheel
from repro.fetch.archive import extract
from repro.fetch.cache import Cache, Receipt
from repro.fetch.content import refuse_page_file
from repro.fetch.http import Http, Received, cannot_write, forget
from repro.fetch.settings import Call, Settings
from repro.fetch.source import Source, Transport, parse_source
from repro.fetch.verify import Measured, measure, refuse_other_content
from repro.schema import Artifact, ArtifactFile


@dataclass(frozen=True)
class Place:
    """One address to ask.

    Attributes:
        source: the address.
        is_sure: whether what lies there is meant to be the file: of a mirror's top folder, where several
            artifacts may have files of one name, that is not known before its content is.
    """

    source: Source
    is_sure: bool = True


class Fetcher:
    """Fetches files; one for all threads of a run.

    Args:
        cache: where to.
        settings: from where, and how patiently.
    """

    def __init__(self, cache: Cache, settings: Settings) -> None:
        self.cache, self.settings = cache, settings
        self._http = Http(settings)

    def fetch(self, artifact: Artifact, file: ArtifactFile, call: Call) -> Receipt:
        """Return the receipt of a file that now lies in the cache, sound.

        Raises:
            Contradiction: what came, or what lies in the cache of an offline call, is not what was stated.
            Unavailable: no address gave it; the message tells of each.
            PrerequisiteError: the disk is full.
            KeyboardInterrupt: the call was stopped.
        """
        path = self.cache.path(artifact.id, file.name)
        with self.cache.locked(path, call.stop):
            receipt, wrong = self.cache.read(path, file)
            if receipt is not None:
                return receipt
            try:
                return self._download(artifact, file, path, call)
            except Unavailable as error:
                if wrong is None:
                    raise
                raise Contradiction(
                    f"{artifact.id}: {file.name} in the cache cannot be used: {wrong}",
                    next_step=f"it could not be fetched anew: {error.message}",
                ) from error

    def _download(self, artifact: Artifact, file: ArtifactFile, path: Path, call: Call) -> Receipt:
        partial = path.with_name(f"{path.name}.partial")
        refusals: list[Unavailable] = []
        for place in self._places(artifact, file):
            try:
                measured = self._verified(place, file, partial, call)
            except Unavailable as error:
                refusals.append(error)
                continue
            except Contradiction:
                forget(partial)
                if place.is_sure:
                    raise
                continue
            except OSError as error:
                raise cannot_write(partial, error) from error
            receipt = Receipt(source=_shown(place.source), measured=measured)
            self.cache.keep(partial, path, receipt)
            forget(partial)
            return receipt
        raise _nowhere(artifact, file, refusals)

    def _places(self, artifact: Artifact, file: ArtifactFile) -> Iterator[Place]:
        folder, base = self.settings.mirror_folder, self.settings.mirror_url
        if folder is not None:
            for inner, sure in ((f"{artifact.id}/{file.name}", True), (file.name, False)):
                if (folder / inner).is_file():
                    local = str((folder / inner).resolve())
                    yield Place(Source(f"file:{local}", Transport.LOCAL, local, None), sure)
        if base is not None:
            for inner, sure in ((f"{artifact.id}/{file.name}", True), (file.name, False)):
                url = f"{base}/{quote(inner)}"
                yield Place(Source(url, Transport.HTTP, url, None), sure)
        for url in file.urls:
            yield Place(parse_source(url))

    def _verified(self, place: Place, file: ArtifactFile, partial: Path, call: Call) -> Measured:
        """Bring a file in and measure it; what was pieced together and is wrong is brought in once more, whole."""
        source = place.source
        received = self._bring(source, file, partial, call)
        measured = self._sound(source, file, partial)
        if measured.contradicts(file) and not received.whole:
            forget(partial)
            self._bring(source, file, partial, call)
            measured = self._sound(source, file, partial)
        refuse_other_content(measured, file, _shown(source))
        return measured

    def _sound(self, source: Source, file: ArtifactFile, partial: Path) -> Measured:
        try:
            if partial.stat().st_size == 0:
                raise Unavailable(f"{_shown(source)} gave an empty file instead of {file.name}")
            refuse_page_file(partial, _shown(source), file.name)
        except Unavailable:
            forget(partial)
            raise
        return measure(partial)

    def _bring(self, source: Source, file: ArtifactFile, partial: Path, call: Call) -> Received:
        if source.is_remote and self.settings.offline:
            raise Unavailable(f"{source.url}: the call is offline", next_step="fetch again without --offline")
        match source.transport:
            case Transport.BY_HAND:
                raise Unavailable(
                    f"{source.url} gives files only to people who have logged in",
                    next_step="log in there",
                )
            case Transport.WHEEL:
                wheel.download(source, partial, call)
                return Received(whole=True)
            case Transport.DRIVE_FILE | Transport.DRIVE_FOLDER:
                drive.download(source, partial, file.name, self._http, self.settings, call)
                return Received(whole=True)
        if source.member is None:
            return self._served(source, partial, file.name, call)
        archive = partial.with_name(f"{partial.name}.archive")
        received = self._served(source, archive, source.target.rpartition("/")[2], call)
        try:
            extract(archive, source.member, partial, source.url)
        finally:
            forget(archive)
        return received

    def _served(self, source: Source, partial: Path, name: str, call: Call) -> Received:
        if source.transport is Transport.KAGGLE:
            return kaggle.download(source, partial, name, self._http, self.settings, call)
        if source.transport is Transport.HTTP:
            return self._http.download(source.target, partial, name, call)
        if not Path(source.target).is_file():
            raise Unavailable(f"{_shown(source)}: there is no such file")
        shutil.copyfile(source.target, partial)
        return Received(whole=True)


def _shown(source: Source) -> str:
    """Return an address without the folders of this machine."""
    return source.url if source.is_remote else f"file:{Path(source.target).name}"


def _nowhere(artifact: Artifact, file: ArtifactFile, refusals: list[Unavailable]) -> Unavailable:
    by_hand = f"save it as FOLDER/{artifact.id}/{file.name} and run: repro fetch {artifact.id} --mirror FOLDER"
    label = artifact.id if file.name == artifact.id else f"{artifact.id}: {file.name}"
    if not refusals and artifact.page is not None:
        return Unavailable(
            f"{label} has no address that gives a file; see {artifact.page}", next_step=f"open that page, {by_hand}"
        )
    if not refusals:
        return Unavailable(
            f"{label} is published nowhere. {artifact.note}".strip(),
            next_step=f"if somebody gives it to you, {by_hand}",
        )
    told = "; ".join(refusal.message for refusal in refusals)
    steps = list(dict.fromkeys(refusal.next_step for refusal in refusals if refusal.next_step))
    return Unavailable(f"{label} could not be had: {told}", next_step="; or ".join([*steps[:1], by_hand]))
