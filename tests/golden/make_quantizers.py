#!/usr/bin/env python3
"""Turn the reference answers of upstream quantizers into the fixtures of t_golden_quantizers.

    make_quantizers.py FOLDER      FOLDER holds in/*.npy and bnb/ mx/ awq/ gptq/ loftq/*.npz: what
                                   bitsandbytes 95f9af30 (its default backend), ml_dtypes b793a6e2,
                                   llm-awq d6e797a4, GPTQ 2d65066e and LoftQ c894c03f answer

writes beside this script, into quantizers/:

    edge_32x512.npy, odd_37x53.npy   two small inputs; the large ones are found by their path
    answers.txt                      lines `input spec what sha256`: the SHA-256 of the bytes of a
                                     packed section, or of the dequantized float32 matrix ("deq")
    <input>.<name>.npy               some of the same answers in full, so that a failure can say
                                     where; named in a fifth column
    table_<format>.npy               every code of a float format, decoded
    cast_<format>.<input>.npy        every element of an input cast to it

The answers are upstream's, with three conventions: -0 is written as 0 in "deq" (a product of a
code and a zero block's scale), e4m3 and e5m2 casts saturate where upstream's answer NaN or Inf, and
FP4's codes are left out (it has two zeros; upstream's choice between them is a sort's accident).
"""
import hashlib
import os
import shutil
import sys

import numpy as np

source = sys.argv[1]
target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "quantizers")
small = ("edge_32x512", "odd_37x53")
large = ("gauss_256x512", "outcol_256x512")
lines = []


def load(path):
    path = os.path.join(source, path)
    return np.load(path) if os.path.exists(path) else None


def answer(name, spec, what, array, full=None):
    if what == "deq":
        array = array + np.float32(0)  # -0 + 0 = 0
    line = f"{name} {spec} {what} {hashlib.sha256(np.ascontiguousarray(array)).hexdigest()}"
    if full:
        file = f"{name}.{full}.npy"
        np.save(os.path.join(target, file), array)
        line += f" {file}"
    lines.append(line)


def product(z, family, block):
    """What upstream dequantizes to, for the files that leave it out: table[code] * absmax."""
    table = load("bnb/maps.npz")["nf4" if family == "nf4" else "fp4_codes"]
    code = np.stack([z["packed"] >> 4, z["packed"] & 15], axis=1).ravel()
    scale = z["absmax_deq" if "absmax_deq" in z else "absmax"]
    return (table[code].reshape(-1, block) * scale[:, None]).astype(np.float32)


def blockwise():
    for name in small + large:
        for family in ("nf4", "fp4"):
            for block in (32, 64, 128, 256, 4096):
                for double in (False, True):
                    z = load(f"bnb/{family}_bs{block}{'_dq' if double else ''}_default__{name}.npz")
                    if z is None:
                        continue
                    spec = f"{family}:block={block}" + (",double" if double else "")
                    keep = name in small and family == "nf4" and block == 64
                    tag = "nf4" + ("_double" if double else "")
                    if family == "nf4":
                        answer(name, spec, "codes", z["packed"], keep and f"{tag}_codes")
                    if double:
                        answer(name, spec, "absmax", z["absmax_q"], keep and f"{tag}_absmax")
                        answer(name, spec, "nested", z["nested_absmax"], keep and f"{tag}_nested")
                        answer(name, spec, "offset", z["offset"], keep and f"{tag}_offset")
                    else:
                        answer(name, spec, "absmax", z["absmax"], keep and f"{tag}_absmax")
                    answer(name, spec, "deq", z["deq"] if "deq" in z else product(z, family, block))


def floats():
    for name in ("odd_37x53", "gauss_256x512"):
        z = load(f"mx/e4m3_rowscaled__{name}.npz")
        spec = "float:format=e4m3,scale=row"
        keep = name in small
        answer(name, spec, "values", z["bytes"], keep and "e4m3_row_values")
        answer(name, spec, "scales", z["scale"], keep and "e4m3_row_scales")
        answer(name, spec, "deq", z["deq"])
    for name in small:
        z = load(f"mx/mldtypes_cast__{name}.npz")
        for format, beyond, largest in (("e4m3", 0x7F, 0x7E), ("e5m2", 0x7C, 0x7B)):
            code = z[format + ("fn" if format == "e4m3" else "") + "_bytes"].copy()
            code[(code & 0x7F) == beyond] += np.uint8(largest - beyond + 256 & 255)
            answer(name, f"float:format={format},scale=none", "values", code)
    z = load("mx/mldtypes_cast__edge_32x512.npz")
    tables = load("mx/mldtypes_tables.npz")
    for format in ("e4m3fn", "e5m2", "e2m1fn", "e3m2fn", "e2m3fn"):
        np.save(os.path.join(target, f"table_{format}.npy"), tables[format])
        np.save(os.path.join(target, f"cast_{format}.edge_32x512.npy"), z[format + "_bytes"])


def integers():
    name = "L1_W_256x256"
    for bits, group in ((3, 128), (4, 64), (4, 128)):
        z = load(f"awq/awq_L1_b{bits}_g{group}.npz")
        spec = f"int:bits={bits},group={group},scheme=affine,scale=f32"
        answer(name, spec, "deq", z["rtn"])
        answer(name, spec, "scales", z["rtn_scale"])
    for bits, group in ((2, -1), (2, 128), (3, -1), (3, 64), (4, -1), (4, 128)):
        z = load(f"gptq/L1_b{bits}_g{group}_act0.npz")
        where = "row" if group < 0 else group
        answer(name, f"int:bits={bits},group={where},scheme=affine,scale=f32", "deq", z["RTN"])


def loftq():
    tables = load("loftq/tables.npz")
    for bits in (2, 3, 4):
        np.save(os.path.join(target, f"levels_nf{bits}.npy"), tables[f"normal{bits}"])
    for bits in (2, 4):
        z = load(f"loftq/nfq_normal{bits}__gauss_256x512.npz")
        answer("gauss_256x512", f"nf:bits={bits},block=64", "deq", z["deq"])


os.makedirs(target, exist_ok=True)
for name in small:
    shutil.copyfile(os.path.join(source, "in", name + ".npy"), os.path.join(target, name + ".npy"))
    os.chmod(os.path.join(target, name + ".npy"), 0o644)
blockwise()
floats()
integers()
loftq()
np.save(os.path.join(target, "dynamic_map.npy"), load("bnb/maps.npz")["dynamic"])
with open(os.path.join(target, "answers.txt"), "w") as out:
    out.write("\n".join(lines) + "\n")
