#!/usr/bin/env python3
"""Small checkpoints in the layouts of GPTQ, AWQ and bitsandbytes, packed or unpacked by those projects' own code.

    make_prequantized.py AUTO_GPTQ AUTO_AWQ GOLDEN_BNB OUT

AUTO_GPTQ: folder that holds auto_gptq/ (0.7.1), whose pack() makes the GPTQ arrays.
AUTO_AWQ: folder that holds awq/ (0.2.9), whose dequantize_gemm() says what random AWQ words stand for.
GOLDEN_BNB: arrays that bitsandbytes answered (packed, absmax, ..., deq); the names of the state dict are those of
its QuantState.as_dict(packed=True).
Each folder of OUT holds config.json and model.safetensors; want.NAME is what the layer NAME stands for, float32.
Needs numpy, torch, transformers.
"""
import importlib.util
import json
import os
import struct
import sys
import types

import numpy as np
import torch
import transformers.pytorch_utils  # before the stand-ins below, which it would look at

gptq_path, awq_path, bnb_path, out_path = sys.argv[1:5]
rng = np.random.default_rng(20240607)
TYPES = {"float32": "F32", "float16": "F16", "int32": "I32", "uint8": "U8", "int8": "I8"}


def write(name, tensors, quantization):
    folder = os.path.join(out_path, name)
    os.makedirs(folder, exist_ok=True)
    header, at, data = {}, 0, []
    for key, a in tensors.items():
        a = np.ascontiguousarray(a)
        header[key] = {"dtype": TYPES[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
        data.append(a.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(data))
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"model_type": "llama", "quantization_config": quantization}, f, indent=1)


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def gptq(bits, inputs, outputs, group, act_order):
    """Codes and zeros at random; AutoGPTQ finds the codes again from W and packs them."""
    most = 2**bits - 1
    groups = inputs // group
    g = np.arange(inputs) // group
    if act_order:
        rng.shuffle(g)
    codes = rng.integers(0, most + 1, (outputs, inputs))
    zeros = rng.integers(1, most + 1, (outputs, groups))  # it cannot pack a zero of 0
    scales = (rng.uniform(0.5, 2, (outputs, groups)) / most).astype(np.float16).astype(np.float32)
    want = (scales[:, g] * (codes - zeros[:, g]).astype(np.float32)).astype(np.float32)
    linear = torch.nn.Linear(inputs, outputs, bias=False)
    linear.weight.data = torch.from_numpy(want.copy())
    module = peer_gptq.QuantLinear(bits, group, inputs, outputs, False)
    module.pack(linear, torch.from_numpy(scales), torch.from_numpy(zeros.astype(np.float32)), torch.from_numpy(g))
    return {"qweight": module.qweight.numpy(), "qzeros": module.qzeros.numpy(),
            "scales": module.scales.numpy().astype(np.float16), "g_idx": g.astype(np.int32)}, want


sys.path.insert(0, gptq_path)
for missing in ("auto_gptq", "auto_gptq.nn_modules", "auto_gptq.nn_modules.qlinear"):
    sys.modules[missing] = types.ModuleType(missing)  # their __init__ import what is not needed here
peer_gptq = load(os.path.join(gptq_path, "auto_gptq/nn_modules/qlinear/qlinear_cuda.py"), "peer_gptq")
peer_awq = load(os.path.join(awq_path, "awq/utils/packing_utils.py"), "peer_awq")


class IndexWithLong:
    """torch, for a PyTorch that takes no int32 as an index."""

    int32 = torch.int64

    def __getattr__(self, name):
        return getattr(torch, name)


peer_awq.torch = IndexWithLong()

# ---- GPTQ, first version
tensors = {}
for name, bits, inputs, outputs, group, act in (("layers.0.self_attn.q_proj", 2, 64, 32, 32, False),
                                                ("layers.0.self_attn.k_proj", 3, 96, 64, 32, False),
                                                ("layers.0.self_attn.v_proj", 4, 64, 32, 16, True),
                                                ("layers.0.self_attn.o_proj", 8, 64, 32, 64, False),
                                                ("layers.0.mlp.up_proj", 3, 64, 32, 32, True),
                                                ("layers.0.mlp.down_proj", 4, 64, 32, 32, False)):
    arrays, want = gptq(bits, inputs, outputs, group, act)
    if name.endswith("down_proj"):
        del arrays["g_idx"]
    tensors.update({f"{name}.{k}": v for k, v in arrays.items()})
    tensors["want." + name] = want
write("gptq", tensors, {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": True, "dynamic": {"+:x": {}}})

# ---- GPTQ, second version: zeros as they are, 0 among them.  Words hold the codes from the low bits on.
words = rng.integers(-2**31, 2**31, (8, 32)).astype(np.int32)
zeros = rng.integers(-2**31, 2**31, (2, 4)).astype(np.int32)
scales = rng.uniform(0.01, 0.02, (2, 32)).astype(np.float16)
nibbles = lambda w: (w.view(np.uint32)[..., None] >> (4 * np.arange(8, dtype=np.uint32))) & 15
codes = nibbles(words).transpose(0, 2, 1).reshape(64, 32).astype(np.float32)
zero = nibbles(zeros).reshape(2, 32).astype(np.float32)
assert (zero == 0).any()
g = np.arange(64) // 32
write("gptq_v2", {"a.qweight": words, "a.qzeros": zeros, "a.scales": scales, "a.g_idx": g.astype(np.int32),
                  "want.a": (scales.astype(np.float32)[g] * (codes - zero[g])).T},
      {"quant_method": "gptq", "bits": 4, "group_size": 32, "checkpoint_format": "gptq_v2"})

# ---- AWQ
words = rng.integers(-2**31, 2**31, (64, 6)).astype(np.int32)
zeros = rng.integers(-2**31, 2**31, (2, 6)).astype(np.int32)
scales = rng.uniform(0.01, 0.02, (2, 48)).astype(np.float16)
want = peer_awq.dequantize_gemm(torch.from_numpy(words), torch.from_numpy(zeros),
                                torch.from_numpy(scales.astype(np.float32)), 4, 32).numpy().T
write("awq", {"layers.0.mlp.gate_proj.qweight": words, "layers.0.mlp.gate_proj.qzeros": zeros,
              "layers.0.mlp.gate_proj.scales": scales, "want.layers.0.mlp.gate_proj": want.astype(np.float32)},
      {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True})

# ---- bitsandbytes
maps = np.load(os.path.join(bnb_path, "maps.npz"))
tensors = {}
for name, file, kind, nested in (("layers.0.self_attn.q_proj", "nf4_bs64_dq_default__odd_37x53", "nf4", True),
                                 ("layers.0.self_attn.k_proj", "fp4_bs64_default__odd_37x53", "fp4", False),
                                 ("layers.0.self_attn.v_proj", "nf4_bs128_default__odd_37x53", "nf4", False)):
    a = np.load(os.path.join(bnb_path, file + ".npz"))
    shape = a["deq"].shape
    state = {"quant_type": kind, "blocksize": 128 if "bs128" in file else 64, "dtype": "float32", "shape": list(shape)}
    stem = name + ".weight"
    tensors[stem] = a["packed"].reshape(-1, 1)
    table = next(k for k in maps.files if k.lower().startswith(kind) and maps[k].size == 16)
    tensors[stem + ".quant_map"] = maps[table].astype(np.float32)
    if nested:
        tensors[stem + ".absmax"] = a["absmax_q"].reshape(-1)
        tensors[stem + ".nested_absmax"] = a["nested_absmax"].reshape(-1).astype(np.float32)
        tensors[stem + ".nested_quant_map"] = maps["dynamic"].astype(np.float32)
        state.update(nested_blocksize=256, nested_dtype="float32", nested_offset=float(a["offset"][0]))
    else:
        tensors[stem + ".absmax"] = a["absmax"].reshape(-1).astype(np.float32)
    tensors[f"{stem}.quant_state.bitsandbytes__{kind}"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    tensors["want." + name] = a["deq"].astype(np.float32)
codes = rng.integers(-127, 128, (8, 12)).astype(np.int8)
scb = rng.uniform(0.5, 2, 8).astype(np.float32)
tensors.update({"layers.0.mlp.up_proj.weight": codes, "layers.0.mlp.up_proj.SCB": scb,
                "layers.0.mlp.up_proj.weight_format": np.array(0, np.uint8),
                "want.layers.0.mlp.up_proj": codes.astype(np.float32) * scb[:, None] * np.float32(1 / 127)})
write("bnb", tensors, {"quant_method": "bitsandbytes", "load_in_4bit": True})
