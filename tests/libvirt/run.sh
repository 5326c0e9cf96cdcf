#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh TEST-PROGRAM: the tests against a real libvirt, which is started for them and gone afterwards.
exec "$(dirname "$0")/private.sh" "$@"
