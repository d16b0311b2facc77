#!/bin/sh
# Set up the environment: setup.sh PYTHON VENV EXTRAS
# uv does the work in a quarter of pip's time; where it is not to be had, pip does.
set -eu
python=$1 venv=$2 extras=$3

fail() { printf 'setup: %s\n' "$*" >&2; exit 2; }

command -v "$python" >/dev/null 2>&1 || fail "no '$python' here: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] < (3, 15)))' ||
    fail "'$python' is Python $version; 3.11 up to 3.14 is needed: make PYTHON=/path/to/python3"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "Python $version has no working 'venv' module: install it (Debian, Ubuntu: apt install python$version-venv), then run make again"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"

# uv reads no pip configuration: an index that is configured for pip is handed on.
if [ -z "${UV_DEFAULT_INDEX:-}" ]; then
    index=${PIP_INDEX_URL:-$("$venv/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
fi

echo "setup: installing into $venv (Python $version)"

with_uv() {
    [ -z "${QSOPS_SETUP_WITHOUT_UV:-}" ] || return 1
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || return 1
    # Without byte-compiling, each notebook's kernel would pay three seconds more. The machine's own certificates
    # count, as they do for pip: a company's proxy is known to them alone.
    UV_COMPILE_BYTECODE=1 UV_SYSTEM_CERTS=1 VIRTUAL_ENV=$venv "$venv/bin/uv" pip install --quiet \
        --python "$venv/bin/python" -e ".[$extras]" -c constraints.txt
}

with_pip() {
    echo "setup: uv is not to be had, pip takes a minute longer"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[$extras]" -c constraints.txt ||
        fail "the packages could not be installed: is a package index reachable? The lines above say more"
    "$venv/bin/python" -m compileall -q "$venv/lib" >/dev/null || true
}

with_uv || with_pip
