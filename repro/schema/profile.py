"""A profile: all that can change bits on one machine in one stack. A profile class: which of it must match."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from repro.schema.base import Document, Frozen

Scalar = str | int | bool | None
Device = Literal["cpu", "cuda"]


class Cpu(Frozen):
    """The processor, as it looks after caps.

    Attributes:
        instruction_sets: names of the vector extensions that the processor has (``avx2``, ``avx512f``, ...), sorted.
        isa: the level that kernels may use after caps: ``baseline``, ``avx2``, ``avx512``, or on
            other architectures the architecture's own name; ``-onednn-off`` follows where oneDNN is kept out.
        l1d_kib, l2_kib: cache per core in KiB; oneDNN blocks its loops by it. ``None`` if unknown.
    """

    architecture: str
    vendor: str
    name: str
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    logical_cores: int
    instruction_sets: tuple[str, ...]
    isa: str
    l1d_kib: int | None = None
    l2_kib: int | None = None


class Gpu(Frozen):
    """One GPU, as NVML names it. Memory in MiB; ``None`` where it has none of its own or nobody tells."""

    name: str
    compute_capability: str
    memory_mib: int | None = None


class Cuda(Frozen):
    """The GPU software: driver from NVML, CUDA and cuDNN as the framework was built with or loads."""

    driver: str | None
    runtime: str | None = None
    cudnn: str | None = None


class ThreadPool(Frozen):
    """One native library with threads of its own (BLAS, OpenMP), as loaded in the framework's process."""

    user_api: str
    internal_api: str
    version: str | None
    architecture: str | None = None
    threads: int


class FrameworkState(Frozen):
    """What the framework says of itself in its own process.

    Attributes:
        kernels: which kernels its libraries chose: ``aten``, ``onednn``, ``mkl`` ... to a level or version.
        precision: switches that change results: TF32, reduced-precision reductions, deterministic flags.
    """

    name: str
    version: str
    kernels: dict[str, Scalar] = {}
    precision: dict[str, Scalar] = {}
    threads: dict[str, int] = {}
    pools: tuple[ThreadPool, ...] = ()


class Caps(Frozen):
    """Limits set from outside so that a machine stands in for a lesser one. ``None`` is no limit."""

    isa: str | None = None
    threads: int | None = None


class Profile(Document):
    """One machine in one stack. Names no host and no user.

    Attributes:
        device: where the computation runs. A machine with a GPU that computes on its processor is ``cpu``.
    """

    kind: ClassVar[str] = "repro-profile"

    device: Device = "cpu"
    operating_system: str
    libc: str
    python: str
    cpu: Cpu
    gpus: tuple[Gpu, ...] = ()
    cuda: Cuda | None = None
    framework: FrameworkState | None = None
    caps: Caps = Caps()

    def fields(self) -> dict[str, Scalar]:
        """Return every leaf under its dotted name, e.g. ``cpu.isa`` or ``gpus.0.name``; lists of names joined."""
        flat: dict[str, Scalar] = {}

        def walk(prefix: str, value: object) -> None:
            if isinstance(value, dict):
                for key, inner in value.items():
                    walk(f"{prefix}.{key}" if prefix else str(key), inner)
            elif isinstance(value, list) and all(isinstance(item, str) for item in value):
                flat[prefix] = " ".join(value)
            elif isinstance(value, list):
                for index, inner in enumerate(value):
                    walk(f"{prefix}.{index}", inner)
            else:
                flat[prefix] = value  # type: ignore[assignment]  # a JSON leaf

        walk("", self.model_dump(mode="json"))
        return flat


class ProfileClass(Frozen):
    """A class of profiles: one file in ``hardware_profiles/``.

    Attributes:
        name: also the name of its file, without ``.toml``.
        match: dotted profile field to the value that it must have; all must hold.
        source: where the class comes from: a publication, or the command that wrote it.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=200)]
    title: str
    source: str
    match: dict[str, Scalar]
