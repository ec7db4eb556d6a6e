"""Tiny random models of every architecture and what Hugging Face's transformers computes with them.

    python3 make_transformers.py        (torch, transformers; writes transformers/CASE/)

Each folder is a model in the usual layout (config.json, model.safetensors) and reference.safetensors:
tokens (B x T+1, as float32), logits (B T x V), loss (mean over targets) and, named grad.TENSOR, the
gradient of the loss by every parameter; computed in float64, stored as float64.  The numbers in
model.safetensors are float32, so both sides start from the same weights.
"""
import json
import os
import struct

import torch
from transformers import AutoModelForCausalLM, AutoConfig

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "transformers")
B, T = 2, 9

LLAMA = dict(hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, vocab_size=19, max_position_embeddings=64, rms_norm_eps=1e-5)
CASES = {
    "gpt_neox": dict(model_type="gpt_neox", hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                     num_attention_heads=2, vocab_size=19, max_position_embeddings=32,
                     rotary_pct=0.25, hidden_act="gelu", use_parallel_residual=True),
    "gpt_neox-sequential-tied": dict(model_type="gpt_neox", hidden_size=8, intermediate_size=16,
                                     num_hidden_layers=2, num_attention_heads=2, vocab_size=19,
                                     max_position_embeddings=32, rotary_pct=1.0, rotary_emb_base=500,
                                     use_parallel_residual=False, tie_word_embeddings=True),
    "gpt2": dict(model_type="gpt2", n_embd=8, n_layer=2, n_head=2, n_positions=16, vocab_size=19),
    "gpt2-inner": dict(model_type="gpt2", n_embd=8, n_layer=1, n_head=4, n_positions=16,
                       vocab_size=19, n_inner=12, activation_function="relu"),
    "llama": dict(model_type="llama", tie_word_embeddings=False, **LLAMA),
    "llama-tied-biases": dict(model_type="llama", tie_word_embeddings=True, attention_bias=True,
                              mlp_bias=True, rope_theta=500.0,
                              rope_scaling=dict(rope_type="linear", factor=2.0), **LLAMA),
    "llama3-rope": dict(model_type="llama", tie_word_embeddings=False, head_dim=6, rope_theta=5000.0,
                        rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                                          high_freq_factor=4.0,
                                          original_max_position_embeddings=16), **LLAMA),
    "mistral": dict(model_type="mistral", sliding_window=None, head_dim=2, **LLAMA),
    "qwen2": dict(model_type="qwen2", use_sliding_window=False, tie_word_embeddings=True, **LLAMA),
    "gpt_neo": dict(model_type="gpt_neo", hidden_size=8, num_layers=2, num_heads=2, vocab_size=19,
                    max_position_embeddings=32, window_size=4,
                    attention_types=[[["global", "local"], 1]]),
}


def save(path, tensors):
    header, data, at = {}, [], 0
    for name, t in tensors.items():
        t = t.detach().contiguous()
        raw = t.numpy().tobytes()
        kind = {torch.float32: "F32", torch.float64: "F64"}[t.dtype]
        header[name] = dict(dtype=kind, shape=list(t.shape), data_offsets=[at, at + len(raw)])
        data.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def make(name, settings):
    torch.manual_seed(sum(name.encode()))
    kind = settings["model_type"]
    config = AutoConfig.for_model(kind, **{k: v for k, v in settings.items() if k != "model_type"})
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for p in model.parameters():  # larger than the usual initialisation, biases and norms too
        p.data = p.data + 0.3 * torch.randn_like(p)
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    shared = {id(model.get_output_embeddings().weight)} if config.tie_word_embeddings else set()
    embedding = id(model.get_input_embeddings().weight)
    named, seen = {}, set()
    for n, p in model.named_parameters():
        if id(p) not in seen:
            seen.add(id(p))
            named[n] = p
    save(os.path.join(folder, "model.safetensors"), {n: p.data for n, p in named.items()})
    with open(os.path.join(folder, "config.json"), "w") as f:
        f.write(config.to_json_string(use_diff=True))
    model = model.double()
    tokens = torch.randint(0, 19, (B, T + 1))
    logits = model(tokens[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 19), tokens[:, 1:].reshape(-1))
    loss.backward()
    out = dict(tokens=tokens.float(), logits=logits.reshape(-1, 19), loss=loss.reshape(1))
    for n, p in model.named_parameters():
        if n in named:
            out["grad." + n] = p.grad
    save(os.path.join(folder, "reference.safetensors"), out)
    print(name, float(loss), sum(p.numel() for p in named.values()))


for case in CASES:
    make(case, CASES[case])
