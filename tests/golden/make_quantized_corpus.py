#!/usr/bin/env python3
"""Seeds of tests/fuzz/corpus/quantized and config, each named by what it is; good-* is accepted.

A seed of quantized is a configuration, a 0, and a safetensors file.
"""
import json
import os
import struct

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus")
SIZE = {"F32": 4, "F16": 2, "I64": 8, "I32": 4, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E8M0": 1, "U32": 4}


def put(folder, name, data):
    os.makedirs(os.path.join(here, folder), exist_ok=True)
    with open(os.path.join(here, folder, name), "wb") as f:
        f.write(data)


def quantized(name, arrays, method=None):
    """arrays: name -> (type, shape) of bytes 1, or (type, shape, bytes)."""
    header, data = {}, b""
    for key, (kind, shape, *given) in arrays.items():
        count = SIZE[kind]
        for n in shape:
            count *= n
        raw = given[0] if given else b"\1" * count
        header[key] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    config = json.dumps({"quantization_config": method} if method else {})
    put("quantized", name, config.encode() + b"\0" + struct.pack("<Q", len(text)) + text + data)


def state(text):
    raw = text.encode()
    return ("U8", [len(raw)], raw)


GOOD = '{"quant_type": "nf4", "blocksize": 64, "shape": [8, 16], "nested_blocksize": 256, "nested_offset": 0.5}'
STATE = "a.weight.quant_state.bitsandbytes__nf4"
BNB = {"a.weight": ("U8", [64, 1]), "a.weight.absmax": ("F32", [2]), "a.weight.quant_map": ("F32", [16])}
NESTED = {**BNB, "a.weight.absmax": ("U8", [2]), "a.weight.nested_absmax": ("F32", [1]),
          "a.weight.nested_quant_map": ("F32", [256])}
GPTQ = {"a.qweight": ("I32", [8, 32]), "a.qzeros": ("I32", [2, 4]), "a.scales": ("F16", [2, 32])}
quantized("good-bnb4", {**BNB, STATE: state(GOOD)})
quantized("good-bnb4-nested", {**NESTED, STATE: state(GOOD)})
quantized("good-bnb8", {"a.weight": ("I8", [4, 6]), "a.SCB": ("F32", [4])})
quantized("good-gptq", {**GPTQ, "a.g_idx": ("I32", [64], bytes(256))}, {"quant_method": "gptq", "bits": 4})
quantized("good-awq", {"a.qweight": ("I32", [16, 2]), "a.qzeros": ("I32", [2, 2]), "a.scales": ("F16", [2, 16])})
quantized("good-fp8-block", {"a.weight": ("F8_E4M3", [6, 8]), "a.weight_scale_inv": ("F32", [2, 2])},
          {"quant_method": "fp8", "weight_block_size": [4, 4]})
quantized("good-int8-zero", {"a.weight": ("I8", [6, 8]), "a.weight_scale": ("F32", [6, 1]),
                             "a.weight_zero_point": ("I8", [6, 1])})
quantized("good-nvfp4", {"a.weight": ("U8", [4, 16]), "a.weight_scale": ("F8_E4M3", [4, 2]),
                         "a.weight_scale_2": ("F32", [])})
quantized("good-mxfp4", {"a.weight_packed": ("U8", [4, 32]), "a.weight_scale": ("F8_E8M0", [4, 2])})
quantized("good-packed", {"a.weight_packed": ("I32", [8, 2]), "a.weight_scale": ("F32", [8, 2]),
                          "a.weight_shape": ("I64", [2], struct.pack("<qq", 8, 16)),
                          "a.weight_zero_point": ("I32", [1, 2]), "a.weight_g_idx": ("I32", [16], bytes(64))})
quantized("state-of-another-name", {**NESTED, "a_weight.quant_state.bitsandbytes__nf4": state(GOOD)})
quantized("state-is-no-json", {**BNB, STATE: state("\xff{")})
quantized("state-is-empty", {**BNB, STATE: ("U8", [0], b"")})
quantized("state-of-a-vector", {**BNB, STATE: state('{"quant_type": "nf4", "blocksize": 64, "shape": [128]}')})
quantized("state-overflows", {**BNB, STATE: state(
    '{"quant_type": "nf4", "blocksize": 1, "shape": [9223372036854775807, 3]}')})
quantized("state-alone", {STATE: state(GOOD)})
quantized("scb-alone", {"a.SCB": ("F32", [4])})
quantized("packed-overflows", {"a.weight_packed": ("I32", [8, 2]), "a.weight_scale": ("F32", [8, 2]),
                               "a.weight_shape": ("I64", [2], struct.pack("<qq", -1, -1))})
quantized("packed-without-scale", {"a.weight_packed": ("I32", [8, 2])})
quantized("two-scales", {"a.weight": ("I8", [4, 4]), "a.weight_scale": ("F32", []), "a.scales": ("F32", [])})
quantized("scales-of-no-block", {"a.weight": ("I8", [4, 4]), "a.weight_scale": ("F32", [3, 1])})
quantized("scales-of-none", {"a.weight": ("I8", [4, 4]), "a.weight_scale": ("F32", [0, 4], b"")})
quantized("mlx", {"a.weight": ("U32", [4, 8]), "a.scales": ("F16", [4, 1])})
quantized("method-unknown", {"a.weight": ("F32", [2, 2])}, {"quant_method": "aqlm"})

put("config", "good-empty", b"{}")
put("config", "good-infinity", b'{"time_step_limit": [0.0, Infinity], "_n": NaN, "_m": -Infinity}')
put("config", "good-long-number", b'{"model_max_length": 1000000000000000019884624838656, "hidden_size": 3}')
put("config", "good-repeated", b'{"attention_types": [[["global", "local"], 3], "global"]}')
put("config", "repeats-nothing", b'{"attention_types": [[[], 1000000000000]]}')
put("config", "repeats-zero-times", b'{"attention_types": [[["global"], 0]]}')
put("config", "repeats-repeats", b'{"attention_types": [[["a", [["b"], 99999999]], 99999999]]}')
put("config", "unknown-false", b'{"never_heard_of": false}')
put("config", "not-causal", b'{"is_causal": false}')
put("config", "rope-is-a-number", b'{"rope_scaling": 4.0}')
put("config", "size-is-infinity", b'{"hidden_size": Infinity}')
put("config", "name-twice", b'{"hidden_size": 3, "hidden_size": 4}')
put("config", "string-without-end", b'{"a": "\\')
put("config", "not-an-object", b"[]")
