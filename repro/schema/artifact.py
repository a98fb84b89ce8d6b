"""What a system's authors published or expect to be there: checkpoints, backbones, data sets."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from repro.schema.base import Frozen
from repro.schema.claim import Name, Text


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or not path.name:
        raise ValueError(f"{name!r}: expected the name of a file below the artifact's own folder")
    return name


FileName = Annotated[Text, StringConstraints(pattern=r"^[^\x00-\x1f{}\\]+$"), AfterValidator(_inside)]
Url = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:\S+$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha1 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Sha256Prefix = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]


class ArtifactFile(Frozen):
    """One file of an artifact.

    Attributes:
        name: its path below the artifact's folder, with forward slashes.
        urls: where it was published, in order of preference. Beside ``https:`` there are
            ``pypi:PROJECT==VERSION``, ``kaggle:COMPETITION/FILE`` and ``file:``; ``!MEMBER`` at the end
            names a file inside the archive, wheel or Drive folder.
        size: in bytes.
        md5, sha1, sha256: as the publisher states them, of the file itself and not of an archive around it.
        sha256_prefix: the first eight digits of the SHA-256, which the names of some published files carry.
        git_blob_sha1: the name of the file's content in git: SHA-1 over ``blob SIZE\\0`` and the bytes.
    """

    name: FileName
    urls: tuple[Url, ...] = ()
    size: Annotated[int, Field(strict=True, gt=0)] | None = None
    md5: Md5 | None = None
    sha1: Sha1 | None = None
    sha256: Sha256 | None = None
    sha256_prefix: Sha256Prefix | None = None
    git_blob_sha1: Sha1 | None = None

    @property
    def stated(self) -> dict[str, str]:
        """The digests that somebody stated, by their field's name."""
        fields = ("md5", "sha1", "sha256", "sha256_prefix", "git_blob_sha1")
        return {name: value for name in fields if (value := getattr(self, name)) is not None}

    @property
    def is_identified(self) -> bool:
        """Whether a whole digest is stated; a prefix of one is a check, but no identity."""
        return any(name != "sha256_prefix" for name in self.stated)


class Artifact(Frozen):
    """Something to download, one file or several that belong together.

    In ``artifacts.toml`` the fields of a single file stand in the artifact itself, with ``filename`` for its name;
    without ``filename`` the file is called like the artifact. Several files are ``[[artifact.file]]`` tables.

    Attributes:
        id: unique among all systems.
        system: name of the system, ``shared`` for what several use.
        kind: what it is.
        host: who serves the first URL.
        files: what it consists of.
        page: where a person gets it, or reads how.
        layout: where and how the authors' code expects it.
        columns: the header of a table.
        used_in_ensemble, in_benchmark: whether the published ensemble, or the published table, needs it.
        note: facts about it that no field holds.
    """

    id: Name
    system: Name
    kind: Literal["dataset", "checkpoint", "backbone", "detector", "document"]
    host: Literal["dropbox", "google-drive", "github-release", "hugging-face", "kaggle", "baidu", "pypi", "other"]
    files: Annotated[tuple[ArtifactFile, ...], Field(min_length=1, alias="file")]
    page: Url | None = None
    layout: Text | None = None
    columns: Text | None = None
    used_in_ensemble: bool | None = None
    in_benchmark: bool | None = None
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _lifted(cls, data: Any) -> Any:
        """Make the one file of a flat entry."""
        if not isinstance(data, dict) or "file" in data or "files" in data:
            return data
        own = {name: data[name] for name in ArtifactFile.model_fields if name in data}
        rest = {name: value for name, value in data.items() if name not in own and name != "filename"}
        return {**rest, "file": [{**own, "name": data.get("filename", data.get("id"))}]}

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [file.name for file in self.files]
        if len(set(names)) < len(names):
            raise ValueError("two files have one name")
        return self

    @property
    def is_published(self) -> bool:
        """Whether each of its files has an address."""
        return all(file.urls for file in self.files)
