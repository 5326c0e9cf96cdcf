#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every test, with gcc and with clang, under AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   tests/run.sh            all of it: both compilers, static checks, line coverage, the lab (docs/lab.md)
#   tests/run.sh --quick    the inner loop: gcc with sanitizers; no static checks, no coverage, no second compiler, no lab
#
# CTest is the runner; its own closing lines are printed. A test that cannot run here says why and is counted as skipped.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")"
quick=
case ${1:-} in
'') ;;
--quick) quick=1 ;;
*) echo "Usage: tests/run.sh [--quick]" >&2; exit 64 ;;
esac

contrib/packages.sh build test
[ -n "$quick" ] || contrib/packages.sh lab || echo "without them, the tests in the lab are skipped"
mkdir -p build
# Simulated machines are thousands of small files: keep them in memory where that can be had.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
jobs=$(nproc)
failed=0

# configure_and_build NAME CMAKE-OPTION…
build() {
	local name=$1
	shift
	echo "== building $name"
	if ! { cmake -S . -B "build/$name" -G Ninja "$@" && cmake --build "build/$name"; } >"build/$name.log" 2>&1; then
		grep -E 'error|FAILED|warning' "build/$name.log" | head -n 30 || true
		tail -n 15 "build/$name.log"
		exit 1
	fi
}

# run NAME CTEST-OPTION…
run() {
	local name=$1
	shift
	echo "== testing $name"
	ctest --test-dir "build/$name" --output-on-failure --no-tests=error -j "$jobs" "$@" || failed=1
}

if [ -n "$quick" ]; then
	echo "quick: left out are the second compiler, static checks, coverage, the lab, and the other tests labelled 'slow'"
	build gcc -DCMAKE_C_COMPILER=gcc -DGP_SANITIZE=ON
	run gcc -LE 'static|slow'
	exit $failed
fi

build coverage -DCMAKE_C_COMPILER=gcc -DGP_COVERAGE=ON
find build/coverage -name '*.gcda' -delete
run coverage -LE 'static|slow'
echo "== line coverage by room (aim: above 90 % in intent, plan, run)"
tests/coverage.sh build/coverage

build clang -DCMAKE_C_COMPILER=clang -DGP_SANITIZE=ON
run clang -LE lab # once is enough: below, with gcc

build gcc -DCMAKE_C_COMPILER=gcc -DGP_SANITIZE=ON
run gcc -LE static # the text is the same whatever compiles it; clang-tidy reads clang's command lines
echo "== the simulated machine beside the lab's"
tests/lab/table.sh build/gcc/lab/rows/*.tsv
exit $failed
