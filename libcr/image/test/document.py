#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""document.py - reads context files by the tables of doc/context-file.md

The tables are the program: every payload must end with the last field that
they name, and what comes out must be what cr_info says.

usage: document.py DOCUMENT CR_INFO CONTEXT-FILE...
"""
import json
import re
import struct
import subprocess
import sys

ARRAYS = ("SHM", "FILES", "MM", "PROCESS", "RUNS", "SETTINGS")


def tables(text):
    """The field tables: {name in lower case: [(field, type), ...]}"""
    found, name, rows = {"siginfo": [("raw", "bytes128")]}, None, None
    for line in text.splitlines():
        heading = re.match(r"#+ (.*)|(\w+):$", line)
        if heading:
            name = (heading[1] or heading[2]).lower()
        elif line.startswith("| field | kind |"):
            rows = found[name] = []
        elif rows is not None and line.startswith("|"):
            cells = [c.strip() for c in line.strip("|").split("|")]
            if not set(cells[0]) <= {"-", " "}:
                rows += split_row(cells[0], cells[1])
        else:
            rows = None
    return found


def split_row(fields, kind):
    fields = fields.split(", ")
    if kind.endswith(" each"):
        kinds = [kind[:-5]] * len(fields)
    elif len(fields) > 1:
        kinds = kind.split(", ")
    else:
        kinds = [kind]
    assert len(kinds) == len(fields), (fields, kind)
    return list(zip(fields, kinds))


class Payload:
    def __init__(self, structs, data):
        self.structs, self.data, self.at = structs, data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), "beyond the end"
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def read(self, kind):
        simple = {"u8": "B", "bool": "B", "u32": "I", "index": "I",
                  "u64": "Q", "s32": "i", "s64": "q"}
        if kind in simple:
            return self.number(simple[kind])
        if kind == "blob":
            return self.take(self.number("Q"))
        if kind == "string":
            n = self.number("I")
            return None if n == 0xFFFFFFFF else self.take(n).decode()
        if kind == "strings":
            n = self.number("I")
            return None if n == 0xFFFFFFFF else [
                self.read("string") for _ in range(n)]
        if kind.startswith("bytes"):
            return self.take(int(kind[5:]))
        array = re.fullmatch(r"(.*)\[(\d*)\]", kind)
        if array:
            n = int(array[2]) if array[2] else self.number("I")
            return [self.read(array[1]) for _ in range(n)]
        if kind.startswith("("):
            return {name: self.read(k) for k, name in (
                part.split() for part in kind[1:-1].split(", "))}
        return {f: self.read(k) for f, k in self.structs[kind]}


def read_file(structs, path):
    with open(path, "rb") as f:
        data = f.read()
    assert data[:8] == b"\x89STLPT\r\n"
    assert struct.unpack_from("<IIII", data, 8) == (1, 62, 4096, 0)
    end = len(data) - 64
    magic, length, at, n = struct.unpack_from("<8sQQI", data, end)
    assert magic == b"\x89STLEND\n" and length == len(data)
    out = {}
    for _ in range(n):
        name, flags, zero, size, zero2 = struct.unpack_from("<8sIIQQ", data, at)
        assert flags == 1 and zero == 0 and zero2 == 0
        name = name.rstrip(b"\0").decode()
        payload = Payload(structs, data[at + 48 : at + 48 + size])
        kind = name.lower() + ("[]" if name in ARRAYS else "")
        out[name] = payload.read("file id[]" if name == "MAPPED" else kind)
        assert payload.at == size, f"{name}: {size - payload.at} bytes too many"
        at += 48 + size
    assert at == end
    return out


def compare(mine, theirs):
    assert [f["path"] for f in mine["MAPPED"]] == [
        f["path"] for f in theirs["mapped_files"]]
    assert mine["IMAGE"]["hostname"] == theirs["hostname"]
    assert len(mine["RUNS"]) == theirs["totals"]["runs"]
    assert sum(r["len"] for r in mine["RUNS"]) == theirs["totals"]["page_bytes"]
    assert [f["offset"] for f in mine["FILES"]] == [
        f["offset"] for f in theirs["open_files"]]
    for m, t in zip(mine["MM"], theirs["address_spaces"], strict=True):
        assert hex(m["brk"]) == t["brk"] and m["dumpable"] == t["dumpable"]
        assert [(hex(a["start"]), hex(a["end"]), a["name"])
                for a in m["areas"]] == [
            (a["start"], a["end"], a["name"]) for a in t["areas"]]
    for m, t in zip(mine["PROCESS"], theirs["processes"], strict=True):
        for key in ("pid", "ppid", "pgid", "sid", "uid", "groups", "cwd",
                    "umask", "exit_status"):
            assert m[key] == t[key], key
        assert [(x["tid"], x["timeout_ns"], hex(x["sigmask"]))
                for x in m["threads"]] == [
            (x["tid"], x["timeout_ns"], x["sigmask"]) for x in t["threads"]]


def main():
    document, cr_info, *paths = sys.argv[1:]
    with open(document, encoding="utf-8") as f:
        structs = tables(f.read())
    for path in paths:
        shown = subprocess.run([cr_info, "--json", path], check=True,
                               stdout=subprocess.PIPE).stdout
        compare(read_file(structs, path), json.loads(shown))


main()
