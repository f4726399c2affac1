#!/bin/sh
# Creates the virtual environment DIRECTORY with the first Python between 3.10 and 3.12 that runs here.
# usage: create_environment.sh DIRECTORY      (environment: PYTHON names the interpreter to use instead)
set -eu

directory=$1

suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1
}

python=
for candidate in ${PYTHON:-python3.12 python3.11 python3.10 python3}; do
    if suitable "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "error: no Python 3.10, 3.11 or 3.12 found (tried: ${PYTHON:-python3.12 python3.11 python3.10 python3})" >&2
    echo "hint: apt-get install python3 python3-venv, or: make PYTHON=/path/to/python" >&2
    exit 1
fi

if ! command -v g++ >/dev/null 2>&1 && ! command -v clang++ >/dev/null 2>&1; then
    echo "warning: neither g++ nor clang++ is installed; the emulator will need 'apt-get install g++' or 'pip install ziglang'" >&2
fi

echo "creating $directory with $("$python" --version)"
rm -rf "$directory"
if "$python" -c 'import ensurepip' >/dev/null 2>&1; then
    "$python" -m venv "$directory"
else
    # Debian splits ensurepip into python3-venv; an installed pip of 2022 or later can serve the environment just as well.
    "$python" -m venv --without-pip "$directory"
    if ! "$python" -m pip --python "$directory/bin/python" install --quiet pip; then
        rm -rf "$directory"
        echo "error: $python can neither bootstrap pip (no ensurepip) nor lend its own" >&2
        echo "hint: apt-get install python3-venv" >&2
        exit 1
    fi
fi
