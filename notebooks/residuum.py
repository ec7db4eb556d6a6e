"""Result files of residuum as pandas data frames, and calls of the program.

    import residuum
    residuum.run("analyze", "../data/demo", "-q", "nf4", "-o", "demo.h5")
    result = residuum.Result("demo.h5")
    result.spectra                       # one row per spectrum, every metric a column
    result.curves("R", spec="nf4")       # one row per matrix and rank

Needs h5py and pandas.  ARCHITECTURE.md describes the file; units and meaning of every column are
in the file itself: result.describe("spectra").
"""

import json
import os
import pathlib
import re
import shutil
import subprocess

import h5py
import numpy as np
import pandas as pd

RESIDUALS = ("Wq", "R", "RdH", "RH", "GR", "GRH")
MOMENTS = ("H", "G")
NULLS = ("variance_profile", "sign_flip", "permuted", "marchenko_pastur")


# ---- the program ----


class Failed(RuntimeError):
    """The program ended with an error; the text is what it said."""


def program():
    """The program: $RESIDUUM, or build/residuum of the checkout this file is in, or on the PATH."""
    top = pathlib.Path(__file__).resolve().parent.parent
    for path in (os.environ.get("RESIDUUM"), top / "build" / "residuum", shutil.which("residuum")):
        if path and os.access(path, os.X_OK):
            return str(path)
    raise Failed("no residuum: build it (./demo does), or set RESIDUUM to where it is")


def _call(args):
    done = subprocess.run([program(), *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"residuum {args[0]}: exit status {done.returncode}\n{done.stderr.strip()}")
    return done


def run(*args, last=12):
    """Run a command, print it and the `last` lines of what it says; return its output.

    What it says is its standard output, or its messages where it has none."""
    words = [str(a) for a in args]
    print("$ residuum", " ".join(f"'{w}'" if re.search(r"[\s*?<>|;&$]", w) else w for w in words))
    done = _call(words)
    lines = (done.stdout or done.stderr).rstrip().splitlines()
    if len(lines) > last:
        print(f"  ... {len(lines) - last} lines")
    print("\n".join(lines[len(lines) - min(last, len(lines)):]))
    return done.stdout


def run_json(*args):
    """Run a command with --json and return what it says (NaN where it says null)."""
    def numbers(x):
        if isinstance(x, dict):
            return {k: numbers(v) for k, v in x.items()}
        if isinstance(x, list):
            return [numbers(v) for v in x]
        return float("nan") if x is None else x
    return numbers(json.loads(_call([*args, "--json"]).stdout))


def fresh(path):
    """Make the folder of a result file and forget what an earlier run left there."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    for rest in path.parent.glob(f"{path.name}.*"):
        shutil.rmtree(rest) if rest.is_dir() else rest.unlink()
    return path


# ---- names of quantizers ----


def _split(spec):
    name, _, rest = spec.partition(":")
    return name, dict(option.partition("=")[::2] for option in rest.split(",") if option)


def labels(specs):
    """Short labels of canonical specs: {"nf:bits=4,block=64": "nf4"}.

    The name and its bits or format, and of the other options those in which specs of the same
    name and bits differ."""
    head, options = {}, {}
    for spec in specs:
        name, option = _split(spec)
        head[spec] = name + option.pop("bits", "")
        if "format" in option:
            head[spec] += " " + option.pop("format")
        options[spec] = option
    out = {}
    for spec in head:
        same = [options[s] for s in head if head[s] == head[spec]]
        differ = [k for k in options[spec] if len({o.get(k) for o in same}) > 1]
        out[spec] = " ".join([head[spec], *(f"{k}={options[spec][k]}" for k in differ)])
    return out


# ---- the file ----


def _text(x):
    return x.decode() if isinstance(x, bytes) else x


def _frame(dataset):
    """A compound table; texts are bytes for h5py."""
    frame = pd.DataFrame(dataset[:])
    for column in frame.columns[frame.dtypes == object]:
        frame[column] = frame[column].map(_text)
    return frame


def _curves(group):
    """The arrays of a group by rank; of a moment those of its square root, by its eigenvalues."""
    out = {}
    for name in ("singular_values", "cumulative_sum", "cumulative_energy"):
        if name in group:
            out[name] = group[name][:]
    if "eigenvalues" in group:
        out["singular_values"] = np.sqrt(group["eigenvalues"][:])
        out["cumulative_sum"] = np.cumsum(out["singular_values"]) / out["singular_values"].sum()
    for name in ("cumulative_sum", "cumulative_energy"):
        for side in ("low", "high"):
            if f"{name}_{side}" in group:
                out[f"{name}_{side}"] = group[f"{name}_{side}"][:]
    frame = pd.DataFrame(out).rename(columns={"singular_values": "singular_value"})
    frame.insert(0, "r", np.arange(1, len(frame) + 1))
    return frame


class Result:
    """A result file.  It is opened for each access and never held: the program may go on writing."""

    def __init__(self, path):
        self.path = str(path)

    def _open(self):
        return h5py.File(self.path, "r")

    def _table(self, name):
        with self._open() as f:
            if name not in f:
                raise KeyError(f"{self.path} holds no table {name}")
            return _frame(f[name])

    def has(self, name):
        with self._open() as f:
            return name in f

    def describe(self, table):
        """Units and description of each column of a table."""
        with self._open() as f:
            attrs = f[table].attrs
            columns = {k: [_text(x) for x in attrs[f"column_{k}"]] for k in ("units", "descriptions")}
            names = f[table].dtype.names
        return pd.DataFrame({"units": columns["units"], "description": columns["descriptions"]},
                            index=pd.Index(names, name="column"))

    @property
    def spectra(self):
        """One row per spectrum: model, tensor, role, layer, spec, what, and every metric."""
        return self._table("spectra")

    @property
    def runs(self):
        """One row per run of recover."""
        return self._table("recovery/runs")

    @property
    def layers(self):
        """One row per run of recover and layer: spectrum of the adapter, overlaps."""
        return self._table("recovery/layers")

    @property
    def prediction(self):
        """Remaining energy and recovered share by spec, tensor (empty: all), metric and rank."""
        return self._table("prediction")

    @property
    def sensitivity(self):
        """Loss of each layer when it alone is quantized, or quantized and corrected."""
        return self._table("sensitivity")

    @property
    def models(self):
        """Names of the models; the rank-4 control that analyze adds is called `control`."""
        with self._open() as f:
            return list(f["models"])

    @property
    def matrices(self):
        """One row per matrix: model, tensor, role, layer, rows, cols, status."""
        rows = []
        with self._open() as f:
            for model, tensor, group in self._matrices(f):
                row = {k: _text(v) for k, v in group.attrs.items()}
                rows.append({"model": model, "tensor": tensor, **row})
        frame = pd.DataFrame(rows)
        return frame.sort_values(["model", "layer", "tensor"], ignore_index=True)

    @staticmethod
    def _matrices(f, model=None):
        for name in f["models"]:
            if model is None or name == model:
                for tensor, group in f[f"models/{name}/matrices"].items():
                    yield name, tensor, group

    @staticmethod
    def _places(group, what, spec):
        """(spec, group) of each spectrum `what` of a matrix."""
        if what == "W" or what in MOMENTS:
            if what in group:
                yield "", group[what]
            return
        inner = f"R/null/{what}" if what in NULLS else what
        for name, quantized in group.get("quantized", {}).items():
            if spec in (None, name) and inner in quantized:
                yield name, quantized[inner]

    def spec(self, name):
        """The canonical spec of the file that `name` is a label of, or that starts with it."""
        frame = self.spectra
        known = [s for s in frame.spec.unique() if s]
        label = labels(known)
        hits = [s for s in known if name in (s, label[s])] or \
               [s for s in known if s.startswith(name) or label[s].startswith(name)]
        if len(hits) != 1:
            raise KeyError(f"{name} is {'none' if not hits else 'several'} of {', '.join(known)}")
        return hits[0]

    def curves(self, what, spec=None, model=None, top=None):
        """Cumulative curves of every matrix, one row per rank up to `top`.

        what   W, Wq, R; RdH, RH, GR, GRH with a calibration; H, G: square roots of the moments;
               variance_profile, sign_flip, permuted, marchenko_pastur: nulls of R, the drawn
               ones with their bands
        spec   canonical or short; None: all
        columns: model, tensor, role, layer, spec, what, r, singular_value, cumulative_sum,
        cumulative_energy"""
        if what != "W" and what not in (*RESIDUALS, *MOMENTS, *NULLS):
            raise KeyError(f"no spectrum {what}")
        spec = self.spec(spec) if spec else None
        frames = []
        with self._open() as f:
            for name, tensor, group in self._matrices(f, model):
                for canonical, place in self._places(group, what, spec):
                    frame = _curves(place)[:top]
                    keys = [name, tensor, _text(group.attrs["role"]), group.attrs["layer"],
                            canonical, what]
                    columns = ["model", "tensor", "role", "layer", "spec", "what"]
                    for at, (column, key) in enumerate(zip(columns, keys)):
                        frame.insert(at, column, key)
                    frames.append(frame)
        if not frames:
            raise KeyError(f"{self.path} holds no spectra of {what}")
        return pd.concat(frames, ignore_index=True)

    def training(self, run):
        """Losses along a run of recover: (by step, by evaluation)."""
        with self._open() as f:
            group = f[f"recovery/{run}"]
            steps = {n: group[n][:] for n in ("step", "train_loss", "learning_rate")}
            evaluations = {n: group[n][:] for n in ("eval_step", "eval_loss")}
        return pd.DataFrame(steps), pd.DataFrame(evaluations)

    def adapters(self, run):
        """Singular values of a run's trained corrections, one row per layer and rank."""
        frames = []
        with self._open() as f:
            for tensor, group in f[f"recovery/{run}/layers"].items():
                s = group["singular_values"][:]
                energy = np.cumsum(s**2) / np.sum(s**2) if s.any() else np.full(len(s), np.nan)
                frames.append(pd.DataFrame({"tensor": tensor, "r": np.arange(1, len(s) + 1),
                                            "singular_value": s, "cumulative_energy": energy}))
        return pd.concat(frames, ignore_index=True)

    def adapter_spaces(self, run):
        """{tensor: (left, right)} of a run's trained corrections, a singular vector per row."""
        with self._open() as f:
            return {tensor: (group["left_vectors"][:], group["right_vectors"][:])
                    for tensor, group in f[f"recovery/{run}/layers"].items()}

    def moment(self, which, tensor, model):
        """H = E[x x'] or G = E[g g'] of a layer, as calibrate saw it."""
        with self._open() as f:
            return f[f"models/{model}/matrices/{tensor}/{which}/moment"][:].astype(float)


# ---- figures ----


def style():
    """Figures that stay small when their notebook is stored."""
    import matplotlib.pyplot as plt
    plt.rcParams.update({
        "figure.dpi": 72, "savefig.dpi": 72, "font.size": 9, "axes.grid": True,
        "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
        "legend.frameon": False, "figure.constrained_layout.use": True,
    })
    pd.set_option("display.precision", 4, "display.width", 110, "display.max_columns", 20)
    return plt
