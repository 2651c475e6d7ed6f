#!/bin/sh
# Prepares a checkout: system packages with apt where a program is missing, then .venv from requirements.lock.
#
# Runs in a fraction of a second when there is nothing to do. Exit code 5: something is missing that it may not or cannot
# install; the command to run is printed. Set PYTHON to choose the interpreter (3.11 or newer).
set -eu
cd "$(dirname "$0")/.."

STAMP=.venv/.edgeq-setup
WITH_SLOW=${1:-}

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# The programs that edgeq and its tests call, each as the package that brings it. `setup.sh slow` adds those of the slow
# tests: other compilers, and a computer of the other byte order.
missing_packages() {
    if ! have arm-none-eabi-gcc; then
        echo gcc-arm-none-eabi
        echo libnewlib-arm-none-eabi
    elif [ "$(arm-none-eabi-gcc -print-file-name=libc.a)" = libc.a ]; then
        echo libnewlib-arm-none-eabi # gcc answers with the bare name when it has no such file
    fi
    have qemu-system-arm || echo qemu-system-arm
    if ! have aarch64-linux-gnu-gcc; then
        echo gcc-aarch64-linux-gnu
        echo libc6-dev-arm64-cross
    elif [ "$(aarch64-linux-gnu-gcc -print-file-name=libc.a)" = libc.a ]; then
        echo libc6-dev-arm64-cross
    fi
    have qemu-aarch64 || echo qemu-user
    have gdb-multiarch || echo gdb-multiarch
    have g++ || echo g++
    have cmake || echo cmake
    have make || echo make
    if [ "$WITH_SLOW" = slow ]; then
        have clang || echo clang
        have ld.lld || echo lld
        if ! have s390x-linux-gnu-gcc; then
            echo gcc-s390x-linux-gnu
            echo libc6-dev-s390x-cross
        elif [ "$(s390x-linux-gnu-gcc -print-file-name=libc.a)" = libc.a ]; then
            echo libc6-dev-s390x-cross
        fi
        have qemu-s390x || echo qemu-user
    fi
    [ -x .venv/bin/python ] || find_python >/dev/null || echo python3-venv
}

# The first Python that is new enough and can make environments. Debian's has no ensurepip without python3-venv.
find_python() {
    for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14}; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

install_packages() {
    command="apt-get install --yes --no-install-recommends $*"
    if ! have apt-get; then
        say "missing: $*"
        say "this system has no apt-get; install the same programs with its own package manager"
        exit 5
    fi
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as_root=sudo
    else
        say "packages are missing, and this user may not install them; run as root, then try again:"
        printf '%s\n' "$command" >&2
        exit 5
    fi
    say "installing $*"
    # Each argument is a package name from the list above. $as_root is one word or none.
    # shellcheck disable=SC2086
    if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$@" >&2; }; then
        say "apt failed; the command was:"
        printf '%s\n' "$command" >&2
        exit 5
    fi
}

# Where the environment was made (scripts in .venv/bin hold that path), and from what.
fingerprint() {
    pwd
    cat requirements.lock pyproject.toml | sha256sum
}

moved() { [ -f "$STAMP" ] && read -r made_in <"$STAMP" && [ "$made_in" != "$(pwd)" ]; }

make_environment() {
    if [ -L .venv ]; then
        say ".venv is a link; what it leads to may serve others, so it is not remade: set that one up, or remove the link"
        exit 5
    fi
    if moved || ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        if ! python=$(find_python); then
            say "no Python 3.11 or newer that can make environments was found; set PYTHON to one"
            exit 5
        fi
        say "creating .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    say "installing Python packages into .venv"
    # --require-hashes: nothing but what the lock names. hatchling comes from the lock too, hence no build isolation.
    if ! { .venv/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock >&2 &&
        .venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e . >&2; }; then
        say "pip failed (see above); network access to a package index is needed once"
        exit 5
    fi
    fingerprint >"$STAMP"
}

packages=$(missing_packages)
# Package names hold no spaces: splitting is wanted.
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages
if [ ! -f "$STAMP" ] || [ "$(cat "$STAMP")" != "$(fingerprint)" ]; then
    make_environment
fi
