#!/bin/sh
# `make test-camera`: our Pi source on the real picamera2 and libcamera, in a Debian userland with libcamera's virtual
# pipeline as the sensor; then the fast tests on that userland's Python, and the figures. Needs root and Debian.
# Ends with 77 and the words NOT RUN where it cannot run.
set -eu
cd "$(dirname "$0")/../.."
. tests/userland.sh

PIDNG=pidng==4.0.9 # raw pictures; picamera2 imports it always, and it has no wheel
LIBARCHIVE=libarchive13t64

build() { # ROOT
    rm -rf --one-file-system "$1"
    mirror=$(debian_mirror)
    say "building a $SUITE userland (about a minute and a half)"
    # libcamera's virtual pipeline counts frames rightly from 0.5 on; $SUITE itself has 0.4.
    quietly mmdebstrap --variant=minbase \
        --include="python3,python3-pip,python3-dev,python3-setuptools,python3-wheel,gcc,libc6-dev,$LIBARCHIVE" \
        --include=python3-prctl,python3-libcamera,libcamera-ipa,libasound2-data,ffmpeg,openssl \
        --setup-hook='mkdir -p "$1/etc/apt/preferences.d"; cp tests/camera/preferences "$1/etc/apt/preferences.d/libcamera"' \
        "$SUITE" "$1" "deb $mirror $SUITE main" "deb $mirror $SUITE-backports main"
    say "putting Python's packages into it"
    wheels "$(site_of "$1")" x86_64 -r tests/camera/requirements.txt
    PIP_CONSTRAINT="" quietly .venv/bin/python -m pip download --quiet --no-deps --no-binary=:all: --dest "$1/opt" "$PIDNG"
    enter "$1" 'python3 -m pip install --quiet --no-compile --no-index --no-deps --no-build-isolation \
        --break-system-packages --root-user-action=ignore /opt/pidng-*.tar.gz 2>/dev/null'
}

need_root_on_debian
[ "$(uname -m)" = x86_64 ] || not_run "this userland is made for x86_64" "On a Pi use make test-hardware"
need_packages mmdebstrap debian-archive-keyring
mkdir -p "$CACHE"
name=camera-$(recipe tests/camera/tier.sh tests/camera/requirements.txt tests/camera/preferences)
root=$CACHE/$name
if [ ! -d "$root" ]; then
    rm -rf "$CACHE"/camera-*
    build "$root.partial"
    mv "$root.partial" "$root"
fi
say "using $name"

mkdir -p "$root/usr/share/libcamera/pipeline/virtual"
cp tests/camera/virtual.yaml "$root/usr/share/libcamera/pipeline/virtual/"
enter "$root" true
chroot "$root" gcc -Wall -Wextra -Werror -O2 -shared -fPIC -x c -o /opt/fake_dma_heap.so - <tests/camera/fake_dma_heap.c
with_camera='export LD_PRELOAD=/opt/fake_dma_heap.so PYTHONPATH=/work/tests/camera/stubs LIBCAMERA_LOG_LEVELS=*:ERROR;'
# picamera2 and libcamera warn about themselves; our own warnings stay errors in every other tier.
lenient='-W ignore::ResourceWarning -W ignore::DeprecationWarning -W ignore::pytest.PytestUnraisableExceptionWarning'

sync # what was built or tested before is on the disk, and no longer in the recordings' way
say "picamera2 on libcamera's virtual pipeline"
enter "$root" "$with_camera python3 -m pytest -p no:cacheprovider -m camera $lenient tests/camera ${*:-}"
say "figures"
enter "$root" "$with_camera python3 -m tests.camera.figures"
say "the fast tests on Python $PYTHON_VERSION"
enter "$root" "python3 -m pytest -q -p no:cacheprovider -n auto --dist loadgroup $FAST_TESTS"
say "done"
