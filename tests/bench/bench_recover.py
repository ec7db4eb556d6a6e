"""PEFT's side of bench_recover: the same two models with LoRA of rank 8 on every linear layer, 8
windows of 256 tokens a step, AdamW and clipping, float32, on the same two cores.  The base's numbers
are the original's: which they are changes no time.

    python3 bench_recover.py       (torch, transformers, peft)
"""
import os
import resource
import subprocess
import sys
import time

SRC = os.environ.get("srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
MODELS = os.path.join(os.environ.get("RSD_SHARED", os.path.join(SRC, "../shared")), "models")
CONTEXT, BATCH, RANK, STEPS = 256, 8, 8, 12


def measure(name):
    import numpy as np
    import torch
    import peft
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM
    torch.set_num_threads(2)
    folder = os.path.join(MODELS, name)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    model.load_state_dict(load_file(os.path.join(folder, "model.safetensors")), strict=False)
    model.tie_weights()
    model = peft.get_peft_model(model, peft.LoraConfig(
        r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", init_lora_weights=False))
    train = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(train, lr=1e-3, weight_decay=0)
    tokens = np.fromfile(os.path.join(folder, "train.tokens.u16"), "<u2").astype("i8")
    best = 1e9
    for step in range(STEPS):
        start = time.monotonic()
        first = step * BATCH * CONTEXT
        x = torch.from_numpy(tokens[first:first + BATCH * CONTEXT]).reshape(BATCH, CONTEXT)
        y = torch.from_numpy(tokens[first + 1:first + 1 + BATCH * CONTEXT])
        logits = model(input_ids=x).logits
        torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y).backward()
        torch.nn.utils.clip_grad_norm_(train, 1)
        optimizer.step()
        optimizer.zero_grad()
        if step:
            best = min(best, time.monotonic() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name:14s} {'torch':14s} {1 / best:7.2f} steps/s  {BATCH * CONTEXT / best:8.0f} tokens/s"
          f"  peak {peak:5d} MB   (torch {torch.__version__}, peft {peft.__version__})")


if len(sys.argv) == 2:
    measure(sys.argv[1])
else:
    for name in "stories260k", "babyllama-105":
        if os.path.exists(os.path.join(MODELS, name)):
            subprocess.run([sys.executable, __file__, name], check=True)
        else:
            print(f"{name}: not beside the checkout, skipped")
