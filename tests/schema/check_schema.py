#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Schema and tables are one language: the same keys, all described; good files pass both, bad ones fail both."""
import json
import os
import re
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-jsonschema, python3-yaml)")
    sys.exit(77)

SOURCE = os.environ["GP_SOURCE_DIR"]
PROBE = os.environ["INTENT_PROBE"]
SCHEMA = os.path.join(SOURCE, "schema", "gpupart.schema.json")
REFERENCE = os.path.join(SOURCE, "schema", "reference.yaml")
EXAMPLES = os.path.join(SOURCE, "examples")
ERRORS = os.path.join(SOURCE, "tests", "errors", "language")
MODELINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)\n")


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2 core schema, as editors read it: `on` is a text, and 0000:41:00.0 is no number to base 60."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def number(text):
    if text.startswith("0o"):
        return int(text[2:], 8)
    return int(text, 16) if text.startswith("0x") else int(text)


for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
     list("-+.0123456789")),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)
CoreLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: number(loader.construct_scalar(node)))

faults = []


def expect(good, fault):
    if not good:
        faults.append(fault)


def keys_of(schema, node, prefix, described):
    """Every key as "gpus[].match.model", through references, choices and lists."""
    if "$ref" in node:
        yield from keys_of(schema, schema["definitions"][node["$ref"].rsplit("/", 1)[1]], prefix, described)
    for choice in ("anyOf", "oneOf", "allOf"):
        for one in node.get(choice, []):
            yield from keys_of(schema, one, prefix, described)
    if isinstance(node.get("items"), dict):
        yield from keys_of(schema, node["items"], prefix + "[]", described)
    if node.get("type") == "object":
        expect(node.get("additionalProperties") is False, f"schema: {prefix or 'the file'} takes keys that no one knows")
    for name, value in node.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        if node.get("type") == "object":
            described[path] = value.get("description", "")
            yield path
            yield from keys_of(schema, value, path, described)


def read_case(name):
    """The files of a case of tests/errors/language."""
    path = os.path.join(ERRORS, name)
    if os.path.isdir(path):
        return [os.path.join(path, f) for f in sorted(os.listdir(path)) if f.endswith(".yaml")]
    return [path + ".yaml"] if os.path.exists(path + ".yaml") else []


def schema_accepts(validator, path):
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.load(file, CoreLoader)
    except yaml.YAMLError:
        return False
    return validator.is_valid(document)


def check_keys(schema):
    described = {}
    ours = set(keys_of(schema, schema, "", described))
    tables = set(subprocess.run([PROBE, "keys"], check=True, capture_output=True, text=True).stdout.split())
    expect(len(tables) > 50, f"the tables list {len(tables)} keys only")
    for key in sorted(tables - ours):
        expect(False, f"{key}: a row of the tables, but not in the schema")
    for key in sorted(ours - tables):
        expect(False, f"{key}: in the schema, but no row of the tables")
    for key, text in described.items():
        expect(text.endswith("."), f"{key}: the schema describes it with no sentence")
    return tables


def find_examples():
    """Files, and directories of files that are read together. examples/hosts/ describes machines: another language."""
    yield REFERENCE, [REFERENCE]
    for name in sorted(os.listdir(EXAMPLES)):
        path = os.path.join(EXAMPLES, name)
        if name.endswith(".yaml"):
            yield path, [path]
        elif os.path.isdir(path) and name != "hosts":
            inside = [os.path.join(path, f) for f in sorted(os.listdir(path)) if f.endswith(".yaml")]
            if inside:
                yield path, inside


def check_example_file(validator, path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    expect(schema_accepts(validator, path), f"{path}: the schema refuses it")
    modeline = MODELINE.match(text)
    expect(modeline is not None, f"{path}: its first line does not name the schema")
    if modeline is not None and "://" not in modeline[1]:
        named = os.path.normpath(os.path.join(os.path.dirname(path), modeline[1]))
        expect(named == os.path.normpath(SCHEMA), f"{path}: the schema is not at {modeline[1]}")


def used_keys(node, prefix=""):
    if isinstance(node, list):
        for item in node:
            yield from used_keys(item, prefix + "[]")
    if isinstance(node, dict):
        for key, value in node.items():
            path = f"{prefix}.{key}" if prefix else key
            yield path
            yield from used_keys(value, path)


def check_good(validator, keys):
    count, used = 0, set()
    for path, files in find_examples():
        count += 1
        for file in files:
            check_example_file(validator, file)
            with open(file, encoding="utf-8") as stream:
                used |= set(used_keys(yaml.load(stream, CoreLoader)))
        done = subprocess.run([PROBE, "check", path], capture_output=True, text=True)
        expect(done.returncode == 0, f"{path}: the tables refuse it\n{done.stdout}")
    expect(count >= 9, f"{count} examples only")
    for key in sorted(keys - used):
        expect(False, f"{key}: no example uses it")
    return count


def check_bad(validator, keys):
    """Each bad case is refused by the schema, too, or stands in schema-cannot-see.txt with the reason."""
    with open(os.path.join(ERRORS, "schema-cannot-see.txt"), encoding="utf-8") as file:
        unseen = dict(line.rstrip("\n").split(": ", 1) for line in file if line.strip() and not line.startswith("#"))
    said = ""
    cases = sorted(name[:-4] for name in os.listdir(ERRORS) if name.endswith(".err"))
    expect(len(cases) >= 40, f"{len(cases)} error cases only")
    for name in cases:
        with open(os.path.join(ERRORS, name + ".err"), encoding="utf-8") as file:
            said += file.read()
        accepted = all(schema_accepts(validator, path) for path in read_case(name))
        expect(not accepted or name in unseen, f"{name}: the schema accepts it")
        expect(accepted or name not in unseen, f"{name}: the schema refuses it; strike it from schema-cannot-see.txt")
    for name in sorted(set(unseen) - set(cases)):
        expect(False, f"{name}: stands in schema-cannot-see.txt, but there is no such case")
    for key in sorted(keys):
        expect(f"'{key.rsplit('.', 1)[-1]}'" in said, f"{key}: no error case speaks of it")
    return len(cases), len(unseen)


def main():
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    keys = check_keys(schema)
    good = check_good(validator, keys)
    bad, unseen = check_bad(validator, keys)
    for fault in faults:
        print(f"FAILED {fault}")
    print(f"{len(keys)} keys, {good} good examples, {bad} bad cases, of which {unseen} are beyond a schema")
    return 1 if faults else 0


sys.exit(main())
