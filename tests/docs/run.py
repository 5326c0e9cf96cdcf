#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documents show is what the program prints, and what they point at is there.

  run.py play FILE…   Each ```console block is played in one empty directory that holds a link to examples/: a line that
                      begins with "$ gpupart" is run, and what follows up to the next "$" must be what it prints (both
                      streams). A line that holds only "…" stands for any number of lines; "TIME" for what carries the time.
                      Each ```yaml block that is a whole file must be valid: one that says `version`.
                      With UPDATE_GOLDEN=1 the blocks are written anew, and elided where they were: read the diff.
  run.py links        Every link of every *.md, its anchor, and every path of this tree that stands in backticks.
"""
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile

PROGRAM = os.environ["GPUPART"]
TOP = os.environ["GP_SOURCE_DIR"]
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


def blocks(text, kind):
    return re.findall(r"^```%s\n(.*?)^```" % kind, text, re.S | re.M)


# ---- play ----

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


def renew(expected, output):
    """What it prints now, with as many lines at the places where the document elided some."""
    lines = re.sub(r"previous/\S+\.yaml", "previous/TIME.yaml", output).rstrip("\n").split("\n")
    parts, at, new = [[]], 0, []
    for line in expected:
        if line.strip() == "…":
            parts.append([])
        else:
            parts[-1].append(line)
    for number, part in enumerate(parts):
        first, last = number == 0, number == len(parts) - 1
        if number > 0 and (not new or new[-1] != "…"):
            new.append("…")
        if not part:
            continue
        if first:
            start = 0
        elif last:
            start = len(lines) - len(part)
        else:
            likeness = [difflib.SequenceMatcher(None, part[0], line).ratio() for line in lines[at:]] or [0]
            start = at + likeness.index(max(likeness))
        at = len(lines) if first and last else max(start, at) + len(part)
        new += lines[max(start, 0):at]
    return new


def run(words, here):
    env = dict(os.environ, LC_ALL="C.UTF-8", NO_COLOR="1")
    ran = subprocess.run([PROGRAM] + words, cwd=here, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, encoding="utf-8")
    return ran.returncode, re.sub(r"[ \t]+$", "", ran.stdout.replace(here + "/", ""), flags=re.M)


def play_command(name, command, expected, here, renewed):
    words = shlex.split(command.split("  #")[0])
    if words[0] != "gpupart":
        sys.exit("%s: only gpupart can be played, not: %s" % (name, command))
    _, output = run(words[1:], here)
    expected = "\n".join(expected).rstrip("\n").split("\n")
    matches = re.match(pattern([line.rstrip() for line in expected]), output)
    renewed.append("\n".join(["$ " + command] + (expected if matches else renew(expected, output))).rstrip("\n"))
    if matches or UPDATE:
        return True
    print("%s: $ %s prints\n%s\nbut the document shows\n%s\n" % (name, command, output, "\n".join(expected)))
    return False


def validate(name, block, number, here):
    is_machine = re.search(r"^hostname:", block, re.M)
    file = "block-%d.yaml" % number
    with open(os.path.join(here, file), "w", encoding="utf-8") as out:
        out.write(block)
    status, output = run(["sim", "create", "block-%d" % number, file] if is_machine else ["validate", file], here)
    if status == 0:
        return True
    print("%s: a yaml block is not valid:\n%s\n%s\n" % (name, output, block))
    return False


def play(name):
    text = read(name)
    done = failed = 0
    with tempfile.TemporaryDirectory() as here:
        os.symlink(os.path.join(TOP, "examples"), os.path.join(here, "examples"))
        for block in blocks(text, "console"):
            renewed = []
            for command, expected in commands(block):
                done += 1
                failed += not play_command(name, command, expected, here, renewed)
            if UPDATE:
                text = text.replace("```console\n%s```" % block, "```console\n%s\n```" % "\n\n".join(renewed))
        for number, block in enumerate(blocks(text, "yaml")):
            if re.search(r"^version:", block, re.M):
                done += 1
                failed += not validate(name, block, number, here)
    if UPDATE:
        with open(os.path.join(TOP, name), "w", encoding="utf-8") as file:
            file.write(text)
    if done == 0:
        sys.exit("%s: no command and no file was found to play" % name)
    print("%s: %d commands and files, %d differ" % (name, done, failed))
    return failed


# ---- links ----

SKIPPED = {".git", "build"}
PATH_IN_BACKTICKS = re.compile(r"`((?:cmake|contrib|docs|examples|reconciler|schema|tests)/[\w./-]*)[^`]*`")


def documents():
    for folder, folders, files in os.walk(TOP):
        folders[:] = [f for f in folders if f not in SKIPPED]
        for file in files:
            if file.endswith(".md"):
                yield os.path.relpath(os.path.join(folder, file), TOP)


def without_code(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)


def anchors(name):
    """The anchors that a forge makes of headings."""
    found = set()
    for heading in re.findall(r"^#+ +(.*?) *$", without_code(read(name)), re.M):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while slug + ("-%d" % number if number else "") in found:
            number += 1
        found.add(slug + ("-%d" % number if number else ""))
    return found


def faults_of(name):
    text = without_code(read(name))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
        if not os.path.exists(os.path.join(TOP, path)):
            yield "%s: links to %s, which is not there" % (name, target)
        elif anchor and anchor not in anchors(path):
            yield "%s: links to %s, but %s has no such heading" % (name, target, path)
    for path in PATH_IN_BACKTICKS.findall(text):
        if "NAME" not in path and not os.path.exists(os.path.join(TOP, path)):
            yield "%s: names %s, which is not there" % (name, path)


def links():
    faults = [fault for name in sorted(documents()) for fault in faults_of(name)]
    for fault in faults:
        print(fault)
    print("links: %d documents, %d faults" % (len(list(documents())), len(faults)))
    return len(faults)


def main():
    failed = sum(play(name) for name in sys.argv[2:]) if sys.argv[1] == "play" else links()
    sys.exit(failed != 0)


main()
