#!/bin/sh
# `make test-drivers`: our V4L2 and ALSA sources on real kernel drivers (vivid, snd-aloop), which the machine itself may
# not have: Debian's own kernel in qemu, without KVM, over this machine's root, read-only. Needs root, Debian and x86_64.
# Ends with 77 and the words NOT RUN where it cannot run.
set -eu
cd "$(dirname "$0")/../.."
. tests/userland.sh

BOOT="virtio_pci 9pnet_virtio 9p overlay" # what the guest needs to see this machine's files
DRIVERS="vivid snd-aloop"
MINUTES=15 # an emulated processor; half of it is Python's imports

modules_of() { # NAME...: their files in the order they are loaded in, each once
    for name; do
        modprobe -d "$kernel" -S "$release" --show-depends "$name"
    done | awk '/^insmod/ && !seen[$2]++ { print $2 }'
}

build() { # FOLDER: vmlinuz and an initrd of busybox and modules
    kernel=$1
    release=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { sub("linux-image-", "", $2); print $2; exit }')
    [ -n "$release" ] || not_run "apt knows no linux-image-amd64" "Run apt-get update"
    say "taking Debian's kernel $release"
    (cd "$kernel" && quietly apt-get -q download "linux-image-$release" && dpkg-deb -x linux-image-*.deb . && rm ./*.deb)
    depmod -b "$kernel" "$release"
    mkdir -p "$kernel/initrd/bin" "$kernel/initrd/modules"
    cp "$(command -v busybox)" "$kernel/initrd/bin/busybox"
    for list in boot drivers; do
        [ "$list" = boot ] && wanted=$BOOT || wanted=$DRIVERS
        for module in $(modules_of $wanted); do
            cp "$module" "$kernel/initrd/modules/"
            echo "/modules/$(basename "$module")"
        done >"$kernel/initrd/$list"
    done
    cp tests/drivers/init "$kernel/initrd/init"
    chmod 755 "$kernel/initrd/init"
    (cd "$kernel/initrd" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$kernel/initrd.gz"
    cp "$kernel/boot/vmlinuz-$release" "$kernel/vmlinuz"
    rm -rf "$kernel/lib" "$kernel/boot" "$kernel/usr" "$kernel/initrd"
}

need_root_on_debian
[ "$(uname -m)" = x86_64 ] || not_run "this tier's kernel is for x86_64" "On a Pi use make test-hardware"
need_packages qemu-system-x86 busybox-static kmod
mkdir -p "$CACHE"
root=$CACHE/drivers-$(cat tests/drivers/tier.sh tests/drivers/init | sha256sum | cut -c 1-16)
if [ ! -d "$root" ]; then
    rm -rf "$CACHE"/drivers-*
    mkdir -p "$root.partial"
    build "$PWD/.cache/$(basename "$root").partial"
    mv "$root.partial" "$root"
fi
said=$(mktemp)
say "booting $(basename "$root")"
timeout "$((60 * MINUTES))" qemu-system-x86_64 -accel tcg,thread=multi -cpu Nehalem -smp 2 -m 1500 -nodefaults -display none -serial stdio -no-reboot \
    -kernel "$root/vmlinuz" -initrd "$root/initrd.gz" \
    -append "console=ttyS0 loglevel=4 panic=-1 project=$PWD" \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    </dev/null | stdbuf -oL tr -d "\r" | tee "$said"
grep -q '^drivers: 0$' "$said" || { rm -f "$said"; echo "The tests on the kernel's drivers failed."; exit 1; }
rm -f "$said"
say "done"
