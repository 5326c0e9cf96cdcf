#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh TEST-PROGRAM: the tests against a real libvirt, which is started for them and gone afterwards.

# LeakSanitizer guesses how large the thread-local memory of loaded libraries is, and where the heap puts it at byte 16 of a
# page it guesses by what lies before it, and crashes. Left alone it finds that memory through the C library's own pointers.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
exec "$(dirname "$0")/private.sh" "$@"
