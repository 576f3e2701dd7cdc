#!/bin/sh
# `make test-hardware`: the camera's questions on a real Raspberry Pi with its real camera, with picamera2 from apt.
# Ends with 77 and the words NOT RUN on any other machine, and where there is no camera.
set -eu
cd "$(dirname "$0")/../.."
. tests/userland.sh

MODEL=/proc/device-tree/model
grep -qs 'Raspberry Pi' "$MODEL" || not_run "this is no Raspberry Pi" "Run it on a recorder"
python3 -c 'import picamera2' 2>/dev/null || not_run "picamera2 is not installed" "apt install python3-picamera2"
python3 -c 'import sys; from picamera2 import Picamera2; sys.exit(not Picamera2.global_camera_info())' \
    || not_run "libcamera sees no camera" "Check the cable with rpicam-hello --list-cameras"
say "$(tr -d '\0' <"$MODEL")"
venv=$CACHE/hardware
if [ ! -e "$venv/installed" ]; then
    say "installing"
    mkdir -p "$CACHE"
    python3 -m venv --system-site-packages "$venv" # picamera2 and libcamera are the system's
    quietly "$venv/bin/python" -m pip install --quiet --editable '.[test]'
    touch "$venv/installed"
fi
exec "$venv/bin/python" -m pytest -m hardware tests/camera "$@"
