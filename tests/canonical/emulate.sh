#!/bin/sh
# The witness under an emulated processor without AVX and FMA: the kernels, MKL and oneDNN take their oldest paths.
#   sh tests/canonical/emulate.sh            needs qemu-user (Debian: apt install qemu-user) and half an hour
#   CPU=Westmere PYTHON=... sh ...           another processor, another environment
# Another architecture: run witness.py itself there, or by qemu-aarch64 with that architecture's Python and torch.
set -eu
here=$(dirname "$0")
found=$(mktemp)
trap 'rm -f "$found"' EXIT
OMP_NUM_THREADS=1 XDG_CACHE_HOME=$(mktemp -d) \
    qemu-x86_64 -cpu "${CPU:-Nehalem}" "${PYTHON:-.venv/bin/python}" "$here/witness.py" | tee "$found"
if diff "$here/witness.txt" "$found"; then
    echo "identical: ${CPU:-Nehalem} computes what every machine computes"
else
    echo "different: see above; left is what is recorded" >&2
    exit 1
fi
