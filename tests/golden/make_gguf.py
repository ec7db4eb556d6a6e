#!/usr/bin/env python3
"""Small GGUF files, written by the `gguf` package (0.19), in llama.cpp's names and order of rows.

    make_gguf.py OUT CORPUS

types.gguf    NAME: blocks of every type that the package dequantizes; NAME.want: what it makes of them, float32
llama.gguf, gptneox.gguf, gpt2.gguf, qwen2.gguf, mixtral.gguf: one block, float32; a tensor's number i, counted in the
              Hugging Face checkpoint, is i.  llama.gguf also holds metadata of every type under `t.`
split-0000?-of-00002.gguf: llama.gguf's tensors in two parts
llama3.gguf   the frequencies of Llama 3.1's rotary positions
CORPUS gets small files for the fuzz target: good-* must be accepted, bad-* refused.
Needs numpy and gguf.
"""
import os
import struct
import sys
import warnings

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

warnings.simplefilter("ignore")
out = sys.argv[1]
os.makedirs(out, exist_ok=True)
rng = np.random.default_rng(20240607)


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def count(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def permute(a, heads):
    """Rows [head][2][d/2] to [head][d/2][2]."""
    return a.reshape(heads, 2, a.shape[0] // heads // 2, *a.shape[1:]).swapaxes(1, 2).reshape(a.shape)


def blocks(a, heads):
    """Rows [head][q k v][d] to [q k v][head][d]."""
    return a.reshape(heads, 3, -1, *a.shape[1:]).swapaxes(0, 1).reshape(a.shape)


def types():
    w = gguf.GGUFWriter(os.path.join(out, "types.gguf"), "none-such")
    for kind in T:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        row = 256 if block > 1 else 24
        try:
            gguf.quants.dequantize(np.zeros((1, row // block * size), np.uint8), kind)
        except NotImplementedError:
            continue
        if kind.name in ("F32", "F16"):
            data = rng.standard_normal((2, row)).astype(np.float32 if kind.name == "F32" else np.float16)
            want = data.astype(np.float32)
        else:
            while True:  # random scales may be infinite
                data = rng.integers(0, 256, (2, row // block * size)).astype(np.uint8)
                want = gguf.quants.dequantize(data, kind)
                if np.isfinite(want).all() and np.abs(want).max() < 1e30:
                    break
        name = kind.name.lower()
        w.add_tensor(name, data, raw_dtype=kind)
        w.add_tensor(name + ".want", np.ascontiguousarray(want, np.float32))
    finish(w)


def sizes(w, width, heads, kv, hidden):
    w.add_block_count(1)
    w.add_context_length(32)
    w.add_embedding_length(width)
    w.add_feed_forward_length(hidden)
    w.add_head_count(heads)
    if kv:
        w.add_head_count_kv(kv)


LLAMA = [("token_embd.weight", count(10, 16)), ("output_norm.weight", count(16)),
         ("blk.0.attn_norm.weight", count(16)), ("blk.0.ffn_norm.weight", count(16)),
         ("blk.0.attn_q.weight", permute(count(16, 16), 4)), ("blk.0.attn_q.bias", permute(count(16), 4)),
         ("blk.0.attn_k.weight", permute(count(8, 16), 2)), ("blk.0.attn_v.weight", count(8, 16)),
         ("blk.0.attn_output.weight", count(16, 16)), ("blk.0.ffn_gate.weight", count(24, 16)),
         ("blk.0.ffn_up.weight", count(24, 16)), ("blk.0.ffn_down.weight", count(16, 24))]


def llama(name, tensors, more=lambda w: None, arch="llama"):
    w = gguf.GGUFWriter(os.path.join(out, name), arch)
    sizes(w, 16, 4, 2, 24)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_freq_base(10000.0)
    w.add_rope_dimension_count(4)
    more(w)
    for key, a in tensors:
        w.add_tensor(key, np.ascontiguousarray(a))
    finish(w)


def every_type(w):
    w.add_uint8("t.u8", 200)
    w.add_int8("t.i8", -3)
    w.add_uint16("t.u16", 60000)
    w.add_int16("t.i16", -300)
    w.add_uint32("t.u32", 4000000000)
    w.add_int32("t.i32", -70000)
    w.add_uint64("t.u64", 1 << 40)
    w.add_int64("t.i64", -(1 << 40))
    w.add_float32("t.f32", 0.25)
    w.add_float64("t.f64", 1 / 3)
    w.add_bool("t.bool", True)
    w.add_string("t.text", "ein Wört")
    w.add_array("t.texts", ["a", "", "bc"])
    w.add_array("t.sizes", [7, 7, 7])
    w.add_array("t.mixed", [7, 8])
    w.add_array("t.reals", [0.5, 1.5])


def part(number):
    def more(w):
        w.add_uint16("split.no", number)
        w.add_uint16("split.count", 2)
        w.add_int32("split.tensors.count", len(LLAMA))
    return more


types()
llama("llama.gguf", LLAMA, every_type)
llama("split-00001-of-00002.gguf", LLAMA[:5], part(0))
llama("split-00002-of-00002.gguf", LLAMA[5:], part(1))
llama("qwen2.gguf", [(k, count(*a.shape)) for k, a in LLAMA] +
      [("blk.0.attn_k.bias", count(8)), ("blk.0.attn_v.bias", count(8)), ("output.weight", count(10, 16))], arch="qwen2")
llama("mixtral.gguf", [t for t in LLAMA if "ffn_" not in t[0]] +
      [("blk.0.ffn_gate_inp.weight", count(2, 16)), ("blk.0.ffn_gate_exps.weight", count(2, 24, 16)),
       ("blk.0.ffn_up_exps.weight", count(2, 24, 16)), ("blk.0.ffn_down_exps.weight", count(2, 16, 24))],
      lambda w: (w.add_expert_count(2), w.add_expert_used_count(1)))

w = gguf.GGUFWriter(os.path.join(out, "llama3.gguf"), "llama")
sizes(w, 256, 2, 2, 512)
w.add_layer_norm_rms_eps(1e-5)
w.add_rope_freq_base(500000.0)
w.add_rope_dimension_count(128)
wavelength = 2 * np.pi * 500000.0 ** (np.arange(64) / 64)
smooth = (8192 / wavelength - 1) / 3
factors = np.where(wavelength < 8192 / 4, 1, np.where(wavelength > 8192, 8, 1 / ((1 - smooth) / 8 + smooth)))
w.add_tensor("rope_freqs.weight", factors.astype(np.float32))
w.add_tensor("token_embd.weight", count(4, 256))
finish(w)

w = gguf.GGUFWriter(os.path.join(out, "gptneox.gguf"), "gptneox")
sizes(w, 12, 3, 0, 48)
w.add_layer_norm_eps(1e-5)
w.add_rope_dimension_count(2)
w.add_parallel_residual(False)
for key, a in [("token_embd.weight", count(10, 12)), ("output.weight", count(10, 12)),
               ("blk.0.attn_qkv.weight", blocks(count(36, 12), 3)), ("blk.0.attn_qkv.bias", blocks(count(36), 3)),
               ("blk.0.attn_output.weight", count(12, 12)), ("blk.0.ffn_up.weight", count(48, 12)),
               ("blk.0.ffn_down.weight", count(12, 48)), ("output_norm.weight", count(12)),
               ("blk.0.attn_norm.weight", count(12)), ("blk.0.ffn_norm.weight", count(12))]:
    w.add_tensor(key, np.ascontiguousarray(a))
finish(w)

w = gguf.GGUFWriter(os.path.join(out, "gpt2.gguf"), "gpt2")
sizes(w, 8, 2, 0, 32)
w.add_layer_norm_eps(1e-5)
for key, a in [("token_embd.weight", count(10, 8)), ("position_embd.weight", count(32, 8)),
               ("blk.0.attn_qkv.weight", count(8, 24).T), ("blk.0.attn_qkv.bias", count(24)),
               ("blk.0.attn_output.weight", count(8, 8).T), ("blk.0.ffn_up.weight", count(8, 32).T),
               ("blk.0.ffn_down.weight", count(32, 8).T), ("output_norm.weight", count(8))]:
    w.add_tensor(key, np.ascontiguousarray(a))
finish(w)

# ---- the corpus: bytes by hand
corpus = sys.argv[2]
os.makedirs(corpus, exist_ok=True)


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def value(key, kind, data):
    return text(key) + struct.pack("<I", kind) + data


def tensor(name, dims, kind, offset):
    return text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", kind, offset)


def save(name, values, tensors, data=b"", version=3, alignment=32, cut=0, count=None):
    b = b"GGUF" + struct.pack("<IQQ", version, len(tensors) if count is None else count, len(values))
    b += b"".join(values) + b"".join(tensors)
    b += bytes(-len(b) % alignment) + data
    with open(os.path.join(corpus, name + ".gguf"), "wb") as f:
        f.write(b[:len(b) - cut])


u32 = lambda v: struct.pack("<I", v)
arch = value("general.architecture", 8, text("llama"))
heads = value("llama.attention.head_count", 4, u32(2))
one = tensor("blk.0.attn_q.weight", [4, 8], 0, 0)
save("good-empty", [], [])
save("good-version2", [arch, heads], [one], bytes(128), version=2)
save("good-scalar", [], [tensor("s", [], 0, 0)], bytes(4))
save("good-nothing", [], [tensor("n", [0, 3], 2, 0), tensor("m", [32], 2, 0)], bytes(18))
save("good-empty-tensor-last", [], [tensor("n", [0, 3], 0, 0)], cut=7)
save("good-gap", [], [tensor("b", [32], 8, 64), tensor("a", [256], 12, 128)], bytes(300))
save("good-alignment8", [value("general.alignment", 4, u32(8))], [tensor("a", [2], 0, 0), tensor("b", [1], 1, 8)],
     bytes(10), alignment=8)
save("good-nested", [value("n", 9, u32(9) + struct.pack("<Q", 2) + 2 * (u32(8) + struct.pack("<Q", 1) + text("x")))], [])
save("good-scaling", [arch, heads, value("llama.rope.scaling.type", 8, text("yarn")),
                      value("llama.rope.dimension_count", 4, u32(3)), value("llama.embedding_length", 4, u32(8))],
     [tensor("rope_freqs.weight", [4], 0, 0), tensor("token_embd.weight", [4, 2], 0, 32)], bytes(64))
save("good-zero-heads", [arch, value("llama.attention.head_count", 4, u32(0))], [])
save("bad-version1", [], [], version=1)
save("bad-big-endian", [], [], version=0x03000000)
save("bad-cut", [arch, heads], [one], bytes(128), cut=1)
save("bad-count", [], [], count=1 << 60)
save("bad-bool", [value("b", 7, b"\x02")], [])
save("bad-type", [value("b", 13, b"\x02")], [])
save("bad-string", [value("s", 8, struct.pack("<Q", 1 << 63))], [])
save("bad-array", [value("s", 9, u32(10) + struct.pack("<Q", 1 << 61))], [])
save("bad-deep", [value("n", 9, 5 * (u32(9) + struct.pack("<Q", 1)) + u32(0) + struct.pack("<Q", 0))], [])
save("bad-twice", [arch, arch], [])
save("bad-tensor-twice", [], [one, tensor("blk.0.attn_q.weight", [4, 8], 0, 128)], bytes(256))
save("bad-overlap", [], [one, tensor("u", [4, 8], 0, 96)], bytes(256))
save("bad-unaligned", [], [tensor("u", [4, 8], 0, 8)], bytes(256))
save("bad-block", [], [tensor("u", [33], 2, 0)], bytes(256))
save("bad-product", [], [tensor("u", [1 << 40, 1 << 40], 0, 0)], bytes(256))
save("bad-offset", [], [tensor("u", [32], 0, (1 << 64) - 32)], bytes(256))
save("bad-dims", [], [tensor("u", [1] * 5, 0, 0)], bytes(256))
save("bad-ggml-type", [], [tensor("u", [32], 4, 0)], bytes(256))
save("bad-alignment", [value("general.alignment", 4, u32(12))], [])
save("good-name-not-utf8", [], [struct.pack("<Q", 2) + b"b\xff" + one[8 + len("blk.0.attn_q.weight"):]], bytes(128))


def split(name, *parts):
    """Parts of a split model, one behind the other: each is (number, count, tensors in all, tensors, data)."""
    whole = b""
    for no, count, total, tensors, data in parts:
        values = [arch, heads] if no == 0 else []
        values += [value("split.no", 2, struct.pack("<H", no)), value("split.count", 2, struct.pack("<H", count)),
                   value("split.tensors.count", 5, struct.pack("<i", total))]
        save(name, values, tensors, data)
        with open(os.path.join(corpus, name + ".gguf"), "rb") as f:
            whole += f.read()
    with open(os.path.join(corpus, name + ".gguf"), "wb") as f:
        f.write(whole)


out_weight = tensor("output.weight", [4, 2], 0, 0)
scale = tensor("blk.0.attn_q.scale", [1], 0, 0)
split("good-split", (0, 3, 3, [], b""), (1, 3, 3, [one], bytes(128)),
      (2, 3, 3, [scale, tensor("output.weight", [4, 2], 0, 32)], bytes(64)))
split("bad-split-missing", (0, 2, 1, [one], bytes(128)))
split("bad-split-number", (0, 2, 1, [one], bytes(128)), (0, 2, 1, [], b""))
split("bad-split-beyond", (3, 2, 1, [one], bytes(128)))
split("bad-split-tensors", (0, 2, 9, [one], bytes(128)), (1, 2, 9, [out_weight], bytes(32)))
split("bad-split-twice", (0, 2, 2, [one], bytes(128)), (1, 2, 2, [one], bytes(128)))


def items(kind, data):
    return u32(kind) + struct.pack("<Q", len(data)) + b"".join(data)


def vocabulary(model, tokens, types, more):
    return [value("tokenizer.ggml.model", 8, text(model)), value("tokenizer.ggml.tokens", 9, items(8, [text(t) for t in tokens])),
            value("tokenizer.ggml.token_type", 9, items(5, [struct.pack("<i", t) for t in types]))] + more


floats = lambda *x: items(6, [struct.pack("<f", v) for v in x])
save("good-vocabulary-gpt2", vocabulary("gpt2", ["<s>", "a", "b", "ab", "\u0120"], [3, 1, 1, 1, 1], [
    value("tokenizer.ggml.pre", 8, text("llama-bpe")), value("tokenizer.ggml.merges", 9, items(8, [text("a b")])),
    value("tokenizer.ggml.bos_token_id", 4, u32(0))]), [])
save("good-vocabulary-llama", vocabulary("llama", ["<unk>", "<s>", "</s>", "<0xC3>", "a", "b", "ab", "\u2581"],
                                         [2, 3, 3, 6, 1, 1, 1, 1],
                                         [value("tokenizer.ggml.scores", 9, floats(0, 0, 0, 0, -3, -2, -1, -1))]), [])
save("good-vocabulary-short", vocabulary("llama", ["a", "b"], [1], [value("tokenizer.ggml.scores", 9, floats(0))]), [])
