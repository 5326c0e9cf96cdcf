#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Line coverage by room, from a build directory that was configured with -DGP_COVERAGE=ON and whose tests have run.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")"
directory=${1:?usage: tests/coverage.sh BUILD-DIRECTORY}
report=$(mktemp)
trap 'rm -f "$report"' EXIT
gcovr --root . --filter 'reconciler/' --object-directory "$directory" --json-summary "$report" >/dev/null 2>"$report.err" ||
	{ cat "$report.err" >&2; exit 1; }
rm -f "$report.err"
python3 - "$report" <<'END'
import collections, json, sys
rooms = collections.OrderedDict((r, [0, 0]) for r in "base model intent host vendor plan run cli".split())
for f in json.load(open(sys.argv[1]))["files"]:
    if not f["filename"].startswith("reconciler/"):
        continue  # a header's inline lines, by the name under which a room sees it
    room = f["filename"].split("/")[1]
    rooms[room][0] += f["line_covered"]
    rooms[room][1] += f["line_total"]
for room, (covered, total) in rooms.items():
    print("  %-7s %5.1f %%  (%d of %d lines)" % (room, 100.0 * covered / max(total, 1), covered, total))
END
