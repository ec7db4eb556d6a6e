"""Makes store_h5py.h5: a result file as another program might write or change it (h5py 3)."""

import h5py
import numpy as np

with h5py.File("store_h5py.h5", "w") as f:
    f.attrs["format"] = "residuum"
    f.attrs["schema"] = np.int32(1)
    f.attrs["flag"] = True
    f.attrs["bytes"] = np.bytes_("fixed")
    f.attrs["single"] = np.float32(0.5)
    f.attrs["matlab"] = np.array([[3.0]])
    f.attrs["vector"] = np.arange(3)
    for name in "zebra", "ant":  # order not tracked
        f.create_group(name)
    table = np.zeros(3, dtype=[("name", "S6"), ("error", "f4"), ("ok", "?"), ("rank", "u1"),
                               ("note", h5py.string_dtype()), ("layer", ">i2")])
    table["name"] = [b"abcdef", b"", b"xy"]
    table["error"] = [0.25, np.nan, -np.inf]
    table["ok"] = [True, False, True]
    table["rank"] = [0, 255, 7]
    table["note"] = ["Gr\u00fc\u00dfe", "", "long " * 100]
    table["layer"] = [-1, 300, -32768]
    f["spectra"] = table
    f["nested"] = np.zeros(2, dtype=[("a", "f8"), ("b", "f8", 3)])
    f["texts"] = ["a", "b"]
    f["cube"] = np.zeros((2, 2, 2))
    f["scalar"] = 1.0
    f["int8"] = np.arange(-3, 3, dtype="i1").reshape(2, 3)
    f["big_endian"] = np.array([1.5, -2.5], dtype=">f4")
    f["x"] = np.arange(4.0)
    f["x"].make_scale("x")
    f["y"] = np.arange(4.0) ** 2
    f["y"].dims[0].attach_scale(f["x"])
    f["y"].dims[0].label = "x"
    crowded = f.create_group("crowded", track_order=True)  # attributes in a heap
    for i in range(20):
        crowded.attrs[f"a{i}"] = "text"
    f["none"] = h5py.Empty("f8")
    f["references"] = np.array([f["x"].ref], dtype=h5py.ref_dtype)
    loop = f.create_group("loop")
    loop["itself"] = loop
    f["dangling"] = h5py.SoftLink("/nowhere")
    f["type"] = np.dtype("f8")
    f.create_dataset("abroad", (2,), "f8", external="elsewhere.bin")
