#!/usr/bin/env bash
# The witness under an emulated processor, held against the recorded digests.
#   tests/canonical/emulate.sh                   x86-64 without AVX and FMA: kernels, MKL and oneDNN take their oldest paths
#   CPU=Westmere PYTHON=... .../emulate.sh       another processor, another environment
#   tests/canonical/emulate.sh aarch64 FOLDER    Arm, with another PyTorch (TORCH=2.9.1); FOLDER (1 GB) is made once
# Needs qemu-user-static (Debian); aarch64 also debootstrap, run as root. Half an hour each.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PYTHON=${PYTHON:-.venv/bin/python}
found=$(mktemp)
trap 'rm -f "$found"' EXIT
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
XDG_CACHE_HOME=$(mktemp -d)
export XDG_CACHE_HOME

make_arm() { # FOLDER: root/ with Debian's Python, site/ with the wheels
    mkdir -p "$1/wheels" "$1/site"
    "$PYTHON" -m pip download --quiet --only-binary=:all: --no-deps --dest "$1/wheels" \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
        --python-version 3.11 --implementation cp --abi cp311 --abi none \
        "torch==${TORCH:-2.9.1}" numpy==1.26.4 sympy==1.13.1 mpmath==1.3.0 networkx==3.4.2 filelock==3.16.1 \
        fsspec==2024.9.0 jinja2==3.1.6 MarkupSafe==3.0.2 typing_extensions==4.12.2
    for wheel in "$1"/wheels/*.whl; do "$PYTHON" -m zipfile --extract "$wheel" "$1/site"; done
    # Packages are unpacked, not configured: nothing of the guest runs but its Python.
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3,libgomp1 bookworm "$1/root"
    for package in "$1"/root/var/cache/apt/archives/*.deb; do dpkg-deb --extract "$package" "$1/root"; done
    touch "$1/complete"
}

if [ "${1:-}" = aarch64 ]; then
    machine=aarch64
    folder=$(realpath -m "${2:?say where the Arm system is or shall be}")
    [ -e "$folder/complete" ] || make_arm "$folder"
    export PYTHONPATH="$folder/site" PYTHONHOME=/usr REPRO_CANONICAL_KERNELS=off # there is no compiler
    qemu-aarch64-static -L "$folder/root" "$folder/root/usr/bin/python3.11" -S "$here/witness.py" | tee "$found"
else
    machine=${CPU:-Nehalem}
    export OPENBLAS_CORETYPE=Nehalem # else NumPy's OpenBLAS takes the emulated processor for one with AVX
    qemu-x86_64-static -cpu "$machine" "$PYTHON" "$here/witness.py" | tee "$found"
fi
if diff "$here/witness.txt" "$found"; then
    echo "identical: $machine computes what every machine computes"
else
    echo "different: see above; left is what is recorded" >&2
    exit 1
fi
