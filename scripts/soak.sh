#!/bin/sh
# The long tests, each with its own summary line: soak.sh BIN. Some two hours on two cores.
set -eu
bin=$1

echo "soak: a thousand moments of kill -9 and power cut"
"$bin/python" -m scripts.soak_kills --count 1000 --seed 1

echo "soak: the simulation, longer"
QSOPS_TESTS_SIMULATION=75 "$bin/python" -m pytest tests/engine/simulation -q -n 2 --dist loadfile

echo "soak: every property, with far more examples"
QSOPS_TESTS_TIMES=25 "$bin/python" -m pytest $(grep -rlE "^ *@given" tests | grep -vE "fuzz|attack") -q -n 2 --dist loadfile

echo "soak: the engine killed under load, by more seeds; a number changed in each output of each notebook, and each run twice and live"
QSOPS_TESTS_TIMES=10 "$bin/python" -m pytest tests/engine/durability/test_killed.py tests/archive/test_killed.py tests/archiving/test_killed_syncs.py tests/notebooks -q

echo "soak: fuzzing the HTTP face from its own document"
QSOPS_TESTS_FUZZ_EXAMPLES=2000 "$bin/python" -m pytest tests/engine/served/test_fuzz.py -q

echo "soak: fuzzing the service, its parsers and its verifier"
QSOPS_TESTS_FUZZ_EXAMPLES=3000 "$bin/python" -m pytest tests/service/attack/test_parsers.py tests/service/attack/test_app.py -q

echo "soak: the service and its database, killed under load"
"$bin/python" -m scripts.soak_service --rounds 20 --seed 1

echo "soak: an archive of three million entries, its syncs killed over and over"
"$bin/python" -m scripts.soak_archive --messages 1000000 --kills 40 --seed 1

echo "soak: what-if against what really comes, two hundred times"
"$bin/python" -m scripts.soak_whatif --incidents 200

echo "soak: a million old claims pruned beside deliveries, on both databases"
"$bin/python" -m scripts.soak_service_prune

echo "soak: a million deliveries, and flat memory"
"$bin/python" -m scripts.soak_service_memory

echo "soak: an hour under load, and flat memory"
"$bin/python" -m scripts.soak_memory --minutes 60
