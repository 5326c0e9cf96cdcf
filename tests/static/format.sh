#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# clang-format changes nothing.
set -euo pipefail
find reconciler tests \( -name '*.c' -o -name '*.h' \) -print0 | xargs -0 clang-format --dry-run -Werror
