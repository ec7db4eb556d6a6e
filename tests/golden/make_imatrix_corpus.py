#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/imatrix: seeds for the reader, each named by what it is; good-* is
accepted."""
import os
import struct

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus", "imatrix")


def entry(name, calls, values, length=None, count=None):
    name = name.encode() if isinstance(name, str) else name
    return (struct.pack("<i", len(name) if length is None else length) + name
            + struct.pack("<ii", calls, len(values) if count is None else count)
            + struct.pack("<%df" % len(values), *values))


def file(entries, tail=b"", count=None):
    return struct.pack("<i", len(entries) if count is None else count) + b"".join(entries) + tail


def put(name, data):
    with open(os.path.join(here, name), "wb") as f:
        f.write(data)


os.makedirs(here, exist_ok=True)
one = entry("blk.0.attn_q.weight", 2, [1, 2.5, 0])
two = entry("output.weight", 3, [0.3] * 5)
tail = struct.pack("<ii", 7, 8) + b"wiki.raw"
inf, nan = float("inf"), float("nan")

put("good-two-entries", file([one, two]))
put("good-with-text", file([one, two], tail))
put("good-text-without-name", file([one], struct.pack("<ii", 7, 0)))
put("good-no-calls", file([entry("a", 0, [4, 5])]))
put("empty-file", b"")
put("no-entries", file([]))
put("entries-negative", file([one], count=-1))
put("entries-too-many", file([one], count=2))
put("entries-all-ones", file([one], count=2**31 - 1))
put("name-empty", file([entry("", 1, [1])]))
put("name-negative", file([entry("a", 1, [1], length=-5)]))
put("name-past-end", file([entry("a", 1, [1], length=100)]))
put("name-with-nul", file([entry(b"a\0b", 1, [1])]))
put("name-twice", file([one, one]))
put("calls-negative", file([entry("a", -1, [1])]))
put("values-none", file([entry("a", 1, [])]))
put("values-negative-count", file([entry("a", 1, [1], count=-1)]))
put("values-past-end", file([entry("a", 1, [1], count=2**31 - 1)]))
put("value-nan", file([entry("a", 1, [1, nan])]))
put("value-infinite", file([entry("a", 1, [inf])]))
put("value-negative", file([entry("a", 1, [-1e-9])]))
put("text-past-end", file([one], tail[:-1]))
put("text-length-negative", file([one], struct.pack("<ii", 7, -1)))
put("chunks-negative", file([one], struct.pack("<ii", -7, 0)))
put("chunks-alone", file([one], struct.pack("<i", 7)))
put("byte-too-many", file([one], tail + b"\0"))
put("gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
put("cut-in-values", file([one, two])[:-2])
put("cut-in-count", b"\1\0")
