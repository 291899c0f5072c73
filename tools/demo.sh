#!/bin/sh
# The main job, end to end, on this machine. KEEP=1 leaves it running.
exec "$(dirname "$0")/../.venv/bin/python" "$(dirname "$0")/demo.py" "$@"
