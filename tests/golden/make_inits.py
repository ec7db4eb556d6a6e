#!/usr/bin/env python3
"""Turn the reference answers of LoftQ and QERA into the fixtures of t_golden_inits.

    make_inits.py FOLDER      FOLDER holds manifest.json, loftq/*.npz and qera/*.npz: what LoftQ
                              c894c03f (repository) and ae33fd4f (its glue folder), PEFT 5d602fdb and
                              QERA bd7fc86a answer

writes beside this script, into inits/:

    loftq.txt   lines `input quantizer steps rank error sha256`: ||W - Q - B A||_F and the SHA-256 of
                Q in float32 with -0 written as 0
    loftq.npy   [line][2][512] float32: elements of Q and of B A at flat positions 7919 k mod m n
    qera.txt    lines `init quantizer rank weight_mse output_mse`, for L1_W_256x256 and
                L1_X_1024x256_f16

Answers that are equal to the last bit of Q are written once: the repository's, glue's and PEFT's of
4-bit NormalFloat, and the repository's and glue's of 2-bit.  nfq_*.npz, quantizers alone, are the
first Q of these and belong to t_golden_quantizers.
"""
import glob
import hashlib
import json
import os
import sys

import numpy as np

source = sys.argv[1]
target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inits")
manifest = {e["file"]: e for e in json.load(open(os.path.join(source, "manifest.json")))}

quantizer = {
    "loftq_normal": "nf:bits=%d,block=64",
    "loftq_glue_normal_float": "nf:bits=%d,block=64",
    "loftq_peft": "nf:bits=%d,block=64",
    "loftq_uniform": "block_uniform:%d",      # the test's own: LoftQ has them for comparison only
    "loftq_glue_uniform": "tensor_uniform:%d",
}
lines, samples, seen = [], [], {}
for path in sorted(glob.glob(os.path.join(source, "loftq", "*_r8_it*.npz"))):
    e = manifest["loftq/" + os.path.basename(path)]
    z = np.load(path)
    Q = np.ascontiguousarray(z["Q"]) + np.float32(0)
    C = z["B"].astype(np.float64) @ z["A"].astype(np.float64)
    p = e["params"]
    spec = quantizer[e["method"]] % p["bits"]
    key = (e["input"], spec, p["num_iter"])
    digest = hashlib.sha256(Q).hexdigest()
    if key in seen:
        assert seen[key][0] == digest and np.abs(seen[key][1] - C).max() < 1e-6, path
        continue
    seen[key] = digest, C
    at = 7919 * np.arange(512) % Q.size
    samples.append(np.stack([Q.ravel()[at], C.ravel()[at].astype(np.float32)]))
    lines.append(f"{e['input']} {spec} {p['num_iter']} {p['rank']} {e['fro_error']:.9g} {digest}")
np.save(os.path.join(target, "loftq.npy"), np.stack(samples))
with open(os.path.join(target, "loftq.txt"), "w") as f:
    f.write("\n".join(lines) + "\n")

init = {"identity": "lorc", "lqer": "lqer", "diag": "qera_approx", "rxx": "qera_exact"}
lines = []
for file, e in sorted(manifest.items()):
    if not file.startswith("qera/L1_") or "out_mse" not in e:
        continue
    q = e["params"]["w_quantizer"]
    spec = ("mxint:bits=%d,block=%d" % (q["width"], q["block_size"]) if q["name"] == "mxint"
            else "nf:bits=%d,block=%d" % (q["num_bits"], q["block_size"]))
    lines.append(f"{init[e['params']['scale']]} {spec} {e['params']['rank']} "
                 f"{e['weight_mse']:.9g} {e['out_mse']:.9g}")
with open(os.path.join(target, "qera.txt"), "w") as f:
    f.write("\n".join(lines) + "\n")
