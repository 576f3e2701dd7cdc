#!/bin/sh
# Install what tests/system-packages.txt names, when this is Debian (or Raspberry Pi OS) and we are root; elsewhere say
# what is missing: the tests that need it are then skipped by name.
set -eu
list=$(dirname "$0")/system-packages.txt
missing=""
for package in $(sed 's/#.*//' "$list" | awk 'NF { print $1 }'); do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing:$missing"
    log=$(mktemp)
    if { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install $missing; } \
        >"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 20 "$log"
    rm -f "$log"
fi
echo "Missing, so the tests that need them are skipped by name:$missing"
