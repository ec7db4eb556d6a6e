"""Ten steps of PyTorch's AdamW in float64 on five numbers.

    python3 make_adamw.py > adamw.h        (torch)
"""
import math

import torch

LR, B1, B2, EPS, DECAY, STEPS = 0.01, 0.9, 0.95, 1e-8, 0.1, 10

x = torch.tensor([0.5, -1.25, 2.0, 1e-3, -0.75], dtype=torch.float64, requires_grad=True)
opt = torch.optim.AdamW([x], lr=LR, betas=(B1, B2), eps=EPS, weight_decay=DECAY)
print("/* By make_adamw.py: x after each step with the gradient g[i] = sin(2.385 (5 t + i + 1)). */")
print("static const double adamw_torch[%d][5] = {" % STEPS)
for t in range(STEPS):
    x.grad = torch.tensor([math.sin(2.385 * (5 * t + i + 1)) for i in range(5)], dtype=torch.float64)
    opt.step()
    print("    { " + ", ".join("%.17g" % v for v in x.tolist()) + " },")
print("};")
