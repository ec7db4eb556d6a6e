"""Codes of upstream GPTQ and numbers of upstream AWQ, small: the first 32 rows of each answer (rows
are rounded independently) and the whole output errors.

    python3 make_gptq.py SHARED/golden > /dev/null     writes gptq/*.npy and gptq/answers.h
"""
import json
import os
import sys

import numpy as np

golden, here = sys.argv[1], os.path.join(os.path.dirname(os.path.abspath(__file__)), "gptq")
os.makedirs(here, exist_ok=True)
manifest = {e["file"]: e for e in json.load(open(os.path.join(golden, "manifest.json")))}
H = np.load(os.path.join(golden, "gptq/L1_H.npz"))["H"]
order = np.argsort(-np.diag(H), kind="stable")
ROWS = 32
codes, lines = [], []
for name in sorted(k for k in manifest if k.startswith("gptq/L1_b")):
    e, p = manifest[name], manifest[name]["params"]
    d = np.load(os.path.join(golden, name))
    n = d["Q"].shape[1]
    g = p["groupsize"] if p["groupsize"] > 0 else n
    scale, zero = d["scale"].T, d["zero"].T          # rows x find_params calls
    if p["groupsize"] > 0:
        scale, zero = scale[:, 1:], zero[:, 1:]      # the first is the unused whole-row call
    place = np.arange(n)
    if p["actorder"] and not p["static_groups"]:
        place = np.empty(n, int)
        place[order] = np.arange(n)
    k = place // g
    c = np.rint(d["Q"] / scale[:, k] + zero[:, k])
    assert np.abs(scale[:, k] * (c - zero[:, k]) - d["Q"]).max() < 1e-5 and c.min() >= 0
    codes.append(c[:ROWS].astype(np.uint8))
    spec = f"gptq:bits={p['bits']},group={'row' if p['groupsize'] < 0 else g},scale=f32"
    spec += ",scheme=symmetric" if p["sym"] else ""
    spec += ",act_order" * p["actorder"] + ",static_groups" * p["static_groups"] + ",search" * p["mse"]
    lines.append(f'    {{ "{spec}", {e["proxy_trace"]:.10g} }},')
np.save(os.path.join(here, "codes.npy"), np.stack(codes).reshape(len(codes) * ROWS, -1))
awq = []
for name in sorted(k for k in manifest if k.startswith("awq/")):
    e = manifest[name]
    d = np.load(os.path.join(golden, name))
    spec = f"awq:bits={e['params']['bits']},group={e['params']['group']},scale=f32"
    np.save(os.path.join(here, f"awq_b{e['params']['bits']}_g{e['params']['group']}.npy"),
            np.concatenate([d["awq_scales"][None], d["deq_scaled_clipped"][:16]]))
    awq.append(f'    {{ "{spec}", "awq_b{e["params"]["bits"]}_g{e["params"]["group"]}.npy", '
               f'{e["out_mse"]["rtn"]:.10g}, {e["out_mse"]["scaled"]:.10g}, '
               f'{e["out_mse"]["scaled_clipped"]:.10g} }},')
with open(os.path.join(here, "answers.h"), "w") as f:
    f.write("/* Made by make_gptq.py: IST-DASLab/gptq 2d65066, mit-han-lab/llm-awq d6e797a. */\n"
            "static const struct {\n    const char *spec;\n    double proxy_trace;\n} gptq_answers[] = {\n"
            + "\n".join(lines) + "\n};\n\nstatic const struct {\n    const char *spec, *file;\n"
            "    double rtn, scaled, clipped; /* mean squared output errors */\n} awq_answers[] = {\n"
            + "\n".join(awq) + "\n};\n")
