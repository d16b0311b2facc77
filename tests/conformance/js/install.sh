#!/bin/sh
# Install the JavaScript SDK for the conformance tests, at the versions of package-lock.json, from whatever registry npm
# is set up with. A second run with nothing to do ends at once.
set -eu
cd "$(dirname "$0")"

# Exit status 3 means: no Node, and nothing was tried.
if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
    echo "tests/conformance/js: Node 20 or later with npm is needed. Install it, or set QSOPS_TESTS_WITHOUT_NODE=1" \
        "to test without the JavaScript SDK." >&2
    exit 3
fi
if [ -f node_modules/.installed ] && cmp -s package-lock.json node_modules/.installed; then
    exit 0
fi
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
cp package-lock.json node_modules/.installed
