#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh BENCH-PROGRAM [DOMAINS [PAIRS [EVERY [MARKED]]]]: beside a private libvirtd (see tests/libvirt/private.sh).
exec "$(dirname "$0")/../../libvirt/private.sh" "$@"
