"""Corpora of the fuzz targets tokenizer and megatron: python make_token_corpus.py

Files called good-... are accepted, all others refused.  A tokenizer's text follows a NUL byte.
"""
import json
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "..", "fuzz", "corpus")


def put(kind, name, data):
    folder = os.path.join(CORPUS, kind)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def tokenizer(name, text="a b  c\u00e9 e\u0301 12 <x> it's\n\n\u2581", **parts):
    model = parts.pop("model", {})
    vocab = {c: i for i, c in enumerate("abcdeilstx <>12\u00e9\u0120\u2581\u010a'")}
    vocab |= {"ab": 30, "\u2581a": 31, "<0x0A>": 32, "<unk>": 33}
    data = {"model": {"type": "BPE", "vocab": vocab, "unk_token": "<unk>",
                      "merges": ["a b", ["\u2581", "a"]]} | model} | parts
    put("tokenizer", name, json.dumps(data, ensure_ascii=False).encode() + b"\0" + text.encode())


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def sequence(key, *items):
    return {"type": "Sequence", key: list(items)}


def tokenizers():
    added = [{"id": 40, "content": "<x>", "special": True, "lstrip": True, "rstrip": True},
             {"id": 41, "content": "ab", "single_word": True}, {"id": 42, "content": "  "}]
    byte_level = {"type": "ByteLevel", "add_prefix_space": True}
    tokenizer("good-plain")
    tokenizer("good-byte-level", pre_tokenizer=byte_level, added_tokens=added)
    tokenizer("good-fallback", model={"byte_fallback": True, "fuse_unk": True}, normalizer=sequence(
        "normalizers", {"type": "Prepend", "prepend": "\u2581"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}))
    tokenizer("good-ignore-merges", model={"ignore_merges": True}, pre_tokenizer=sequence(
        "pretokenizers", split({"Regex": r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|\s+(?!\S)"}),
        byte_level | {"use_regex": False}))
    for behavior in ("Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        tokenizer("good-split-" + behavior, pre_tokenizer=split({"String": " "}, behavior, True))
    tokenizer("good-metaspace", pre_tokenizer={"type": "Metaspace", "prepend_scheme": "first"})
    tokenizer("good-basic", pre_tokenizer=sequence(
        "pretokenizers", {"type": "Whitespace"}, {"type": "Digits", "individual_digits": True},
        {"type": "Punctuation", "behavior": "Contiguous"}, {"type": "WhitespaceSplit"}))
    tokenizer("good-Strip", normalizer={"type": "Strip"}, added_tokens=added[:2])
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase"):
        tokenizer("good-" + form, normalizer={"type": form}, added_tokens=added)
    tokenizer("good-regex-replace", normalizer={"type": "Replace", "content": "a", "pattern":
                                                {"Regex": r"[^\w\s]|\x{e9}|\u0301"}})
    tokenizer("good-template", post_processor=sequence(
        "processors", {"type": "ByteLevel"},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s"}},
                                                  {"Sequence": {"id": "A"}}],
         "special_tokens": {"s": {"ids": [50]}}}))
    tokenizer("good-nul-in-text", "\0a\0")
    tokenizer("unigram", model={"type": "Unigram"})
    tokenizer("dropout", model={"dropout": 0.5})
    tokenizer("merge-unknown", model={"merges": ["a q"]})
    tokenizer("merge-result-unknown", model={"merges": ["a c"]})
    tokenizer("merge-not-a-pair", model={"merges": [["a"]]})
    tokenizer("id-negative", model={"vocab": {"a": -1}})
    tokenizer("id-too-large", model={"vocab": {"a": 2**31 - 1}})
    tokenizer("unk-unknown", model={"unk_token": "?"})
    tokenizer("good-truncation", truncation={"max_length": 3})
    tokenizer("normalizer-unknown", normalizer={"type": "Precompiled"})
    tokenizer("pre-tokenizer-unknown", pre_tokenizer={"type": "BertPreTokenizer"})
    tokenizer("post-processor-unknown", post_processor={"type": "BertProcessing"})
    tokenizer("regex-matches-nothing", pre_tokenizer=split({"Regex": "a*"}))
    tokenizer("regex-unclosed", pre_tokenizer=split({"Regex": "[a"}))
    tokenizer("regex-lookbehind-unbounded", pre_tokenizer=split({"Regex": "(?<=a+)b"}))
    tokenizer("regex-possessive-interval", pre_tokenizer=split({"Regex": "a{1,2}+"}))
    tokenizer("added-twice", added_tokens=[added[0], added[0]])
    tokenizer("added-empty-when-normalized", normalizer={"type": "Strip"}, added_tokens=added)
    tokenizer("added-empty", added_tokens=[added[0] | {"content": ""}])
    tokenizer("template-without-text", post_processor={"type": "TemplateProcessing", "single": []})
    tokenizer("metaspace-two-characters", pre_tokenizer={"type": "Metaspace", "replacement": "ab"})
    put("tokenizer", "empty-file", b"")
    put("tokenizer", "not-an-object", b"[]")
    put("tokenizer", "model-missing", b"{}")
    put("tokenizer", "deep-nesting", b'{"normalizer":' + b"[" * 3000)
    put("tokenizer", "key-twice", b'{"model":{},"model":{}}')
    put("tokenizer", "vocab-not-utf8", b'{"model":{"type":"BPE","vocab":{"\xff":0},"merges":[]}}')
    put("tokenizer", "nul-in-key", b'{"model":{"type":"BPE","vocab":{"\\u0000":0},"merges":[]}}')


def index(name, lengths=(2, 0, 3), code=8, version=1, sequences=None, documents=None, places=None,
          firsts=(0, 2, 3), magic=b"MMIDIDX\0\0", width=2, cut=None, tail=b""):
    if places is None:
        places = [width * sum(max(n, 0) for n in lengths[:k]) for k in range(len(lengths))]
    data = magic + struct.pack("<QB", version, code)
    data += struct.pack("<QQ", len(lengths) if sequences is None else sequences,
                        len(firsts) if documents is None else documents)
    data += struct.pack("<%di" % len(lengths), *lengths)
    data += struct.pack("<%dQ" % len(places), *places) + struct.pack("<%dQ" % len(firsts), *firsts)
    put("megatron", name, data[:cut] + tail)


def indexes():
    index("good-uint16")
    index("good-int32", code=4, width=4)
    index("good-int64", code=5, width=8)
    index("good-no-sequences", lengths=(), firsts=())
    index("good-no-documents", firsts=())
    index("empty-file", cut=0)
    index("cut-in-header", cut=30)
    index("cut-in-lengths", cut=40)
    index("cut-in-places", cut=60)
    index("cut-in-documents", cut=-1)
    index("byte-too-many", tail=b"\0")
    index("wrong-magic", magic=b"MMIDIDX\0\1")
    index("version-2", version=2)
    index("type-0", code=0)
    index("type-float", code=6)
    index("type-unknown", code=255)
    index("sequences-overflow", sequences=(2**64 // 12) + 1)
    index("documents-overflow", documents=2**61 + 3)
    index("length-negative", lengths=(2, -1, 3))
    index("place-not-zero", places=(2, 4, 4))
    index("gap", places=(0, 6, 6))
    index("overlap", places=(0, 2, 2))
    index("place-huge", places=(0, 4, 2**63))
    index("document-past-end", firsts=(0, 2, 4))
    index("documents-unsorted", firsts=(0, 3, 2))


if __name__ == "__main__":
    tokenizers()
    indexes()
