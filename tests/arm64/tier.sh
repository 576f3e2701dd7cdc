#!/bin/sh
# `make test-arm64`: the fast tests and one short recording on aarch64, in an emulated Debian userland: the nearest thing to
# a Pi that a PC has. It tells of wheels, word sizes and byte orders, never of speed. Needs root and Debian.
# Ends with 77 and the words NOT RUN where it cannot run.
set -eu
cd "$(dirname "$0")/../.."
. tests/userland.sh

BINFMT=/proc/sys/fs/binfmt_misc
BINFMT_RULE=/usr/lib/binfmt.d/qemu-aarch64.conf # of qemu-user-static; its F flag keeps the emulator open for chroots

emulate_arm64() { # let this kernel start aarch64 programs
    [ "$(uname -m)" != aarch64 ] || return 0
    [ -e "$BINFMT/register" ] || mount -t binfmt_misc binfmt_misc "$BINFMT" 2>/dev/null \
        || not_run "this kernel has no binfmt_misc" "Run it on another kernel"
    [ -e "$BINFMT/qemu-aarch64" ] || cat "$BINFMT_RULE" >"$BINFMT/register" 2>/dev/null \
        || not_run "the emulator could not be registered with the kernel" "Run it outside that container"
}

build() { # ROOT: unpacked and not configured, which would take eight minutes in the emulation
    rm -rf --one-file-system "$1"
    say "building an aarch64 $SUITE userland (about half a minute)"
    quietly mmdebstrap --arch=arm64 --variant=extract \
        --include=python3,libpython3-stdlib,libstdc++6,openssl,bash,dash,coreutils,gawk,sed,grep,libc-bin \
        "$SUITE" "$1" "deb $(debian_mirror) $SUITE main"
    ln -sf gawk "$1/usr/bin/awk" # what configuring would have done
    say "putting Python's packages into it"
    wheels "$(site_of "$1")" aarch64
}

need_root_on_debian
need_packages mmdebstrap debian-archive-keyring qemu-user-static
mkdir -p "$CACHE"
emulate_arm64
name=arm64-$(recipe tests/arm64/tier.sh)
root=$CACHE/$name
if [ ! -d "$root" ]; then
    rm -rf --one-file-system "$CACHE"/arm64-*
    build "$root.partial"
    mv "$root.partial" "$root"
fi
say "using $name"
enter "$root" 'python3 -c "import platform, ssl, sqlite3; print(platform.machine(), platform.python_version(), ssl.OPENSSL_VERSION, sqlite3.sqlite_version)"'
say "one short recording"
enter "$root" "python3 -m pytest -q -p no:cacheprovider -m arm64 tests/arm64 ${*:-}"
# Evidence by its vectors and its seals: the other questions to it are asked of ten times faster machines.
say "the fast tests: wire, duty, control"
enter "$root" "python3 -m pytest -q -p no:cacheprovider tests/agent/wire tests/agent/duty tests/agent/control"
say "the fast tests: evidence"
enter "$root" "python3 -m pytest -q -p no:cacheprovider -k 'not without_a_complaint' \
    tests/agent/evidence/test_vectors.py tests/agent/evidence/test_segment.py tests/agent/evidence/test_recovery.py"
say "done"
