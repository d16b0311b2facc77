#!/bin/sh
# Run every test: test.sh BIN. Code first, two workers; by that run docs/fidelity.md is judged; then the notebooks, each
# in one kernel.
set -eu
bin=$1

# What lies in the caller's environment must not reach a test: a token that happens to be set changes nothing.
for name in $(env | sed -nE 's/^([A-Z0-9_]*QSTASH[A-Z0-9_]*|QSOPS_[A-Z_]*|INSTAGRAM_[A-Z_]*|INTERNAL_API_TOKEN|PUBLIC_BASE_URL|DATABASE_URL|ALLOWED_HOSTS|ALERT_WEBHOOK_URL|VERCEL[A-Z_]*)=.*/\1/p'); do
    case $name in QSOPS_TESTS_CONFORMANCE_*) unset "$name" ;; QSOPS_TESTS_*) ;; *) unset "$name" ;; esac
done
export QSOPS_DOTENV=off

# The JavaScript SDK is tried wherever Node is; a machine without it is told what it leaves out, and tests the rest.
if [ "${QSOPS_TESTS_WITHOUT_NODE:-}" != 1 ]; then
    status=0
    sh tests/conformance/js/install.sh || status=$?
    case $status in
        0) ;;
        3) export QSOPS_TESTS_WITHOUT_NODE=1 ;;
        *) exit "$status" ;;
    esac
fi

sh scripts/postgres.sh

# In the order of their names: else files of few and long tests come last, and one worker ends long after the other.
"$bin/python" -m pytest tests -n 2 --dist loadfile --no-loadscope-reorder --junitxml build/tests.xml
"$bin/python" -m scripts.fidelity --results build/tests.xml
"$bin/python" -m pytest -p nbval -c notebooks/pytest.ini --rootdir notebooks --nbval notebooks -n 2 --dist loadfile
