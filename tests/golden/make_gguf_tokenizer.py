#!/usr/bin/env python3
"""Vocabularies as GGUF files, and what llama.cpp makes of texts with them.

    make_gguf_tokenizer.py OUT TEXTS STORIES

sentence.gguf  SentencePiece's byte-pair encoding (600 tokens, bytes, a token of the user's), trained on the beginning of
               STORIES (TinyStories); sentence.ids: ids of each text of TEXTS (golden/tokenizer/texts.txt)
level.gguf     byte-level, 300 tokens, cut as SmolLM's; level.ids
Ids are those of llama.cpp (llama-cpp-python 0.3.36) with special tokens, BOS first where the file says so.
Needs numpy, gguf, sentencepiece, tokenizers and llama_cpp.
"""
import os
import sys
import tempfile

import gguf
import sentencepiece
from llama_cpp import Llama
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

out, texts, stories = sys.argv[1:]
os.makedirs(out, exist_ok=True)
texts = [bytes.fromhex(line.strip()) for line in open(texts)]
story = open(stories, "rb").read(20000).decode("utf-8", "ignore")


def write(name, model, pre, tokens, types, more):
    w = gguf.GGUFWriter(os.path.join(out, name + ".gguf"), "llama")
    w.add_context_length(64)
    w.add_embedding_length(16)
    w.add_block_count(1)
    w.add_feed_forward_length(24)
    w.add_head_count(2)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_tokenizer_model(model)
    w.add_tokenizer_pre(pre)
    w.add_token_list(tokens)
    w.add_token_types(types)
    more(w)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    llama = Llama(os.path.join(out, name + ".gguf"), vocab_only=True, verbose=False)
    with open(os.path.join(out, name + ".ids"), "w") as f:
        for text in texts:
            f.write(" ".join(map(str, llama.tokenize(text, add_bos=True, special=True))) + "\n")


def sentence():
    with tempfile.TemporaryDirectory() as d:
        open(d + "/t", "w").write(story)
        sentencepiece.SentencePieceTrainer.train(
            input=d + "/t", model_prefix=d + "/m", vocab_size=600, model_type="bpe", byte_fallback=True,
            character_coverage=0.995, normalization_rule_name="identity", remove_extra_whitespaces=False,
            user_defined_symbols=["<tool>"], minloglevel=2)
        sp = sentencepiece.SentencePieceProcessor(model_file=d + "/m.model")
    ids = range(sp.vocab_size())
    kind = lambda i: (2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else
                      4 if sp.id_to_piece(i) == "<tool>" else 1)

    def more(w):
        w.add_token_scores([sp.get_score(i) for i in ids])
        w.add_bos_token_id(1)
        w.add_eos_token_id(2)
        w.add_unk_token_id(0)

    write("sentence", "llama", "default", [sp.id_to_piece(i).encode() for i in ids], [kind(i) for i in ids], more)


def level():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.train_from_iterator([story], trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    import json
    model = json.loads(t.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)

    def more(w):
        w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
        w.add_eos_token_id(0)
        w.add_bos_token_id(0)
        w.add_add_bos_token(False)

    write("level", "gpt2", "smollm", tokens, [3] + [1] * (len(tokens) - 1), more)


sentence()
level()
