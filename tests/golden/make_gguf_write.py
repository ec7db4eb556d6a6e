"""tests/golden/gguf_written.gguf: what the gguf package 0.19.0 writes of the metadata and tensors that
tests/t_gguf_write.c gives to our writer, which must write the same bytes.

    python tests/golden/make_gguf_write.py
"""
import os

import gguf
import numpy as np

folder = os.path.dirname(os.path.abspath(__file__))
w = gguf.GGUFWriter(os.path.join(folder, "gguf_written.gguf"), "llama")
w.add_uint32("a.u32", 4000000000)
w.add_float32("a.f32", -1.5e-5)
w.add_bool("a.true", True)
w.add_bool("a.false", False)
w.add_string("a.text", "\u2581caf\u00e9")
w.add_key_value("a.empty", "", gguf.GGUFValueType.STRING)  # add_string leaves it out
w.add_array("a.i32s", [1, -2, 2147483647])
w.add_array("a.f32s", [0.5, -1000.0])
w.add_array("a.texts", ["<s>", "", "\u2581a b"])
w.add_tensor("vector", np.arange(5, dtype=np.float32) + 0.5)
w.add_tensor("half", np.array([[1, -2, 0.5], [65504, 6e-8, 0]], dtype=np.float16))
blocks = np.arange(2 * 2 * 34, dtype=np.uint8).reshape(2, 68)
w.add_tensor("blocks", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
w.add_tensor("cube", np.arange(8, dtype=np.float32).reshape(2, 1, 4))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
