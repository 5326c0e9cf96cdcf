#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documents show is what the program prints.

Each ```console block of the named file is played in one empty directory that holds a link to examples/: a line that begins
with "$ gpupart" is run, and what follows up to the next "$" must be what it prints (both streams). A line that holds only
"…" stands for any number of lines; "TIME" for what carries the time.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile

PROGRAM = os.environ["GPUPART"]
TOP = os.environ["GP_SOURCE_DIR"]


def blocks(text):
    return re.findall(r"^```console\n(.*?)^```", text, re.S | re.M)


def commands(block):
    command, expected = None, []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], []
        else:
            expected.append(line)
    if command:
        yield command, expected


def pattern(expected):
    while expected and not expected[-1]:
        expected = expected[:-1]
    parts = [r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line).replace("TIME", r"\S+?") + r"\n" for line in expected]
    return "".join(parts) + r"\n*\Z"


def main():
    name = sys.argv[1]
    text = open(os.path.join(TOP, name)).read()
    failed = played = 0
    env = dict(os.environ, LC_ALL="C.UTF-8", NO_COLOR="1")
    with tempfile.TemporaryDirectory() as here:
        os.symlink(os.path.join(TOP, "examples"), os.path.join(here, "examples"))
        for block in blocks(text):
            for command, expected in commands(block):
                words = shlex.split(command.split("  #")[0])
                if words[0] != "gpupart":
                    sys.exit("%s: only gpupart can be played, not: %s" % (name, command))
                run = subprocess.run([PROGRAM] + words[1:], cwd=here, env=env, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
                played += 1
                output = run.stdout.replace(here + "/", "")
                output = re.sub(r"[ \t]+$", "", output, flags=re.M)
                if not re.match(pattern([line.rstrip() for line in expected]), output):
                    failed += 1
                    print("%s: $ %s prints\n%s\nbut the document shows\n%s\n" % (name, command, output, "\n".join(expected)))
    if played == 0:
        sys.exit("%s: no command was found to play" % name)
    print("%s: %d commands played, %d differ" % (name, played, failed))
    sys.exit(failed != 0)


main()
