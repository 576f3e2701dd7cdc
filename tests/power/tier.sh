#!/bin/sh
# `make test-power`: power cuts of a whole guest (User Mode Linux, a kernel as a process: neither KVM nor modules of this
# machine are needed) over this machine's root, read-only. Needs Debian and x86_64; root only where a package is missing.
# Ends with 77 and the words NOT RUN where it cannot run.
set -eu
cd "$(dirname "$0")/../.."
. tests/userland.sh

[ "$(uname -m)" = x86_64 ] || not_run "Debian's User Mode Linux is for x86_64" "Run it on a PC"
need_packages user-mode-linux busybox-static f2fs-tools e2fsprogs dosfstools gcc libc6-dev
missing=$(.venv/bin/python -c 'from tests.power.guests import missing; print(*missing())')
[ -z "$missing" ] || not_run "not found: $missing" "Install the packages named in tests/power/tier.sh"
.venv/bin/pytest -m power -s "$@" tests/power
say "done"
