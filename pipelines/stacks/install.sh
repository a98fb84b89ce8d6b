#!/bin/sh
# Makes one stack's environment from its lock: install.sh PYTHON STACK FOLDER
# The stamp is written last, so an interrupted install is taken up again.
set -eu
python=$1 stack=$2 folder=$3
command -v "$python" >/dev/null || { echo "$python is missing; install Python 3.11 or give PYTHON=path" >&2; exit 3; }
echo "$stack stack: installing $(grep -c == "pipelines/stacks/$stack.txt") locked packages into $folder (minutes, once)" >&2
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
"$folder/bin/python" -m pip install -qq --disable-pip-version-check -r "pipelines/stacks/$stack.txt"
"$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
touch "$folder/.ready"
