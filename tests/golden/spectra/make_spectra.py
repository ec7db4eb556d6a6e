#!/usr/bin/env python3
"""Writes metrics.txt: spectra and every metric of each, by plain NumPy and SciPy.

Nothing here shares a formula's form with the library: the Marchenko-Pastur law is integrated from
its density in x, power laws are fitted by trying every cut-off in full.  Counts are exact, the rest
is right to about 1e-10.  Needs numpy and scipy; run by hand, never by the build.

Each case of the file:  case NAME ROWS COLS COUNT COMPLETE SUMSQ, the COUNT values, then one
line NAME VALUE per metric, then "end".
"""
import pathlib

import numpy as np
from scipy import integrate, optimize

NAN = float("nan")


class Law:
    """Eigenvalues x of noise; the singular values y = sqrt x have the smoother density."""

    def __init__(self, gamma):
        self.gamma = gamma
        self.low, self.high = abs(1 - np.sqrt(gamma)), 1 + np.sqrt(gamma)

    def density(self, y):
        inside = max((self.high**2 - y * y) * (y * y - self.low**2), 0.0)
        if self.low == 0:
            return np.sqrt(max(4 - y * y, 0)) / np.pi
        return np.sqrt(inside) / (np.pi * self.gamma * y)

    def above(self, y, power=0):
        f = lambda u: u**power * self.density(u)
        return integrate.quad(f, y, self.high, epsabs=1e-13, epsrel=1e-12, limit=400)[0]

    def quantile(self, share):
        """y with that share of the law above it."""
        return optimize.brentq(lambda y: self.above(y) - share, self.low, self.high, xtol=1e-14)

    def mean_curves(self, d):
        at = [self.quantile(r / d) for r in range(1, d)]
        total = self.above(self.low, 1)
        sums = [self.above(y, 1) / total for y in at] + [1]
        energies = [self.above(y, 2) for y in at] + [1]
        return np.mean(sums), np.mean(energies)


def fit(x, one_sided):
    """x increasing -> alpha, distance, cut-off, tail; all cut-offs, all deviations."""
    x = np.sort(x)
    best = None
    small = one_sided and len(x) < 20
    if len(x) < 8:
        return NAN, NAN, NAN, 0
    for i in range(len(x) - (7 if small else 1)):
        if not one_sided and i > 0 and x[i] == x[i - 1]:
            continue
        tail = x[i:]
        logs = np.log(tail / x[i])
        if logs.sum() <= 0:
            continue
        n = len(tail)
        alpha = 1 + (n - 1 if small else n) / logs.sum()
        cdf = 1 - (tail / x[i]) ** (1 - alpha)
        dist = np.abs(cdf - np.arange(n) / n).max()
        if not one_sided:
            dist = max(dist, np.abs(cdf - np.arange(1, n + 1) / n).max())
        if best is None or dist < best[1]:
            best = alpha, dist, x[i], n
    return best or (NAN, NAN, NAN, 0)


def first_at(curve, share):
    hit = np.flatnonzero(curve >= share * (1 - 1e-12))
    return hit[0] + 1 if len(hit) else NAN


def metrics(s, m, n, complete, sumsq):
    s = np.asarray(s, dtype=float)
    d, D = min(m, n), max(m, n)
    o = {}
    count = lambda level: NAN if np.isnan(level) or (not complete and s[-1] > level) else (s > level).sum()
    tiny = D * 2.0**-52 * s[0]
    o["noise_level"] = tiny
    zero = s[0] == 0
    whole = complete and not zero
    o["frobenius"], o["spectral"] = np.sqrt(sumsq), s[0]
    o["nuclear"] = s.sum() if complete else NAN
    o["stable_rank"] = NAN if zero else sumsq / s[0] ** 2
    p, e = (s / s.sum(), s**2 / sumsq) if not zero else (s, s)
    entropy = lambda q: -sum(v * np.log(v) for v in q if v > 0)
    raw, s = s, np.where(s > tiny, s, 0.0)
    p, e = (s / s.sum(), s**2 / sumsq) if not zero else (s, s)
    o["effective_rank"] = np.exp(entropy(p)) if whole else NAN
    o["participation_ratio"] = (s**2).sum() ** 2 / (s**4).sum() if whole else NAN
    o["numerical_rank"] = count(tiny)
    o["rank_loss"] = d - o["numerical_rank"]
    energy = np.cumsum(raw**2) / sumsq if not zero else s
    sums = np.cumsum(raw) / raw.sum() if whole else s * NAN
    for share in 50, 90, 95, 99:
        o[f"sum_r{share}"] = first_at(sums, share / 100)
        o[f"energy_r{share}"] = NAN if zero else first_at(energy, share / 100)
    law = Law(d / D)
    null_sum, null_energy = law.mean_curves(d) if whole else (NAN, NAN)
    o["sum_mean"] = sums.mean() if whole else NAN
    o["energy_mean"] = energy.mean() if whole else NAN
    o["sum_excess"] = o["sum_mean"] - null_sum
    o["energy_excess"] = o["energy_mean"] - null_energy

    # the unknown smallest values are below all those held
    padded = np.concatenate([s, np.full(d - len(s), -np.inf)])
    median = np.median(padded)
    median2 = (padded[d // 2] ** 2 + padded[(d - 1) // 2] ** 2) / 2
    if not np.isfinite(median):
        median = median2 = NAN
    law_median = law.quantile(0.5) ** 2
    edge = lambda v: np.sqrt(v) * (np.sqrt(m) + np.sqrt(n))
    o["mp_variance"] = sumsq / (m * n)
    o["mp_variance_robust"] = v = median2 / (D * law_median)
    o["mp_edge"], o["mp_edge_robust"] = edge(sumsq / (m * n)), edge(v)
    unit = v * (np.sqrt(D) + np.sqrt(d)) * (D**-0.5 + d**-0.5) ** (1 / 3)
    level = np.sqrt(edge(v) ** 2 + 3 * 1.268 * unit)
    o["mp_spikes"] = count(np.maximum(level, tiny))
    o["mp_softrank"] = NAN if zero else edge(v) ** 2 / s[0] ** 2
    b = d / D
    lam = np.sqrt(2 * (b + 1) + 8 * b / ((b + 1) + np.sqrt(b * b + 14 * b + 1)))
    o["gavish_donoho_threshold"] = lam / np.sqrt(law_median) * median
    o["gavish_donoho_rank"] = count(np.maximum(o["gavish_donoho_threshold"], tiny))

    x = s[s**2 > 1e-5] ** 2 if complete else s[:0]
    alpha, ks, xmin, tail = fit(x, True)
    o["alpha"], o["alpha_ks"], o["alpha_xmin"] = alpha, ks, xmin
    o["alpha_error"] = (alpha - 1) / np.sqrt(tail) if tail else NAN
    o["alpha_tail"] = tail or NAN
    o["alpha_clipped"], o["alpha_fingers"] = (alpha, 0) if tail else (NAN, NAN)
    for k in range(2, 10):
        clipped = fit(x[k:], True)[0]
        if clipped + 1 < alpha:
            o["alpha_clipped"], o["alpha_fingers"] = clipped, k - 1
        if clipped + 1 < alpha or clipped <= 2:
            break
    o["alpha_two_sided"], o["alpha_two_sided_ks"] = fit(x, False)[:2]
    o["log_norm"] = NAN if zero else np.log10(sumsq)
    o["log_spectral_norm"] = NAN if zero else np.log10(s[0] ** 2)
    o["alpha_weighted"] = alpha * o["log_spectral_norm"]
    o["log_alpha_norm"] = np.log10(((s**2) ** alpha).sum()) if tail else NAN
    rank = o["numerical_rank"]
    o["matrix_entropy"] = NAN if not whole else entropy(e) / np.log(rank) if rank > 1 else 0
    product = np.cumsum(np.log(np.maximum(e * d, 1e-300)))
    within = np.flatnonzero(product >= 0)
    o["detx_count"] = within[-1] + 1 if not zero and (complete or product[-1] < 0) else NAN
    return o


def cases():
    k = lambda d: np.arange(1, d + 1)
    yield "power_law", 96, 160, 2.385 * k(96) ** -0.7 + 0.01, None
    bulk = [np.sqrt(121.0) * Law(120 / 121).quantile((i - 0.5) / 117) for i in k(117)]
    yield "spiked", 120, 121, np.concatenate([[60.0, 41.0, 33.0], bulk]), None
    yield "rank_four", 64, 40, np.array([3.0, 2.0, 1.5, 1.0] + [0.0] * 36), None
    yield "rank_one", 7, 20, np.array([2.5] + [0.0] * 6), None
    for name, gamma, finger in ("one_finger", 1.0, 1.3), ("four_fingers", 0.5, 2.0):
        noise = np.array([Law(gamma).quantile((i - 0.5) / 64) for i in k(64)])
        yield name, 65, int(65 / gamma), np.concatenate([[np.sqrt(finger) * noise[0]], noise]), None
    full = 3.0 * 0.93 ** k(65)
    yield "most_of_it", 200, 65, full[:40], (full**2).sum()
    yield "little_of_it", 200, 65, full[:10], (full**2).sum()
    rounded = np.concatenate([[3.0, 2.0, 1.5, 1.0], 1e-15 * 0.8 ** k(36)])
    yield "rank_four_rounded", 64, 40, rounded, None
    yield "across_the_floor", 50, 50, 0.1 / k(50), None
    yield "small_weights", 30, 50, 1e-4 * np.exp(-0.1 * k(30)), None
    yield "zero", 12, 9, np.zeros(9), None
    yield "one_value", 1, 1, np.array([0.3]), None
    yield "one_row", 1, 500, np.array([4.0]), None


def main():
    out = pathlib.Path(__file__).with_name("metrics.txt")
    with out.open("w") as f:
        for name, m, n, s, sumsq in cases():
            complete = sumsq is None
            sumsq = float((s**2).sum()) if complete else float(sumsq)
            print("case", name, m, n, len(s), int(complete), repr(sumsq), file=f)
            print(*(repr(float(v)) for v in s), file=f)
            for key, value in metrics(s, m, n, complete, sumsq).items():
                print(key, repr(float(value)), file=f)
            print("end", file=f)


if __name__ == "__main__":
    main()
