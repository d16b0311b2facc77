#!/bin/sh
# See that there is a PostgreSQL, on which half of the store's tests run: one that is installed, else Debian's, where we
# may install it. A cluster of its own is made for each run, and gone with it.
set -eu

found() {
    command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

if ! found && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "tests: no PostgreSQL here, installing Debian's"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; } \
        >/dev/null 2>&1 || true
fi
found || {
    echo "tests: no PostgreSQL here: install it (Debian, Ubuntu: apt-get install postgresql), then run make test again" >&2
    exit 2
}
