#!/usr/bin/env python3
"""Writes tests/fuzz/corpus: seeds for the readers, each named by what it is; good-* is accepted."""
import json
import os
import struct

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus")


def put(folder, name, data):
    os.makedirs(os.path.join(here, folder), exist_ok=True)
    with open(os.path.join(here, folder, name), "wb") as f:
        f.write(data)


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def st(header, data=b"", length=None, pad=True):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    if pad:
        text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def safetensors():
    f4 = struct.pack("<6f", 1, -2, 3.5, 0.1, 5e-40, float("inf"))
    two = {"__metadata__": {"format": "pt"}, "b": entry("F32", [2, 2], 8, 24),
           "a": entry("F16", [4], 0, 8)}
    put("safetensors", "good-two-tensors", st(two, bytes(24)))
    put("safetensors", "good-empty", st({}))
    put("safetensors", "good-unaligned-header", st({"a": entry("F64", [3], 0, 24)}, f4, pad=False))
    put("safetensors", "good-scalar-and-zero-length",
        st({"s": entry("F32", [], 0, 4), "z": entry("F8_E4M3", [0, 7], 4, 4)}, f4[:4]))
    put("safetensors", "good-real-types", st(
        {t: entry(t, [1], o, o + n) for t, o, n in
         [("F64", 0, 8), ("F32", 8, 4), ("F16", 12, 2), ("BF16", 14, 2), ("F8_E4M3", 16, 1),
          ("F8_E5M2", 17, 1)]}, bytes(range(18))))
    put("safetensors", "good-whole-types", st(
        {t: entry(t, [1], o, o + n) for t, o, n in
         [("I64", 0, 8), ("U64", 8, 8), ("I32", 16, 4), ("U32", 20, 4), ("I16", 24, 2),
          ("U16", 26, 2), ("I8", 28, 1), ("U8", 29, 1), ("BOOL", 30, 1)]}, bytes(range(31))))
    one = {"a": entry("F32", [2, 3], 0, 24)}
    put("safetensors", "cut-in-data", st(one, f4[:-1]))
    put("safetensors", "cut-in-header", st(one, f4)[:30])
    put("safetensors", "cut-in-length", st(one, f4)[:5])
    put("safetensors", "empty-file", b"")
    put("safetensors", "byte-too-many", st(one, f4 + b"\0"))
    put("safetensors", "length-all-ones", st(one, f4, length=2**64 - 1))
    put("safetensors", "length-over-limit", st(one, f4, length=100000001))
    put("safetensors", "length-zero", st(b"", f4))
    put("safetensors", "length-past-end", st(one, f4, length=400))
    put("safetensors", "space-before-brace", st(b" {}"))
    put("safetensors", "not-an-object", st(b"[]"))
    put("safetensors", "junk-after-object", st(b"{}x", pad=False))
    put("safetensors", "name-twice", st(
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"ab"))
    put("safetensors", "unknown-type", st({"a": entry("F31", [6], 0, 24)}, f4))
    put("safetensors", "gap", st({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)},
                                 f4[:12]))
    put("safetensors", "overlap", st({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)},
                                     f4[:12]))
    put("safetensors", "offsets-reversed", st({"a": entry("F32", [1], 4, 0)}, f4[:4]))
    put("safetensors", "offsets-past-end", st({"a": entry("F32", [7], 0, 28)}, f4))
    put("safetensors", "offsets-wrap", st({"a": entry("U8", [2**63 - 1], 1, 2**63)}, b"a"))
    put("safetensors", "shape-overflows", st({"a": entry("F32", [2**32, 2**32], 0, 0)}))
    put("safetensors", "shape-overflows-then-zero", st({"a": entry("F32", [2**62, 4, 0], 0, 0)}))
    put("safetensors", "shape-negative", st({"a": entry("F32", [-1, -6], 0, 24)}, f4))
    put("safetensors", "shape-real", st({"a": entry("F32", [6.0], 0, 24)}, f4))
    put("safetensors", "shape-disagrees", st({"a": entry("F32", [5], 0, 24)}, f4))
    put("safetensors", "shape-string", st({"a": entry("F32", ", ", 0, 24)}, f4))
    put("safetensors", "shape-missing", st({"a": {"dtype": "F32", "data_offsets": [0, 24]}}, f4))
    put("safetensors", "type-missing", st({"a": {"d|ype": "F32", "shape": [6]}}, f4))
    put("safetensors", "offsets-real", st({"a": entry("F32", [2, 3], 0, 24.0)}, f4))
    put("safetensors", "offsets-negative", st({"a": entry("F32", [2], 0, -8)}, f4))
    put("safetensors", "offsets-missing", st({"a": {"dtype": "F32", "shape": [6]}}, f4))
    put("safetensors", "brace-only", st(b"{\2", pad=False))
    put("safetensors", "nine-dimensions", st({"a": entry("U8", [1] * 9, 0, 1)}, b"a"))
    put("safetensors", "metadata-not-strings", st({"__metadata__": {"n": 3}}))
    put("safetensors", "metadata-string", st({"__metadata__": ":}n{3"}))
    put("safetensors", "name-with-nul", st(b'{"a\\u0000b":1}'))
    put("safetensors", "name-not-utf8", st(b'{"\xff\xfe":1}'))
    put("safetensors", "deep-nesting", st(b'{"a":' + b"[" * 300))


def index():
    def wm(m):
        return json.dumps({"metadata": {"total_size": 8}, "weight_map": m}).encode()

    put("index", "good-two-shards", wm({"a": "m-1.safetensors", "b": "m-2.safetensors"}))
    put("index", "good-dots-in-name", wm({"a": "..m..safetensors"}))
    put("index", "good-backslash", wm({"a": "..\\m.safetensors"}))
    put("index", "parent-folder", wm({"a": "../m.safetensors"}))
    put("index", "absolute", wm({"a": "/etc/passwd"}))
    put("index", "dot-dot", wm({"a": ".."}))
    put("index", "dot", wm({"a": "."}))
    put("index", "no-name", wm({"a": ""}))
    put("index", "sub-folder", wm({"a": "sub/m.safetensors"}))
    put("index", "escaped-slash", b'{"weight_map":{"a":"..\\u002fm"}}')
    put("index", "nul-in-name", b'{"weight_map":{"a":"m\\u0000/../x"}}')
    put("index", "number-as-file", wm({"a": 1}))
    put("index", "map-is-array", wm(["a"]))
    put("index", "map-empty", wm({}))
    put("index", "map-missing", b"{}")
    put("index", "not-an-object", b"[]")
    put("index", "empty-file", b"")
    put("index", "string-not-closed", b'"\x7f\x7f\x7f')
    put("index", "one-byte", b"\x1d")
    put("index", "tensor-twice", b'{"weight_map":{"a":"x","a":"y"}}')
    put("index", "cut", wm({"a": "m-1.safetensors"})[:-3])


def npy():
    def file(header, data=b"", version=1, length=None):
        text = header.encode() if isinstance(header, str) else header
        n = len(text) if length is None else length
        return (b"\x93NUMPY" + bytes([version, 0])
                + struct.pack("<H" if version == 1 else "<I", n) + text + data)

    def header(descr="'<f4'", order="False", shape="(2, 3)"):
        return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)

    put("npy", "good-version-1", file(header() + "    \n", bytes(24)))
    put("npy", "good-version-2-fortran", file(header("'<f8'", "True"), bytes(48), 2))
    put("npy", "good-version-3", file(header("'<f2'", shape="(5,)"), bytes(10), 3))
    put("npy", "good-scalar", file(header(shape="()"), bytes(4)))
    put("npy", "good-zero-length", file(header(shape="(0, 9)")))
    put("npy", "good-order-and-quotes",
        file('{"shape":(2,3),"fortran_order":True,"descr":"|u1"}', bytes(6)))
    put("npy", "object-array", file(header("'|O'"), b"\x80\x04K\x01."))
    put("npy", "structured", file(header("[('a', '<f4')]"), bytes(24)))
    put("npy", "big-endian", file(header("'>f4'"), bytes(24)))
    put("npy", "expression", file(header(shape="(2, __import__('os'))"), bytes(24)))
    put("npy", "escaped-type", file(header("'<\\x664'"), bytes(24)))
    put("npy", "nul-in-key", file(header().replace("shape", "shape\0"), bytes(24)))
    put("npy", "key-twice", file("{'shape': (1,), 'shape': (1,)}", bytes(4)))
    put("npy", "key-missing", file("{'shape': (1,)}", bytes(4)))
    put("npy", "key-unknown", file("{'shapes': (1,)}", bytes(4)))
    put("npy", "junk-after-dict", file(header() + "x", bytes(24)))
    put("npy", "dict-not-closed", file("{'descr': '<f4', 'shape': (1,", bytes(4)))
    put("npy", "dict-empty", file("{}", bytes(4)))
    put("npy", "header-is-space", file("\r\r\t      ", bytes(4)))
    put("npy", "header-empty", file("", bytes(4)))
    put("npy", "no-colon", file(header().replace("':", "'\0"), bytes(24)))
    put("npy", "no-comma", file(header().replace("',", "'"), bytes(24)))
    put("npy", "order-cut", file("{'descr': '<f4', 'fortran_order': Fal", bytes(24)))
    put("npy", "quotes-mixed", file("{'descr\": '<f4'}", bytes(24)))
    put("npy", "shape-bare", file(header(shape=","), bytes(24)))
    put("npy", "shape-no-comma", file(header(shape="(2 3)"), bytes(24)))
    put("npy", "string-not-closed", file("{'descr': '<f4", bytes(4)))
    put("npy", "shape-number", file(header(shape="(6)"), bytes(24)))
    put("npy", "shape-negative", file(header(shape="(-1, -6)"), bytes(24)))
    put("npy", "shape-overflows", file(header(shape="(4294967296, 4294967296)")))
    put("npy", "shape-bytes-overflow", file(header(shape="(4611686018427387904,)")))
    put("npy", "length-overflows", file(header(shape="(18446744073709551616,)")))
    put("npy", "nine-dimensions", file(header(shape="(1,1,1,1,1,1,1,1,1)"), bytes(4)))
    put("npy", "byte-too-many", file(header(), bytes(25)))
    put("npy", "cut-in-data", file(header(), bytes(23)))
    put("npy", "cut-in-header", file(header())[:30])
    put("npy", "header-past-end", file(header(), bytes(24), length=65535))
    put("npy", "header-past-end-version-2", file(header(), bytes(24), 2, 2**32 - 1))
    put("npy", "cut-in-length", b"\x93NUMPY\x02\x00\x10\x00")
    put("npy", "version-9", file(header(), bytes(24), 9))
    put("npy", "wrong-magic", b"PK\x03\x04" + bytes(30))
    put("npy", "empty-file", b"")


safetensors()
index()
npy()
