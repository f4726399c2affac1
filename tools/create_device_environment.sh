#!/bin/sh
# Creates the environment in which tests reach ttnn: Python 3.12 or 3.10 with the ttnn wheel. Without success the reason goes
# to DIRECTORY.reason, which the tests print when they skip; that is no failure.
# With `torch` as second argument it gets torch and TileLang too, if there is a card or simulator to run kernels on.
# usage: create_device_environment.sh DIRECTORY [torch]   (environment: TT_JIT_DEVICE_PYTHON names a Python that has ttnn already)
set -eu

directory=$1
wanted=${2:-}
version=0.81.1
# The stand-in for Tenstorrent's kernel compiler needs these; see ../shared/toolchain/README.md.
packages="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf libstdc++-12-dev"

rm -f "$directory.reason"
[ -z "${TT_JIT_DEVICE_PYTHON:-}" ] || exit 0

give_up() {
    echo "$1" >"$directory.reason"
    echo "device environment: $1; the tests that need it will be skipped"
    exit 0
}

if [ -x /opt/tenstorrent/sfpi/compiler/bin/riscv-tt-elf-g++ ]; then
    :
elif [ ! -d "${TT_JIT_TOOLCHAIN:-../shared/toolchain}" ]; then
    give_up "no kernel compiler: install SFPI, or let TT_JIT_TOOLCHAIN name the stand-in"
elif ! command -v riscv64-unknown-elf-g++ >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing $packages"
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1 || true
    fi
    command -v riscv64-unknown-elf-g++ >/dev/null 2>&1 || give_up "no cross compiler: apt-get install $packages"
fi

python=
for candidate in python3.12 python3.10 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 12)))' \
        >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || give_up "ttnn needs Python 3.12 or 3.10, and neither is here"

if ! "$directory/bin/python" -c "import importlib.metadata as m; assert m.version('ttnn') == '$version'" 2>/dev/null; then
    echo "creating $directory with $("$python" --version) and ttnn $version"
    rm -rf "$directory"
    "$python" -m venv "$directory"
    # The mock device computes nothing and does without torch, which is large.
    "$directory/bin/python" -m pip --disable-pip-version-check install --quiet "ttnn==$version" 'numpy<2' ||
        give_up "pip install ttnn==$version failed with $("$python" --version)"
fi

if [ "$wanted" = torch ] && { [ -n "${TT_METAL_SIMULATOR:-}" ] || [ -d /dev/tenstorrent ]; } &&
    ! "$directory/bin/python" -c "import pytest, tilelang, torch" 2>/dev/null; then
    echo "installing torch and TileLang in $directory"
    "$directory/bin/python" -m pip --disable-pip-version-check install --quiet --constraint constraints.txt \
        'numpy<2' pytest tilelang torch || give_up "pip install torch tilelang failed with $("$python" --version)"
fi
