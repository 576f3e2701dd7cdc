#!/bin/sh
# Runs once on a device, from its card: puts the programs in place and has the device enrol at every start until it is
# one. `sh install.sh [CARD [ROOT]]`; with ROOT into an image, where nothing is started. Running it again changes nothing.
# What a device does not need (a recorder no screen) is enabled too and does not start: the units' conditions say so.
set -eu
card=${1:-/boot/firmware/liuhen}
root=${2:-}
opt=$root/opt/liuhen
units="liuhen-firstboot liuhen-settle liuhen-agent liuhen-page liuhen-renew.timer liuhen-kiosk liuhen-screen"
[ -n "$root" ] || exec > "$card/install.log" 2>&1  # FAT: a card reader shows it
version=$(cat "$card/wheels/VERSION" 2>/dev/null || echo installed)
release=$opt/releases/$version
if [ -f "$card/wheels/requirements.txt" ] && [ ! -f "$release/complete" ]; then
    rm -rf "$release"
    # picamera2 and libcamera come from Raspberry Pi OS; everything else stands on the card, each file by its hash.
    "${PYTHON:-python3}" -m venv --system-site-packages "$release"
    "$release/bin/python" -m pip install --quiet --no-index --find-links "$card/wheels" --require-hashes \
        --disable-pip-version-check -r "$card/wheels/requirements.txt"
    sync  # pip syncs nothing, and `complete` must not outlive what it speaks of
    : > "$release/complete"
fi
if [ -f "$release/complete" ]; then
    ln -sfn "releases/$version" "$opt/current.new" && mv -T "$opt/current.new" "$opt/current"
    [ -e "$opt/bin" ] || ln -s current/bin "$opt/bin"
    sh "$("$release/bin/python" -c 'import firmware_hooks as f; print(f.__path__[0])')/place.sh" "$root" > /dev/null
fi
if [ -z "$root" ]; then
    command -v raspi-config > /dev/null && { raspi-config nonint do_serial_cons 1; raspi-config nonint do_serial_hw 0; }
    systemd-sysusers
    systemd-tmpfiles --create
    udevadm control --reload
    systemctl daemon-reload
    systemctl enable $units
    [ "${LIUHEN_START:-yes}" = no ] || systemctl start --no-block liuhen-firstboot liuhen-renew.timer
elif command -v systemctl > /dev/null; then
    systemctl --quiet --root="$root" enable $units
fi
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $version" > "$card/applied.txt"
