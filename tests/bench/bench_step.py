"""PyTorch's side of bench_step: the same two random models, forward, loss and backward to every
activation with frozen weights, on the same two cores.

    python3 bench_step.py       (torch, transformers)
"""
import resource
import subprocess
import sys
import time

B, T, REPEATS = 4, 512, 3


def measure(shape, precision):
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM
    torch.set_num_threads(2)
    torch.manual_seed(1)
    if shape == "pythia-160m":
        model = GPTNeoXForCausalLM(GPTNeoXConfig(
            hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
            vocab_size=50304, max_position_embeddings=2048, rotary_pct=0.25))
    else:
        model = LlamaForCausalLM(LlamaConfig(
            hidden_size=288, num_hidden_layers=6, num_attention_heads=6, intermediate_size=768,
            vocab_size=32000, max_position_embeddings=2048, rms_norm_eps=1e-5,
            tie_word_embeddings=True))
    model = model.to(torch.bfloat16 if precision == "bf16" else torch.float32).eval()
    for p in model.parameters():
        p.requires_grad_(False)
    tokens = torch.randint(0, model.config.vocab_size, (B, T))
    best = 1e9
    for i in range(REPEATS + 1):
        start = time.monotonic()
        x = model.get_input_embeddings()(tokens).detach().requires_grad_(True)
        model(inputs_embeds=x, labels=tokens).loss.backward()
        if i:
            best = min(best, time.monotonic() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{shape:12s} {precision:5s} {B * T / best:8.0f} tokens/s  {best:6.2f} s a step of "
          f"{B} x {T}  peak {peak:5d} MB   (torch {torch.__version__})")


if len(sys.argv) == 3:
    measure(sys.argv[1], sys.argv[2])
else:
    for shape in "pythia-160m", "stories15M":
        for precision in "f32", "bf16":
            subprocess.run([sys.executable, __file__, shape, precision], check=True)
