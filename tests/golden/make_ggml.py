#!/usr/bin/env python3
"""Turn ggml's answers into the fixtures of t_ggml.

    make_ggml.py FOLDER LIBRARY    FOLDER holds in/*.npy and ggml/TYPE__INPUT.npz: what ggml d99724f's
                                   ggml_quantize_chunk and to_float answer.  LIBRARY is a shared
                                   object of ggml-quants.c (gcc -O2 -std=gnu11 -ffp-contract=off
                                   -shared -fPIC, with ggml_row_size and the like beside it); what
                                   it makes of FOLDER/in must be those answers, then it is asked for
                                   what FOLDER does not hold

writes beside this script, into ggml/:

    answers.txt        `pack TYPE INPUT SHA256-of-bytes SHA256-of-dequantized`, without importance
                       weights; `weighted TYPE INPUT SHA256-of-bytes`, with those of weights.npy;
                       `decode TYPE OFFSET BYTES SHA256-of-float32`, of bytes of blocks.npy
    weights.npy        importances of 512 inputs, log-normal; every seventh is 0
    blocks.npy         random bytes as blocks of each type, with scales that are numbers

The inputs are edge_32x512 (in ../quantizers) and two large ones that are found by their path.

iq4_nl_ref is ggml's other path to iq4_nl, which leaves the codes of a block below 1e-15 undefined:
they are written as code 8, level 1, and its zeros as +0.
"""
import ctypes
import glob
import hashlib
import os
import sys

import numpy as np

source, library = sys.argv[1], ctypes.CDLL(os.path.abspath(sys.argv[2]))
target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ggml")
os.makedirs(target, exist_ok=True)
lines = []


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()


def pointer(array):
    return None if array is None else array.ctypes.data_as(ctypes.c_void_p)


def quantize(name, x, weights=None):
    f = getattr(library, "quantize_" + name)
    f.restype = ctypes.c_size_t
    x = np.ascontiguousarray(x, np.float32)
    out = np.zeros(x.size * 5, np.uint8)
    size = f(pointer(x), pointer(out), ctypes.c_int64(x.shape[0]), ctypes.c_int64(x.shape[1]),
             pointer(weights))
    return out[:size].reshape(x.shape[0], -1)


def dequantize(name, blocks, count):
    f = getattr(library, "dequantize_row_" + name)
    f.restype = None
    x = np.zeros(count, np.float32)
    blocks = np.ascontiguousarray(blocks)
    f(pointer(blocks), pointer(x), ctypes.c_int64(count))
    return x


def without_weights():
    for path in sorted(glob.glob(os.path.join(source, "ggml", "*.npz"))):
        name, given = os.path.basename(path)[:-4].split("__")
        x = np.load(os.path.join(source, "in", given + ".npy"))
        z = np.load(path)
        packed, dense = z["bytes"].copy(), z["deq"] if "deq" in z else None
        if name == "iq4_nl_ref":
            blocks = packed.reshape(len(packed), -1, 18)
            zero = np.abs(x).reshape(len(x), -1, 32).max(axis=2) < 1e-15
            blocks[zero, 2:] = 0x88
            dense = dequantize("iq4_nl", packed, x.size).reshape(x.shape)
        else:
            assert (quantize(name, x) == packed).all(), path
            again = dequantize(name, packed, x.size).reshape(x.shape)
            assert dense is None or (again.view(np.uint32) == dense.view(np.uint32)).all(), path
            dense = again
        lines.append(f"pack {name} {given} {sha(packed)} {sha(dense)}")


def with_weights():
    weights = np.random.default_rng(3).lognormal(0, 1.5, 512).astype(np.float32)
    weights[::7] = 0
    np.save(os.path.join(target, "weights.npy"), weights)
    for given in ("edge_32x512", "gauss_256x512", "outcol_256x512"):
        x = np.load(os.path.join(source, "in", given + ".npy"))
        for name in "q4_0 q4_1 q5_0 q5_1 q2_K q3_K q4_K q5_K q6_K iq4_nl iq4_xs".split():
            lines.append(f"weighted {name} {given} {sha(quantize(name, x, weights))}")


def decoding():
    # type, weights and bytes of a block, offsets of its fp16 numbers
    types = [("q4_0", 32, 18, [0]), ("q4_1", 32, 20, [0, 2]), ("q5_0", 32, 22, [0]),
             ("q5_1", 32, 24, [0, 2]), ("q8_0", 32, 34, [0]), ("q2_K", 256, 84, [80, 82]),
             ("q3_K", 256, 110, [108]), ("q4_K", 256, 144, [0, 2]), ("q5_K", 256, 176, [0, 2]),
             ("q6_K", 256, 210, [208]), ("iq4_nl", 32, 18, [0]), ("iq4_xs", 256, 136, [0]),
             ("tq1_0", 256, 54, [52]), ("tq2_0", 256, 66, [64]), ("mxfp4", 32, 17, []),
             ("nvfp4", 64, 36, []), ("q1_0", 128, 18, [0]), ("q2_0", 64, 18, [0])]
    rng = np.random.default_rng(4)
    pieces, offset = [], 0
    for name, n, size, halves in types:
        count = 3 if n == 256 else 67  # more than a chunk of scales, where chunks there are
        blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
        for at in halves:
            d = rng.standard_normal(count).astype(np.float16)
            blocks[:, at:at + 2] = d.view(np.uint8).reshape(count, 2)
        if name == "mxfp4":
            blocks[:8, 0] = [0, 1, 2, 3, 126, 127, 252, 253]
        if name == "nvfp4":
            blocks[:, :4] &= 0x7f
        x = dequantize(name, blocks, n * count)
        assert not np.isnan(x).any(), name
        lines.append(f"decode {name} {offset} {blocks.size} {sha(x)}")
        pieces.append(blocks.ravel())
        offset += blocks.size
    np.save(os.path.join(target, "blocks.npy"), np.concatenate(pieces))


without_weights()
with_weights()
decoding()
with open(os.path.join(target, "answers.txt"), "w") as f:
    f.write("\n".join(lines) + "\n")
