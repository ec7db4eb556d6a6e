#!/usr/bin/env python3
"""Turn the reference answers of upstream quantizers into the fixtures of t_golden_quantizers.

    make_quantizers.py FOLDER      FOLDER holds in/*.npy and bnb/ mx/ ggml/ hqq/ qera/ awq/ gptq/
                                   loftq/*.npz: what bitsandbytes 95f9af30 (its default backend),
                                   ml_dtypes b793a6e2, microxcaling 7bc41952, ggml d99724f2 (nvfp4),
                                   HQQ e0b1d00e, QERA bd7fc86a, llm-awq d6e797a4, GPTQ 2d65066e and
                                   LoftQ c894c03f answer

writes beside this script, into bnb/ and hqq/ what their tests say, and into quantizers/:

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
import re
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
    np.save(os.path.join(target, "table_e8m0fnu.npy"), tables["e8m0fnu"])
    for format in ("e2m1fn", "e3m2fn", "e2m3fn"):
        np.save(os.path.join(target, f"cast_{format}.odd_37x53.npy"),
                load("mx/mldtypes_cast__odd_37x53.npz")[format + "_bytes"])


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


def microscaling():
    formats = {"fp4_e2m1": "e2m1", "fp6_e2m3": "e2m3", "fp8_e4m3": "e4m3", "fp8_e5m2": "e5m2",
               "int8": "int8"}
    for name in small + large:
        for upstream, format in formats.items():
            z = load(f"mx/mx{upstream}__{name}.npz")
            for rounding in ("even", "nearest") if z is not None else ():
                answer(name, f"mx:format={format},rounding={rounding}", "deq", z["deq_" + rounding])
        z = load(f"ggml/nvfp4__{name}.npz")
        if z is not None:
            answer(name, "nvfp4:scale=none", "blocks", z["bytes"])
            if "deq" in z:
                answer(name, "nvfp4:scale=none", "deq", z["deq"])
    for bits, block in ((2, 16), (3, 32), (4, 32)):
        z = load(f"qera/L1_mxint{bits}_Wq.npz")
        answer("L1_W_256x256", f"mxint:bits={bits},block={block}", "deq", z["Wq"])


def eight_bits():
    maps = load("bnb/maps.npz")
    families = {"dynamic8": "dynamic", "linear8": "linear", "fp8map_e4m3": "fp8"}
    for name in small + large:
        for family, map in families.items():
            table = maps["fp8_e4m3" if map == "fp8" else map]
            for block in (64, 256, 4096):
                z = load(f"bnb/{family}_bs{block}_default__{name}.npz")
                if z is None:
                    continue
                spec = f"dynamic8:block={block},map={map}"
                answer(name, spec, "codes", z["codes"])
                answer(name, spec, "absmax", z["absmax"])
                if "deq" in z:
                    answer(name, spec, "deq", z["deq"])
                else:
                    scale = np.repeat(z["absmax"], block)[:z["codes"].size].reshape(z["codes"].shape)
                    answer(name, spec, "deq", table[z["codes"]] * scale)
        z = load(f"bnb/int8vec_default__{name}.npz")
        if z is not None:
            answer(name, "int8vec", "codes", z["codes"])
            answer(name, "int8vec", "absmax", z["row_absmax"])


def first_zero(packed):
    """FP4's codes with its second zero, 8, written as the first."""
    high, low = packed >> 4, packed & 15
    return ((high * (high != 8)) << 4 | low * (low != 8)).astype(np.uint8)


def backends():
    """bnb/backends.txt: `input spec what backend sha256 count` of bitsandbytes' other backends, and
    in backends.npy, in the same order, the `count` places where they differ from the default one:
    place << 8 | byte."""
    lines, patches = [], []
    for file in sorted(os.listdir(os.path.join(source, "bnb"))):
        match = re.fullmatch(r"(\w+)_bs(\d+)(_dq)?_(cuda|native)__(\w+)\.npz", file)
        if not match:
            continue
        family, block, double, backend, name = match.groups()
        z = load("bnb/" + file)
        for key, what in (("codes", "codes"), ("packed", "codes"), ("absmax_q", "absmax")):
            if key not in z or key == "packed" and double:
                continue
            plain = "" if key != "absmax_q" else "_dq"
            default = load(f"bnb/{family}_bs{block}{plain}_default__{name}.npz")
            got, want = z[key].ravel(), default[key].ravel()
            if family == "fp4" and key == "packed":
                got, want = first_zero(got), first_zero(want)
            places = np.flatnonzero(got != want)
            patches.append((places << 8 | got[places]).astype(np.uint32))
            spec = f"{family}:block={block}" + (",double" if plain else "")
            lines.append(f"{name} {spec} {what} {backend} {hashlib.sha256(got).hexdigest()} "
                         f"{len(places)}")
    np.save(os.path.join(target, "..", "bnb", "backends.npy"), np.concatenate(patches))
    with open(os.path.join(target, "..", "bnb", "backends.txt"), "w") as out:
        out.write("\n".join(lines) + "\n")


# Where a power of upstream's vector library rounds the other way, and a zero's last bit with it.
rounded = ((2, 1, "legacy", "big_128x256"), (4, 1, "legacy", "big_128x256"))


def half_quadratic():
    for name in ("gauss_256x512", "big_128x256"):
        for bits, group in ((2, 16), (4, 64)):
            for axis in (0, 1):
                for solver, tag in (("none", "opt0"), ("legacy", "opt1"), ("v2", ""), ("slow", "")):
                    file = f"hqq_b{bits}_g{group}_axis{axis}_{tag}" if tag else \
                        f"hqq_{solver}_b{bits}_g{group}_axis{axis}"
                    z = load(f"hqq/{file}__{name}.npz")
                    if z is None:
                        continue
                    spec = f"hqq:bits={bits},group={group},axis={axis},solver={solver},scale=f32"
                    answer(name, spec, "codes", hqq_packed(z["W_q"], bits))
                    assert "packed" not in z or (z["packed"] == hqq_packed(z["W_q"], bits)).all()
                    answer(name, spec, "scales", z["scale"])
                    if (bits, axis, solver, name) in rounded:
                        np.save(os.path.join(target, "..", "hqq", f"b{bits}_zeros.npy"), z["zero"])
                    else:
                        answer(name, spec, "zeros", z["zero"])


def hqq_packed(code, bits):
    """Upstream's bytes: equal parts of the rows side by side, the first in the high bits."""
    parts = code.reshape(8 // bits, -1, code.shape[1])
    return sum(part << (8 - bits * (k + 1)) for k, part in enumerate(parts)).astype(np.uint8)


for folder in (".", "../bnb", "../hqq"):
    os.makedirs(os.path.join(target, folder), exist_ok=True)
for name in small:
    shutil.copyfile(os.path.join(source, "in", name + ".npy"), os.path.join(target, name + ".npy"))
    os.chmod(os.path.join(target, name + ".npy"), 0o644)
blockwise()
floats()
integers()
loftq()
microscaling()
eight_bits()
half_quadratic()
backends()
for map in ("dynamic", "af4"):
    np.save(os.path.join(target, f"{map}_map.npy"), load("bnb/maps.npz")[map])
with open(os.path.join(target, "answers.txt"), "w") as out:
    out.write("\n".join(lines) + "\n")
