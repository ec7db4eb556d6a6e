"""PyTorch's side of bench_step: the same two random models, forward, loss and backward to rank-16
LoRA adapters on every linear layer of the blocks, on the same two cores.

    python3 bench_step.py [SHAPE PRECISION]      (torch, transformers; peft where it imports)

bf16 is a bfloat16 model with bfloat16 adapters: PEFT's default keeps adapters in float32, which is
slower here.
"""
import resource
import subprocess
import sys
import time

B, T, RANK, REPEATS = 4, 512, 16, 3
TARGETS = {
    "pythia-160m": ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
    "stories15M": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def make_model(shape):
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM
    if shape == "pythia-160m":
        return GPTNeoXForCausalLM(GPTNeoXConfig(
            hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
            vocab_size=50304, max_position_embeddings=2048, rotary_pct=0.25))
    return LlamaForCausalLM(LlamaConfig(
        hidden_size=288, num_hidden_layers=6, num_attention_heads=6, intermediate_size=768,
        vocab_size=32000, max_position_embeddings=2048, rms_norm_eps=1e-5,
        tie_word_embeddings=True))


def add_adapters(model, targets):
    """The model with adapters, and what made them."""
    import torch
    try:
        import torch.distributed.tensor  # noqa: F401  (some pefts look there without importing it)
        import peft
    except ImportError:
        class Lora(torch.nn.Module):
            def __init__(self, base):
                super().__init__()
                like = base.weight
                self.base = base
                self.A = torch.nn.Parameter(torch.randn(RANK, like.shape[1], dtype=like.dtype) / 30)
                self.B = torch.nn.Parameter(torch.zeros(like.shape[0], RANK, dtype=like.dtype))

            def forward(self, x):
                return self.base(x) + (x @ self.A.T) @ self.B.T

        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if name in targets and isinstance(child, torch.nn.Linear):
                    setattr(parent, name, Lora(child))
        return model, "own modules"
    config = peft.LoraConfig(r=RANK, lora_alpha=RANK, target_modules=targets)
    return peft.get_peft_model(model, config, autocast_adapter_dtype=False), \
        f"peft {peft.__version__}"


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(shape, precision):
    import torch
    import transformers  # noqa: F401
    torch.set_num_threads(2)
    imported = peak_mb()
    torch.manual_seed(1)
    model = make_model(shape).to(torch.bfloat16 if precision == "bf16" else torch.float32)
    for p in model.parameters():
        p.requires_grad_(False)
    model, how = add_adapters(model, TARGETS[shape])
    trained = [p for p in model.parameters() if p.requires_grad]
    tokens = torch.randint(0, model.config.vocab_size, (B, T))
    best = cpu = 1e9
    for i in range(REPEATS + 1):
        start, cpu_start = time.monotonic(), time.process_time()
        model(input_ids=tokens, labels=tokens, use_cache=False).loss.backward()
        if i:
            best = min(best, time.monotonic() - start)
            cpu = min(cpu, time.process_time() - cpu_start)
        for p in trained:
            p.grad = None
    print(f"{shape:12s} {precision:5s} {B * T / best:8.0f} tokens/s  {best:6.2f} s a step of "
          f"{B} x {T}, {cpu:6.2f} s of processor time  peak {peak_mb():5d} MB, of it {imported} the "
          f"libraries   (torch {torch.__version__}, {how}, "
          f"{sum(p.numel() for p in trained)} parameters)")


if len(sys.argv) == 3:
    measure(sys.argv[1], sys.argv[2])
else:
    for shape in TARGETS:
        for precision in "f32", "bf16":
            subprocess.run([sys.executable, __file__, shape, precision], check=True)
