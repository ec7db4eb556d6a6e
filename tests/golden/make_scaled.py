#!/usr/bin/env python3
"""Small checkpoints whose weights have scales beside them, and what they stand for.

    make_scaled.py OUT

compressed-tensors (0.20) packs and unpacks its own formats; DeepSeek's blocks, ComfyUI's, Mistral's and ModelOpt's
scales are what their loaders multiply by.  Each folder of OUT holds model.safetensors and mostly config.json;
want.NAME is what the layer NAME stands for, float32.  Needs torch, compressed-tensors.
"""
import json
import os
import sys

import torch
from safetensors.torch import save_file
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.compressors.naive_quantized.base import NaiveQuantizationCompressor
from compressed_tensors.compressors.nvfp4.base import NVFP4PackedCompressor
from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
from compressed_tensors.compressors.mxfp4.base import MXFP4PackedCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

out_path = sys.argv[1]
torch.manual_seed(20250519)
Q = "layers.0.self_attn.q_proj"
NAMES = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.up_proj",
         "mlp.gate_proj", "mlp.down_proj"]


def write(name, tensors, config):
    folder = os.path.join(out_path, name)
    os.makedirs(folder, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(folder, "model.safetensors"))
    if config is not None:
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump({"model_type": "llama", **config}, f, indent=1)


def f8(rows, cols, kind=torch.float8_e4m3fn):
    return (torch.randn(rows, cols) * 20).to(kind)


def compressed(peer, rows, cols, **args):
    """Codes of a random weight as the peer stores them, and what it makes of them again."""
    scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**args))
    group = args.get("group_size") or cols
    symmetric = args.get("symmetric", True)
    state = {"weight": torch.randn(rows, cols)}
    if "block_structure" in args:
        b = args["block_structure"]
        shape = (-(-rows // b[0]), -(-cols // b[1]))
    else:
        shape = (rows, cols // group)
    state["weight_scale"] = torch.rand(shape) * 0.3 + 0.1
    if args.get("type") == "float" and args["num_bits"] == 4:
        if group == 16:
            state["weight_global_scale"] = torch.tensor([37.0])
            state["weight_scale"] = (torch.rand(shape) * 20 + 5).to(torch.float8_e4m3fn).float()
        else:
            state["weight_scale"] = torch.exp2(torch.randint(-4, 3, shape).float())
    if not symmetric:
        high = 2 ** (args["num_bits"] - 1)
        state["weight_zero_point"] = torch.randint(-high, high, shape).to(torch.int8)
    packed = peer.compress(dict(state), scheme)
    if "weight_packed" in packed and packed["weight_packed"].dtype == torch.uint8:  # the peer computes in bfloat16
        codes = unpack_fp4_from_uint8(packed["weight_packed"], rows, cols, dtype=torch.float32)
        scale = state["weight_scale"] / state.get("weight_global_scale", torch.tensor(1.0))
        return packed, codes * scale.repeat_interleave(group, 1)
    return packed, peer.decompress(dict(packed), scheme)["weight"].float()


def reordered(packed, want, group):
    """The same codes, whose inputs belong to groups in an order of their own (actorder)."""
    cols = want.shape[1]
    g = (torch.arange(cols) // group)[torch.randperm(cols)]
    codes = want / packed["weight_scale"].float().repeat_interleave(group, 1)
    return {**packed, "weight_g_idx": g.int()}, codes.round() * packed["weight_scale"].float()[:, g]


def put(tensors, name, state, want):
    tensors.update({f"{name}.{k}": v for k, v in state.items()})
    tensors["want." + name] = want


# ---- compressed-tensors: integers in words
for folder, bits, rows in (("packed4", 4, [(dict(group_size=32), 24, 64), (dict(group_size=16, symmetric=False), 24, 64),
                                          (dict(group_size=16), 16, 48),
                                          (dict(symmetric=False), 16, 20)]),
                           ("packed8", 8, [(dict(group_size=32), 12, 64), (dict(symmetric=False), 12, 18)])):
    tensors = {}
    for i, (args, m, n) in enumerate(rows):
        args = dict(num_bits=bits, strategy="group" if "group_size" in args else "channel", **args)
        state, want = compressed(PackedQuantizationCompressor, m, n, **args)
        put(tensors, "layers.0." + NAMES[i], *(reordered(state, want, 16) if n == 48 else (state, want)))
    write(folder, tensors, {"quantization_config": {
        "quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": bits, "type": "int"}}}}})

# ---- compressed-tensors: FP4
tensors = {}
put(tensors, Q, *compressed(NVFP4PackedCompressor, 24, 64, num_bits=4, type="float", strategy="tensor_group", group_size=16))
put(tensors, "layers.0.self_attn.k_proj",
    *compressed(MXFP4PackedCompressor, 24, 64, num_bits=4, type="float", strategy="group", group_size=32))
write("fp4", tensors, {"quantization_config": {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}})

# ---- compressed-tensors: one number a weight
tensors = {}
for i, args in enumerate((dict(num_bits=8, type="float", strategy="channel"),
                          dict(num_bits=8, type="int", strategy="channel"),
                          dict(num_bits=8, type="int", strategy="channel", symmetric=False),
                          dict(num_bits=8, type="int", strategy="group", group_size=16),
                          dict(num_bits=8, type="float", strategy="block", block_structure=[8, 16]))):
    put(tensors, "layers.0." + NAMES[i], *compressed(NaiveQuantizationCompressor, 12, 32, **args))
write("naive", tensors, {"quantization_config": {
    "quant_method": "compressed-tensors", "format": "mixed-precision", "config_groups": {
        "group_0": {"weights": {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [8, 16]}}}}})

# ---- DeepSeek: blocks, the last ones smaller; scales as float32 and as powers of two
tensors = {}
for name, kind in ((Q, torch.float32), ("layers.0.self_attn.k_proj", torch.float8_e8m0fnu)):
    w, s = f8(20, 18), (torch.rand(2, 2) * 0.01 + 0.001 if kind == torch.float32 else torch.exp2(torch.tensor([[-3.0, 1], [0, -9]])))
    big = s.repeat_interleave(16, 0)[:20].repeat_interleave(16, 1)[:, :18]
    put(tensors, name, {"weight": w, "weight_scale_inv": s.to(kind)}, w.float() * big)
write("deepseek", tensors, {"quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [16, 16]}})

# ---- no configuration: ComfyUI's, Mistral's, fbgemm's, ModelOpt's, one per tensor and one per row
tensors = {"scaled_fp8": torch.zeros(0).to(torch.float8_e4m3fn)}
for name, scale, aside, shape, kind in (
        ("self_attn.q_proj", "scale_weight", "scale_input", (), torch.float8_e4m3fn),
        ("self_attn.k_proj", "qscale_weight", "qscale_act", (1,), torch.float8_e4m3fn),
        ("self_attn.v_proj", "weight_scale", "input_scale_ub", (16, 1), torch.float8_e4m3fn),
        ("self_attn.o_proj", "weight_scale", "input_scale", (16,), torch.float8_e5m2),
        ("mlp.up_proj", "weight_scale", "input_scale", (1, 1), torch.float8_e4m3fn)):
    w, s = f8(16, 24, kind), torch.rand(shape) * 0.1
    put(tensors, "layers.0." + name, {"weight": w, scale: s, aside: torch.tensor(3.0)}, w.float() * s.reshape(-1, 1))
scale_2 = torch.tensor(0.0131)
packed, scale = torch.randint(0, 256, (16, 32), dtype=torch.uint8), (torch.rand(16, 4) * 20 + 1).to(torch.float8_e4m3fn)
e2m1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
codes = torch.stack((packed & 15, packed >> 4), -1).reshape(16, 64).long()
put(tensors, "layers.0.mlp.down_proj", {"weight": packed, "weight_scale": scale, "weight_scale_2": scale_2,
                                        "input_scale": torch.tensor(1.5)},
    e2m1[codes] * (scale.float() * scale_2).repeat_interleave(16, 1))
write("bare", tensors, None)
