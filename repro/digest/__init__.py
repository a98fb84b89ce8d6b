"""BLAKE3 digests of files, tensors and named sets."""

from repro.digest.array import as_array, dtype_name, tensor_digest
from repro.digest.file import file_digest, stream_digest
from repro.digest.manifest import folder_digest, folder_manifest, parse_manifest, set_digest, write_manifest
from repro.digest.stream import PiecesHasher, pieces_digest

__all__ = [
    "PiecesHasher",
    "as_array",
    "dtype_name",
    "file_digest",
    "folder_digest",
    "folder_manifest",
    "parse_manifest",
    "pieces_digest",
    "set_digest",
    "stream_digest",
    "tensor_digest",
    "write_manifest",
]
