#!/bin/sh
# Installs by name the Debian or Ubuntu packages that are missing, and is silent when none is:
#   setup.sh [--tests] [--bench] [--mpi] [--fashion-mnist]
#   setup.sh --fetch
# Without options: what building and training need; --tests: what the tests add; --bench: what the
# comparison with PyTorch adds; --mpi: training over several processes and hosts; --fashion-mnist: Debian's data set in MNIST's format. --fetch: only what
# fetch_mnist.sh needs. Elsewhere it prints the names and fails, unless the tools are there.
set -eu

needed='build-essential meson ninja-build pkg-config python3 opencl-headers ocl-icd-opencl-dev
    pocl-opencl-icd libclblast-dev zlib1g-dev libjansson-dev nettle-dev libcairo2-dev
    libzip-dev
    libprotobuf-c-dev protobuf-c-compiler libonnx-dev libpng-dev libjpeg-dev libwebp-dev libtiff-dev
    libgif-dev libleptonica-dev libmicrohttpd-dev
    gzip curl ca-certificates'
commands='cc meson ninja pkg-config python3 protoc-c'
libraries='OpenCL clblast zlib jansson nettle cairo libzip libprotobuf-c libpng libjpeg libwebpdemux libtiff-4
    lept libmicrohttpd'
optional=

if [ "$*" = --fetch ]; then
    needed='gzip curl ca-certificates'
    commands='gzip curl'
    libraries=
    shift
fi
for argument; do
    case $argument in
        --tests)
            needed="$needed check python3-numpy"
            libraries="$libraries check"
            # Not in every release: the tests that want one of them are skipped without it.
            optional='python3-torch oclgrind mesa-opencl-icd dataset-fashion-mnist shellcheck
                clang libclang-rt-dev clang-tidy cppcheck doxygen mandoc chromium chromium-driver
                locales'
            ;;
        # PyTorch is many times slower on the reference BLAS that it comes with.
        --bench) needed="$needed python3-torch libopenblas0-pthread" ;;
        --mpi)
            needed="$needed libopenmpi-dev openmpi-bin"
            commands="$commands mpirun"
            libraries="$libraries ompi-c"
            ;;
        --fashion-mnist) needed="$needed dataset-fashion-mnist" ;;
        *)
            echo "setup.sh: expected --tests, --bench, --mpi or --fashion-mnist, found '$argument'" >&2
            exit 2
            ;;
    esac
done

say() { echo "setup.sh: $*" >&2; }

# An installed package, or another that gives the same: each is one command.
is_there() {
    case $1 in
        pkg-config) command -v pkg-config >/dev/null 2>&1 && return ;;
        curl) command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 && return ;;
    esac
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) in
        ?i*) return 0 ;;
        *) return 1 ;;
    esac
}

missing_of() {
    for package; do
        is_there "$package" || printf '%s ' "$package"
    done
}

has_tools() {
    for command in $commands; do
        command -v "$command" >/dev/null 2>&1 || return 1
    done
    for library in $libraries; do
        pkg-config --exists "$library" 2>/dev/null || return 1
    done
    case $needed in
        *dataset-fashion-mnist*) [ -d /usr/share/datasets/fashion-mnist ] ;;
    esac
}

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    has_tools && exit 0
    say 'expected Debian or Ubuntu (apt-get), found another system; install the equivalents of these packages:'
    # shellcheck disable=SC2086  # a list of words
    printf '    %s\n' $needed $optional >&2
    exit 1
fi

# shellcheck disable=SC2086  # lists of words, here and below
missing=$(missing_of $needed)
# shellcheck disable=SC2086
wanted=$(missing_of $optional)
[ -n "$missing$wanted" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1; then
        sudo=sudo
    elif [ -z "$missing" ] || has_tools; then
        exit 0
    else
        say "packages are missing, and neither root nor sudo is here; as root run: apt-get install --no-install-recommends $missing"
        exit 1
    fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# apt-get's output is shown only when it fails: it is long.
apt() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@" >"$log" 2>&1 </dev/null
}

updated=
update() {
    [ -z "$updated" ] || return 0
    updated=yes
    apt update || say "apt-get update failed; going on with the package lists that are there"
}

is_available() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

if [ -n "$missing" ]; then
    say "installing: $missing"
    update
    # shellcheck disable=SC2086
    if ! apt install --no-install-recommends $missing; then
        cat "$log" >&2
        say "apt-get could not install: $missing"
        exit 1
    fi
fi

# Package lists that were never fetched know nothing: then ask first.
[ -z "$wanted" ] || is_available python3 || update
absent=
for package in $wanted; do
    if is_available "$package"; then
        say "installing: $package"
        update
        apt install --no-install-recommends "$package" || absent="$absent $package"
    else
        absent="$absent $package"
    fi
done
[ -z "$absent" ] || say "not to be had here, tests that want it are skipped:$absent"
