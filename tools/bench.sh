#!/bin/sh
# Every figure beside its peer, in the same run. Wants a quiet machine and about twenty minutes.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
image=.cache/bench/image
mkdir -p .cache/bench
tools/clients.sh .cache/clients
[ -d "$image" ] || $python bench/scan_image.py "$image"

$python bench/cli.py
$python bench/registry.py
$python bench/gate.py
$python bench/trust.py
$python bench/scan.py "$image" .cache/bench/peers # fetches Syft and Trivy as wheels, once
$python bench/scan_differences.py "$image" .cache/bench/peers # every difference explained
