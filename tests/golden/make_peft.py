"""Adapters trained by PyTorch and PEFT on the tiny models of transformers/, for t_peft and t_recover.

    python3 make_peft.py        (torch, transformers, peft 0.13; writes peft/)

peft/tokens.u16 is the token stream; windows are taken in the order of src/train/windows.c, which is
computed here once more.  peft/MODEL-CASE/ is the adapter as PEFT saves it before the first step, and
reference.safetensors:

    losses [STEPS]       cross-entropy of each step, before its update
    norms [STEPS]        of the gradient, before clipping
    logits [T x V]       of the first window of the stream under the adapter
    grad.MODULE.A, .B, .magnitude (.E)   of the first step
AdaLoRA, which PEFT saves in a form of its own, has start.MODULE.A, .B, .E in place of the folder's
adapter, and kept.MODULE: which triplets are left after the last step.

Computed in float64 from float32 numbers.
"""
import json
import os
import shutil
import struct
import sys

sys.path.pop(0)  # folders beside this script would be taken for packages of their names

import numpy as np
import torch
from peft import AdaLoraConfig, LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
T, BATCH, STEPS, WINDOWS, VOCAB, SEED = 8, 4, 50, 60, 19, 7
PEAK, FLOOR, WARMUP, CLIP, DECAY, RATIO = 5e-3, 5e-4, 5, 0.5, 0.01, 4.0
TARGETS = {"llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
           "gpt_neox": ["query_key_value", "attention.dense", "dense_h_to_4h", "dense_4h_to_h"]}
CASES = {"lora": {}, "dora": dict(use_dora=True), "rslora": dict(use_rslora=True), "loraplus": {},
         "patterns": dict(rank_pattern={"q_proj": 2, "mlp.up_proj": 3},
                          alpha_pattern={"layers.1.self_attn.[ko]_proj": 3, "down_proj": 5,
                                         "mlp.up_proj": 7}),
         "adalora": {}}


def save(path, tensors):
    header, data, at = {}, [], 0
    for name, t in tensors.items():
        t = t.detach().contiguous()
        raw = t.numpy().tobytes()
        kind = {torch.float32: "F32", torch.float64: "F64", torch.uint8: "U8"}[t.dtype]
        header[name] = dict(dtype=kind, shape=list(t.shape), data_offsets=[at, at + len(raw)])
        data.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def stream_seed(seed, key):
    m = (1 << 64) - 1
    h = 0xcbf29ce484222325 ^ seed
    for c in key.encode():
        h = ((h ^ c) * 0x100000001b3) & m
    h = (h + 0x9e3779b97f4a7c15) & m
    h = ((h ^ (h >> 30)) * 0xbf58476d1ce4e5b9) & m
    h = ((h ^ (h >> 27)) * 0x94d049bb133111eb) & m
    return h ^ (h >> 31)


def order(epoch):
    rng = np.random.RandomState(stream_seed(SEED, f"epoch {epoch}") & 0xffffffff)
    x = list(range(WINDOWS))
    for i in range(WINDOWS, 1, -1):
        j = int(int.from_bytes(rng.bytes(4), "little") / 4294967296.0 * i)
        x[j], x[i - 1] = x[i - 1], x[j]
    return x


def rate(step):
    if step < WARMUP:
        return (step + 1) / WARMUP
    share = (step - (WARMUP - 1)) / (STEPS - (WARMUP - 1))
    return (FLOOR + (PEAK - FLOOR) * 0.5 * (1 + np.cos(np.pi * share))) / PEAK


def make_model(kind, case):
    torch.manual_seed(sum((kind + case).encode()))
    folder = os.path.join(HERE, "transformers", kind)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder),
                                             attn_implementation="eager")
    model.load_state_dict(load_file(os.path.join(folder, "model.safetensors")))
    model.eval()
    common = dict(target_modules=TARGETS[kind], lora_dropout=0.0, task_type="CAUSAL_LM")
    if case == "adalora":
        config = AdaLoraConfig(init_r=4, target_r=2, tinit=5, tfinal=8, deltaT=2, lora_alpha=6,
                               orth_reg_weight=0.5, total_step=STEPS, **common)
    else:
        config = LoraConfig(r=4, lora_alpha=6, init_lora_weights=False, **CASES[case], **common)
    return get_peft_model(model, config)


def numbers(model):
    """{"MODULE.A": parameter}"""
    out = {}
    for name, p in model.named_parameters():
        if "lora_" not in name:
            continue
        module, rest = name.removeprefix("base_model.model.").split(".lora_")
        out[module + "." + {"A": "A", "B": "B", "E": "E", "m": "magnitude"}[rest[0]]] = p
    return out


def optimizer_of(model, case):
    kw = dict(betas=(0.9, 0.999), eps=1e-8)
    if case == "loraplus":
        return create_loraplus_optimizer(model, torch.optim.AdamW, lr=PEAK, loraplus_lr_ratio=RATIO,
                                         loraplus_weight_decay=DECAY, **kw)
    named = numbers(model)
    decayed = [p for n, p in named.items() if n[-1] in "AB"]
    other = [p for n, p in named.items() if n[-1] not in "AB"]
    groups = [dict(params=decayed, weight_decay=DECAY)]
    if other:
        groups.append(dict(params=other, weight_decay=0.0))
    return torch.optim.AdamW(groups, lr=PEAK, **kw)


def make(kind, case, stream):
    model = make_model(kind, case)
    folder = os.path.join(HERE, "peft", f"{kind}-{case}")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    out = {}
    if case == "adalora":
        out = {"start." + n: p.data.clone() for n, p in numbers(model).items()}
    else:
        model.save_pretrained(folder)
        os.remove(os.path.join(folder, "README.md"))
        path = os.path.join(folder, "adapter_config.json")
        text = json.load(open(path))
        text["base_model_name_or_path"] = kind
        text["target_modules"].sort()
        with open(path, "w") as f:
            json.dump(text, f, indent=1, sort_keys=True)
    model = model.double()
    window = lambda k: stream[k * T:k * T + T + 1]
    out["logits"] = model(input_ids=torch.tensor([window(0)[:T]])).logits[0]
    optimizer = optimizer_of(model, case)
    base = [g["lr"] for g in optimizer.param_groups]
    losses, norms, taken = [], [], []
    for epoch in range(STEPS * BATCH // WINDOWS + 1):
        taken += order(epoch)
    for step in range(STEPS):
        x = torch.tensor([window(k) for k in taken[step * BATCH:(step + 1) * BATCH]])
        result = model(input_ids=x, labels=x)
        loss = torch.nn.functional.cross_entropy(result.logits[:, :-1].reshape(-1, VOCAB),
                                                 x[:, 1:].reshape(-1))
        (result.loss if case == "adalora" else loss).backward()
        named = numbers(model)
        if step == 0:
            out.update({"grad." + n: p.grad.clone().float() for n, p in named.items()})
        norms.append(float(torch.nn.utils.clip_grad_norm_(list(named.values()), CLIP)))
        losses.append(float(loss))
        for group, lr in zip(optimizer.param_groups, base):
            group["lr"] = lr * rate(step)
        optimizer.step()
        if case == "adalora":
            model.base_model.update_and_allocate(step + 1)
        optimizer.zero_grad()
    if case == "adalora":
        for n, kept in model.peft_config["default"].rank_pattern.items():
            out["kept." + n.split(".lora_E")[0]] = torch.tensor(kept, dtype=torch.uint8)
    out["losses"] = torch.tensor(losses, dtype=torch.float64)
    out["norms"] = torch.tensor(norms, dtype=torch.float64)
    save(os.path.join(folder, "reference.safetensors"), out)
    print(f"{kind}-{case}: {losses[0]:.6f} -> {losses[-1]:.6f}, norm {norms[0]:.4f}")


np.random.seed(3)
walk = np.cumsum(np.random.choice([1, 2, 5], WINDOWS * T + 1, p=[0.7, 0.2, 0.1])) % VOCAB
walk.astype("<u2").tofile(os.path.join(HERE, "peft", "tokens.u16"))
for kind in "llama", "gpt_neox":
    for case in CASES if kind == "llama" else ("lora", "dora", "adalora"):
        make(kind, case, walk.tolist())
