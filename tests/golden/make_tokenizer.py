"""Tiny tokenizers of every supported family and what Hugging Face's `tokenizers` answers.

    python make_tokenizer.py TEXT     (needs the package tokenizers; TEXT: any few MB of English)

writes tokenizer/NAME.json, tokenizer/texts.txt (one text per line, in hex) and tokenizer/NAME.ids
(one line of ids per text, with the template's tokens).  The ids of texts are the reference's; the
tokenizers are trained on a little of TEXT and on the texts themselves, so that merges apply.
"""
import collections
import json
import os
import sys

import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer")

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{%s}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = GPT4 % "1,3"
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])

TEXTS = [
    "", " ", "  ", "\n", "a", "\x00", "a\x00b\x00\x00",
    "Hello, world!", " Hello world", "Hello  world   three    four ", "\tTab\tand\r\nCRLF\r\n\r\nend",
    "I'm you're he'll we'VE don'T she'd IT'S 'til ''s 'S's", "can’t won’t “quoted” – dash — em…",
    "1 12 123 1234 12345 3.14159 1,000,000 0x1F ½ ² ³ ¹⁰ Ⅷ ٣٤٥ १२३ 𝟙𝟚",
    "naïve café cafe\u0301 A\u030a \u212b ﬁ ﬃ e\u0301\u0323 \u1e69 s\u0323\u0307 s\u0307\u0323 q\u0307\u0323 가 \u1100\u1161\u11a8",
    "İstanbul ISPARTA ıi ΑΣ ς ß ẞ ŉ ǅ ȺȾ Straße",
    "日本語のテキスト。中文文本，測試 한국어 텍스트", "שלום עולם مرحبا بالعالم ‏mixed‎ RTL",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ☃️ e\ufe0f \U0001f469\u200d\U0001f680 🤷🏾‍♀️x", "नमस्ते दुनिया ไทยไม่มีช่องว่าง ကမ္ဘာ",
    "zero\u200bwidth\u200cjoin\u200der \u180e mongolian\u180evowel \ufeffbom \u00adsoft\u00ad",
    "nb\u00a0space\u2003em\u3000ideographic\u1680ogham\u2028line\u2029par\u0085nel\u001funit",
    "a" * 300, "ab" * 200, "ha" * 70 + " " + "!" * 90, " " * 70 + "x" + " " * 33, "\n" * 65 + "y" + "\n\n\n",
    "▁under▁scores ▁ ▁▁ a▁b", "<s> </s> <unk> <|endoftext|> <0x41> <0xE2>", "before<|endoftext|>after <|endoftext|>  x",
    "a<mask>b  <mask>  c\n<mask>\td<mask>", "word words sword word, (word) word_ éword word\u0301 ²word word",
    "<l>  <r>  <b>  <l><r><b>   x <l>", "double  space   triple    four     five  ",
    "https://example.com/a_b?c=d&e=f#g user@example.org C++ #include <stdio.h>\n\tint x[3] = {1,2,3};",
    "snake_case camelCase PascalCase SCREAMING_CASE kebab-case __init__", "…??!!;;--==//\\\\||``~~^^",
    "\U0010ffff\U000e0001\ue000\uffff\ufdd0 \U00020000\U0002f800 ǆ ﷺ ㎏ ① Å", "Ａｂｃ１２３　ｆｕｌｌ",
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.\n"
    "One day, she saw a big, red ball. \"Can I play with it?\" she asked. Her mom said, \"Yes!\"",
    "x\u0300\u0301\u0302\u0303\u0304\u0305 \u0300lone \u0327\u0301\u0300 a\u0315\u0300\u05ae\u0062",
    " \n \n\n  \t mixed \n\t\n ws \u00a0\n", "'", "''", "' s", "ſ K Å (?i:ſ'ſ 'ſ) 'LL 'Ve 'D",
]


def compact(tok, merges_as_text=False):
    data = json.loads(tok.to_str())
    if merges_as_text:
        data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def byte_level(tok, corpus, size, special):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(corpus, trainer)
    return tok


def template(tok, *names):
    ids = [(n, tok.token_to_id(n)) for n in names]
    return processors.TemplateProcessing(single=" ".join([names[0], "$A", *names[1:]]),
                                         special_tokens=ids)


def gpt2(corpus):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    return byte_level(tok, corpus, 420, ["<|endoftext|>"])


def roberta_like(corpus):  # add_prefix_space
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    byte_level(tok, corpus, 380, ["<s>", "</s>", "<mask>"])
    tok.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    tok.post_processor = template(tok, "<s>", "</s>")
    return tok


def neox(corpus):
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True)
    byte_level(tok, corpus, 400, ["<|endoftext|>", "<|padding|>"])
    tok.add_tokens([AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)])
    tok.add_tokens([AddedToken("cafe\u0301", normalized=True)])
    return tok


def llama3(corpus):
    tok = Tokenizer(models.BPE(ignore_merges=True))
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    byte_level(tok, corpus, 400, [])
    data = json.loads(tok.to_str())
    # a word that is a token but no merge makes: what ignore_merges is for
    vocab = data["model"]["vocab"]
    for word in (" park", "Lily", "日本"):
        vocab.setdefault(bytes_as_letters(word), len(vocab))
    tok = Tokenizer.from_str(json.dumps(data))
    tok.add_special_tokens(["<|begin_of_text|>", "<|endoftext|>", "<|eot_id|>"])
    tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False),
                                              template(tok, "<|begin_of_text|>")])
    return tok


def bytes_as_letters(text):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False) \
        .pre_tokenize_str(text)[0][0]


def qwen2(corpus):
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    byte_level(tok, corpus, 380, [])
    tok.add_special_tokens(["<|endoftext|>", "<|im_start|>"])
    return tok


def o200k(corpus):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(O200K), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return byte_level(tok, corpus, 380, ["<|endoftext|>"])


def deepseek(corpus):
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.Sequence([])
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[\r\n]"), "isolated"),
        pre_tokenizers.Split(Regex(r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷ]+"), "isolated"),
        pre_tokenizers.Split(Regex(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), "isolated"),
        pre_tokenizers.Split(Regex(r"\s+$"), "isolated"),
        pre_tokenizers.Split(Regex(r"[一-龥ࠀ-一가-퟿]+"), "isolated"),
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return byte_level(tok, corpus, 360, ["<s>"])


def falcon(corpus):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    return byte_level(tok, corpus, 360, ["<|endoftext|>"])


def sentencepiece(corpus, size, **model):
    """Vocabulary and merges as SentencePiece has them: <unk> <s> </s>, bytes, pieces."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    count = collections.Counter("".join(corpus))  # limit_alphabet breaks ties at random
    kept = set(sorted(count, key=lambda c: (-count[c], c))[:90])
    corpus = ["".join(c if c in kept else " " for c in t) for t in corpus]
    tok.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, show_progress=False))
    trained = json.loads(tok.to_str())["model"]
    pieces = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)] * model["byte_fallback"]
    pieces += sorted(trained["vocab"], key=trained["vocab"].get)
    tok = Tokenizer(models.BPE({p: k for k, p in enumerate(dict.fromkeys(pieces))},
                               [tuple(m) for m in trained["merges"]], unk_token="<unk>", **model))
    return tok


def llama2(corpus):
    tok = sentencepiece(corpus, 220, byte_fallback=True, fuse_unk=True)
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.add_special_tokens(["<unk>", "<s>", "</s>"])
    tok.post_processor = template(tok, "<s>")
    return tok


def mistral(corpus):
    tok = sentencepiece(corpus, 220, byte_fallback=True, fuse_unk=True)
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tok.add_special_tokens(["<unk>", "<s>", "</s>"])
    tok.post_processor = template(tok, "<s>", "</s>")
    return tok


def crossing(corpus):
    """Merges across words (no word can be done alone), unknowns not fused, no byte tokens."""
    tok = sentencepiece(corpus, 160, byte_fallback=False, fuse_unk=False)
    data = json.loads(tok.to_str())
    vocab, merges = data["model"]["vocab"], data["model"]["merges"]
    for a, b in (("e", "▁"), ("s", "▁t"), ("e▁", "t"), (".", "▁"), ("a", "a"), ("aa", "aa")):
        if a in vocab and b in vocab:
            vocab.setdefault(a + b, len(vocab))
            merges.insert(len(merges) // 2, [a, b])
    tok = Tokenizer.from_str(json.dumps(data))
    tok.normalizer = normalizers.Sequence([
        normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip(left=True, right=True),
        normalizers.Replace(Regex(r"\s{2,}"), " "), normalizers.Prepend("▁"),
        normalizers.Replace(" ", "▁")])
    return tok


def words(corpus):
    """Whole-word cuts, decomposition, fused unknowns, and added tokens of every kind."""
    tok = sentencepiece(corpus, 160, byte_fallback=False, fuse_unk=True)
    tok.normalizer = normalizers.NFKD()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Whitespace(), pre_tokenizers.Split("_", "merged_with_previous"),
        pre_tokenizers.Split(Regex("[aeiou]"), "merged_with_next")])
    tok.add_tokens([AddedToken("word", single_word=True), AddedToken("caf\u00e9", normalized=True),
                    AddedToken("<l>", lstrip=True, normalized=False),
                    AddedToken("<r>", rstrip=True, normalized=False),
                    AddedToken("<b>", lstrip=True, rstrip=True, normalized=True),
                    AddedToken("  ", normalized=False), AddedToken("wo", normalized=True)])
    return tok


def digits(corpus):
    tok = sentencepiece(corpus, 160, byte_fallback=True, fuse_unk=False)
    tok.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Strip(right=False)])
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.Punctuation("merged_with_previous"),
        pre_tokenizers.Metaspace(prepend_scheme="always")])
    return tok


def trained(corpus):
    """What rsd_bpe_train must make of the texts (one document each)."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=500, min_frequency=2, show_progress=False,
                                  special_tokens=["<|endoftext|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator([p.strip() for t in TEXTS for p in t.split("<|endoftext|>")], trainer)
    tok.decoder = decoders.ByteLevel()
    return tok


FAMILIES = [trained, gpt2, roberta_like, neox, llama3, qwen2, o200k, deepseek, falcon, llama2, mistral,
            crossing, words, digits]


def main():
    text = open(sys.argv[1], encoding="utf-8", errors="ignore").read()[:200000]
    corpus = [text] + [t.replace("\x00", "") for t in TEXTS] * 3  # no JSON reader of C has NUL keys
    os.makedirs(HERE, exist_ok=True)
    with open(os.path.join(HERE, "texts.txt"), "w") as f:
        f.writelines(t.encode().hex() + "\n" for t in TEXTS)
    for family in FAMILIES:
        tok = Tokenizer.from_str(compact(family(corpus), family in (trained, gpt2, llama2)))
        name = family.__name__
        with open(os.path.join(HERE, name + ".json"), "w", encoding="utf-8") as f:
            f.write(compact(tok, family in (trained, gpt2, llama2)) + "\n")
        with open(os.path.join(HERE, name + ".ids"), "w") as f:
            for t in TEXTS:
                f.write(" ".join(map(str, tok.encode(t).ids)) + "\n")
    print("tokenizers", tokenizers.__version__, len(TEXTS), "texts")


if __name__ == "__main__":
    main()
