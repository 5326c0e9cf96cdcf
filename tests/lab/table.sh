#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   tests/lab/table.sh FILE…
#
# Prints the rows of the files as one table: what was shown on the simulated machine, what in the lab, and whether they agree.
# A row is SCENARIO, WHERE, SIMULATED, REAL, VERDICT, with tabs between them.
set -euo pipefail
export LC_ALL=C.UTF-8 # ${#text} counts characters

rows=("$(printf 'SCENARIO\tWHERE\tSIMULATED\tREAL\tVERDICT')")
for file in "$@"; do
	[ -e "$file" ] || continue
	mapfile -t -O ${#rows[@]} rows <"$file"
done
if [ ${#rows[@]} -eq 1 ]; then
	echo "no rows: the lab did not run"
	exit
fi

widths=(0 0 0 0)
for row in "${rows[@]}"; do
	IFS=$'\t' read -r -a cells <<<"$row"
	for column in 0 1 2 3; do
		cell=${cells[column]:-}
		[ ${#cell} -le "${widths[column]}" ] || widths[column]=${#cell}
	done
done
for row in "${rows[@]}"; do
	IFS=$'\t' read -r -a cells <<<"$row"
	for column in 0 1 2 3; do
		cell=${cells[column]:-}
		printf '%s%*s' "$cell" $((widths[column] - ${#cell} + 2)) ''
	done
	echo "${cells[4]:-}"
done
printf '%s\n' "${rows[@]:1}" | awk -F '\t' '
	{ total++ }
	$3 == "FAIL" || $4 == "FAIL" { failed++ }
	$5 == "equal" { equal++ }
	$5 == "DIFFERS" { differs++ }
	END { printf "%d rows: %d equal, %d differ, %d shown in one world alone, %d failed\n", total, equal, differs, total - equal - differs, failed }'
