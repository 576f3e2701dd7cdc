#!/bin/sh
# `make test-mosquitto`: the broker tests on Mosquitto 2.1, which only Debian unstable has: taken from there into a
# userland of its own and put in this machine's place for these tests alone. Needs root, Debian and the network.
# Ends with 77 and the words NOT RUN where it cannot run.
set -eu
cd "$(dirname "$0")/../.."
. tests/userland.sh

need_root_on_debian
need_packages mosquitto mmdebstrap debian-archive-keyring
[ "$(uname -m)" = x86_64 ] || not_run "this userland is made for x86_64" "Run it on a PC"
mkdir -p "$CACHE"
root=$CACHE/mosquitto-2.1
if [ ! -d "$root" ]; then
    say "building an unstable userland (about a minute and a half)"
    rm -rf --one-file-system "$root.partial"
    quietly mmdebstrap --aptopt='Acquire::Check-Valid-Until "false"' --variant=minbase --include=mosquitto \
        sid "$root.partial" "deb $(debian_mirror) sid main" || not_run "could not build it" "Try again with a network"
    mv "$root.partial" "$root"
fi
cat >"$root/mosquitto" <<END
#!/bin/sh
exec $root/usr/lib64/ld-linux-x86-64.so.2 --library-path $root/usr/lib/x86_64-linux-gnu $root/usr/sbin/mosquitto "\$@"
END
chmod 755 "$root/mosquitto"
say "$("$root/mosquitto" -h | head -n 1)"
unshare -m sh -euc 'mount --bind "$1" /usr/sbin/mosquitto; shift; exec .venv/bin/pytest "$@"' tier "$root/mosquitto" \
    tests/provisioning/test_brokers.py tests/provisioning/test_access.py "$@"
