#!/usr/bin/env python3
"""Tiny models as GGUF files, and what transformers says of them.

    make_gguf_models.py OUT

Random weights; OUT/losses.txt holds, a line each, a file and the mean loss of transformers in float32 over windows of 32
tokens of tokens.u16, the model being the one that the file stands for:
  head-0000?-of-00003   a head of its own, in the last part
  freqs-0000?-of-00003  frequencies stretched as Llama 3.1's, the divisors in the last part; no tensor in the first
  factor                rope.scaling.factor without a type: positions divided by it
  scale                 NVFP4 blocks, and beside each weight the number that it is multiplied by
  neox                  GPT-NeoX without rope.dimension_count: all dimensions turn
Needs numpy, gguf, torch and transformers.
"""
import os
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
rng = np.random.default_rng(11)
VOCAB, CONTEXT = 48, 32
tokens = rng.integers(0, VOCAB, 4 * CONTEXT + 1).astype("<u2")
tokens.tofile(os.path.join(out, "tokens.u16"))
losses = {}


def loss(model):
    ids = torch.tensor(tokens.astype(np.int64))
    total = 0.0
    with torch.no_grad():
        for i in range(0, len(ids) - 1, CONTEXT):
            logits = model(ids[None, i:i + CONTEXT]).logits[0].double()
            total += torch.nn.functional.cross_entropy(logits, ids[i + 1:i + CONTEXT + 1], reduction="sum").item()
    return total / (len(ids) - 1)


def llama(**more):
    torch.manual_seed(3)
    settings = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4,
                    num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.3, rms_norm_eps=1e-6,
                    tie_word_embeddings=True, attention_dropout=0.0)
    return LlamaForCausalLM(LlamaConfig(**{**settings, **more})).eval()


def permute(a, heads):
    return a.reshape(heads, 2, a.shape[0] // heads // 2, *a.shape[1:]).swapaxes(1, 2).reshape(a.shape)


NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
IN_BLOCK = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
            "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
            "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}


def tensors(model):
    """As llama.cpp names and orders them."""
    found = {}
    for name, p in model.state_dict().items():
        stem = name.rsplit(".", 1)[0]
        a = p.numpy().astype(np.float32)
        if stem.startswith("model.layers."):
            _, _, layer, module = stem.split(".", 3)
            if "q_proj" in module or "k_proj" in module:
                a = permute(a, 4 if "q_proj" in module else 2)
            found[f"blk.{layer}.{IN_BLOCK[module]}.weight"] = a
        elif not (stem == "lm_head" and model.config.tie_word_embeddings):
            found[NAMES[stem] + ".weight"] = a
    return found


def metadata(w, c):
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def put(w, name, a, kind=T.F32):
    w.add_tensor(name, a if kind == T.F32 else a.astype(np.float16) if kind == T.F16 else gguf.quants.quantize(a, kind),
                 raw_dtype=kind)


def write(name, model, parts=None, more=lambda w: None, extra={}, kind=T.F16):
    """parts: which tensors lie in which part; matrices as kind."""
    everything = {**tensors(model), **extra}
    for number, here in enumerate(parts or [list(everything)]):
        file = name if not parts else f"{name}-{number + 1:05}-of-{len(parts):05}"
        w = gguf.GGUFWriter(os.path.join(out, file + ".gguf"), "llama")
        if number == 0:
            metadata(w, model.config)
            w.add_head_count_kv(model.config.num_key_value_heads)
            w.add_layer_norm_rms_eps(model.config.rms_norm_eps)
            w.add_rope_freq_base(10000.0)
            w.add_rope_dimension_count(model.config.hidden_size // 4)
            more(w)
        else:
            w.kv_data[0].pop("general.architecture", None)
        if parts:
            w.add_uint16("split.no", number)
            w.add_uint16("split.count", len(parts))
            w.add_int32("split.tensors.count", len(everything))
        for key in here:
            a = everything[key]
            put(w, key, a, kind if a.ndim == 2 else T.F32)
        finish(w)


def halve(model):
    """Weights that float16 holds."""
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 2:
                p.copy_(p.half().float())
    return model


# a head of its own, in the last part
model = halve(llama(tie_word_embeddings=False))
names = [n for n in tensors(model) if n != "output.weight"]
write("head", model, [names[:5], names[5:], ["output.weight"]])
losses["head-00001-of-00003"] = loss(model)

# Llama 3.1's frequencies
rope = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=64)
model = halve(llama(rope_parameters=rope))
plain = 10000.0 ** (-np.arange(4) / 4)
divisors = (plain / model.model.rotary_emb.inv_freq.numpy()).astype(np.float32)
names = list(tensors(model))
write("freqs", model, [[], names, ["rope_freqs.weight"]], extra={"rope_freqs.weight": divisors})
losses["freqs-00001-of-00003"] = loss(model)

# a factor without a type
model = halve(llama(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)))
write("factor", model, more=lambda w: w.add_rope_scaling_factor(4.0))
losses["factor"] = loss(model)

# scales
model = halve(llama(hidden_size=64, intermediate_size=64))
found, extra = tensors(model), {}
w = gguf.GGUFWriter(os.path.join(out, "scale.gguf"), "llama")
metadata(w, model.config)
w.add_head_count_kv(2)
w.add_layer_norm_rms_eps(1e-6)
state = model.state_dict()
for key, a in found.items():
    if a.ndim == 1 or not key.startswith("blk."):
        put(w, key, a, T.F16 if a.ndim == 2 else T.F32)
        continue
    scale = np.float32(rng.uniform(0.25, 2))
    blocks = rng.integers(0, 256, (a.shape[0], a.shape[1] // 64, 36)).astype(np.uint8)
    blocks[:, :, :4] = rng.integers(0x10, 0x24, blocks[:, :, :4].shape)  # scales of 16 numbers, positive
    blocks = blocks.reshape(a.shape[0], -1)
    w.add_tensor(key, blocks, raw_dtype=T.NVFP4)
    w.add_tensor(key.replace(".weight", ".scale"), np.array([scale]))
    w.add_tensor(key.replace(".weight", ".input_scale"), np.array([np.float32(0.01)]))
    back = gguf.quants.dequantize(blocks, T.NVFP4) * scale
    _, layer, short, _ = key.split(".")
    module = next(m for m, s in IN_BLOCK.items() if s == short)
    if short in ("attn_q", "attn_k"):
        heads = 4 if short == "attn_q" else 2
        back = back.reshape(heads, back.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(back.shape)
    state[f"model.layers.{layer}.{module}.weight"].copy_(torch.from_numpy(np.ascontiguousarray(back)))
finish(w)
losses["scale"] = loss(model)

# GPT-NeoX whose heads turn as a whole
torch.manual_seed(4)
model = halve(GPTNeoXForCausalLM(GPTNeoXConfig(
    vocab_size=VOCAB, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
    max_position_embeddings=128, initializer_range=0.3, rotary_pct=1.0,
    rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=1.0))).eval())
w = gguf.GGUFWriter(os.path.join(out, "neox.gguf"), "gptneox")
metadata(w, model.config)
w.add_layer_norm_eps(model.config.layer_norm_eps)
w.add_parallel_residual(True)
NEOX = {"gpt_neox.embed_in": "token_embd", "lm_head": "output", "gpt_neox.final_layer_norm": "output_norm"}
NEOX_BLOCK = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
              "attention.query_key_value": "attn_qkv", "attention.dense": "attn_output",
              "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down"}
for name, p in model.state_dict().items():
    stem, end = name.rsplit(".", 1)
    a = p.numpy().astype(np.float32)
    if stem in NEOX:
        key = NEOX[stem]
    elif stem.startswith("gpt_neox.layers.0.") and stem[len("gpt_neox.layers.0."):] in NEOX_BLOCK:
        key = "blk.0." + NEOX_BLOCK[stem[len("gpt_neox.layers.0."):]]
        if "attn_qkv" in key:
            a = a.reshape(2, 3, -1, *a.shape[1:]).swapaxes(0, 1).reshape(a.shape)
    else:
        continue
    put(w, f"{key}.{end}", np.ascontiguousarray(a), T.F16 if a.ndim == 2 else T.F32)
finish(w)
losses["neox"] = loss(model)

with open(os.path.join(out, "losses.txt"), "w") as f:
    for name, value in losses.items():
        f.write(f"{name} {value:.9f}\n")
