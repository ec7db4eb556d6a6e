#!/usr/bin/env python3
"""Writes weightwatcher.txt: WeightWatcher's power-law fits of a family of spectra.

Each line: KIND N, the fit's alpha, D, xmin and tail, then alpha and num_fingers of clip_xmax (nan
and -1 where WeightWatcher fails, for want of values).  The spectra are formulas that the test
(t_weightwatcher.c) knows too.  Needs weightwatcher 0.7.7; run by hand, never by the build.
"""
import contextlib
import io
import math
import pathlib

import numpy as np
from weightwatcher.RMT_Util import fit_clipped_powerlaw
from weightwatcher.WW_powerlaw import pl_fit

SIZES = [5, 7, 8, 9, 11, 13, 15, 18, 19, 20, 21, 22, 25, 28, 29, 31, 50, 64, 100, 200, 500, 1000, 2000]


def value(kind, k, n):
    u, wave = (k + 0.5) / n, math.sin(1 + k * k)
    if kind == "pareto":
        return u ** (-1 / 1.5)
    if kind == "wavy":
        return u ** (-1 / 1.5) * math.exp(0.4 * wave)
    if kind == "bulk":
        return 4 * math.cos(math.pi / 2 * u) ** 2 + 0.01
    if kind == "finger":
        return (4 * math.cos(math.pi / 2 * u) ** 2 + 0.01) * (1.8 if k < 1 else 1)
    if kind == "fingers":
        return (4 * math.cos(math.pi / 2 * u) ** 2 + 0.01) * (1.5 + 0.4 * k if k < 4 else 1)
    if kind == "wide":
        return math.exp(3 * wave)
    if kind == "ties":
        return 1 + math.floor(12 * (k * 0.6180339887 - math.floor(k * 0.6180339887)))
    if kind == "steps":
        return (10 if k < n / 3 else 1) * (1 + 0.05 * wave)
    return u ** (-1 / 6.0) if k > 5 else 3 + k  # "heavy": a steep tail with a few far above


def line(kind, n):
    x = np.sort([value(kind, k, n) for k in range(n)])
    with contextlib.redirect_stdout(io.StringIO()):
        fit = pl_fit(data=x)
        tail = n - int(np.argmin(fit.Ds))
        try:
            best, fingers, _ = fit_clipped_powerlaw(x)
            clipped = best.alpha
        except Exception:
            clipped, fingers = float("nan"), -1
    return f"{kind} {n} {fit.alpha:.17g} {fit.D:.17g} {fit.xmin:.17g} {tail} {clipped:.17g} {fingers}"


KINDS = ["pareto", "wavy", "bulk", "finger", "fingers", "wide", "ties", "steps", "heavy"]
lines = [line(kind, n) for kind in KINDS for n in SIZES]
(pathlib.Path(__file__).parent / "weightwatcher.txt").write_text("\n".join(lines) + "\n")
