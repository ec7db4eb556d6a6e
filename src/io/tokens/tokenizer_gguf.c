/* The tokenizer that the metadata of a GGUF file describe (tokenizer.ggml.*), as llama.cpp builds
 * it.
 *
 *   gpt2    byte-level, with a list of merges, and a name for what cuts the text (gguf/pre.h)
 *   llama   SentencePiece's: of all neighbours that make a token together, those whose token has
 * the highest score, the leftmost first; characters without a token become bytes
 *
 * Control tokens and those of the user are found in the text before anything else.  A normalizer
 * (Qwen's NFC) has no place in GGUF: text is taken as it stands.
 * Source: llama.cpp, src/llama-vocab.cpp. */
#include "alloc.h"
#include "io/gguf/pre.h"
#include "io/tokens/tokenizer_parts.h"
#include "mat.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Token types, as llama.cpp numbers them. */
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4 };

/* The vocabulary that is being read; its texts lie in the file. */
typedef struct {
    const rsd_gguf *gguf;
    rsd_tokenizer *t;
    rsd_gguf_string *text;
    int32_t *type; /* NULL: all are normal */
    float *score;  /* llama only */
    size_t count;
} vocabulary;

/* The text under key is none that is known, or missing. */
static int refuse_text(const rsd_gguf *gguf, const char *key, const char *why)
{
    const char *text = "";
    size_t n = 0;
    RSD_TRY(rsd_gguf_text(gguf, key, &text, &n));
    return rsd_gguf_find(gguf, key)
               ? RSD_FAIL(RSD_EFORMAT, "%s is '%.*s'; %s", key, n < 64 ? (int)n : 64, text, why)
               : RSD_FAIL(RSD_EFORMAT, "%s is missing; %s", key, why);
}

/* ---- tokens ---- */

static int32_t type_of(const vocabulary *v, size_t id) { return v->type ? v->type[id] : NORMAL; }

/* Rows of the token table that no token has may be without a text. */
static int add_tokens(const vocabulary *v)
{
    for (size_t id = 0; id < v->count; id++)
        if (v->text[id].n)
            RSD_TRY(rsd_bpe_add_token(v->t->bpe, v->text[id].byte, v->text[id].n, (uint32_t)id));
    v->t->vocab = v->count;
    return RSD_OK;
}

static int add_special(const vocabulary *v)
{
    for (size_t id = 0; id < v->count; id++) {
        const int32_t type = type_of(v, id);
        char *text;
        if (!v->text[id].n || (type != UNKNOWN && type != CONTROL && type != USER_DEFINED))
            continue;
        RSD_TRY(rsd_zeroed(v->text[id].n, 1, &text));
        memcpy(text, v->text[id].byte, v->text[id].n);
        const int err = rsd_tokenizer_add(
            v->t, (rsd_added_token){ .text = text, .n = v->text[id].n, .id = (uint32_t)id }, false);
        free(text);
        RSD_TRY(err);
    }
    RSD_TRY(rsd_added_finish(&v->t->raw));
    return rsd_added_finish(&v->t->normalized);
}

/* Keys that say an id: *id is set where the key is there. */
static int get_id(const vocabulary *v, const char *key, size_t *id)
{
    RSD_TRY(rsd_gguf_size(v->gguf, key, id));
    if (rsd_gguf_find(v->gguf, key) && *id >= v->count)
        return RSD_FAIL(RSD_EFORMAT, "%s is %zu; there are %zu tokens", key, *id, v->count);
    return RSD_OK;
}

/* The token at an end of each text: add_KIND_token, by KIND_token_id. */
static int add_end(const vocabulary *v, const char *kind, bool added, size_t id, rsd_ids *to)
{
    char flag[64], key[64];
    snprintf(flag, sizeof flag, "tokenizer.ggml.add_%s_token", kind);
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", kind);
    RSD_TRY(rsd_gguf_flag(v->gguf, flag, &added));
    if (!added)
        return RSD_OK;
    RSD_TRY(get_id(v, key, &id));
    if (id >= v->count)
        return RSD_FAIL(RSD_EFORMAT, "%s says so, but %s is missing", flag, key);
    const int32_t one = (int32_t)id;
    return rsd_ids_append(to, &one, 1);
}

/* ---- gpt2: a list of merges ---- */

static int add_merges(const vocabulary *v)
{
    static const char key[] = "tokenizer.ggml.merges";
    rsd_gguf_string *merge;
    size_t count;
    int err = RSD_OK;
    RSD_TRY(rsd_gguf_texts(v->gguf, key, &merge, &count));
    for (size_t k = 0; k < count && !err; k++) {
        const rsd_gguf_string m = merge[k];
        const char *space = m.n > 1 ? memchr(m.byte + 1, ' ', m.n - 1) : NULL;
        const size_t n = space ? (size_t)(space - m.byte) : 0;
        err = space ? rsd_bpe_add_merge(v->t->bpe, m.byte, n, space + 1, m.n - n - 1)
                    : RSD_FAIL(RSD_EFORMAT, "%s: number %zu is not two tokens", key, k);
    }
    free(merge);
    return err;
}

static int append(json_t *list, json_t *item)
{
    return json_array_append_new(list, item) ? RSD_FAIL(RSD_ENOMEM, "pre_tokenizer") : RSD_OK;
}

/* The steps as a tokenizer.json would list them. */
static int list_steps(const rsd_gguf_pre *pre, json_t *list)
{
    const bool plain = !pre->expression[0];
    if (pre->digits)
        RSD_TRY(append(list, json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", 1)));
    for (size_t k = 0; k < RSD_GGUF_PRE_SPLITS && pre->expression[k]; k++)
        RSD_TRY(append(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Split", "pattern", "Regex",
                                       pre->expression[k], "behavior", "Isolated")));
    return append(list, json_pack("{s:s, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                                  "use_regex", plain));
}

static int set_pre_tokenizer(const vocabulary *v, const rsd_gguf_pre *pre)
{
    json_t *list = json_array(), *sequence = NULL;
    int err = list ? list_steps(pre, list) : RSD_FAIL(RSD_ENOMEM, "pre_tokenizer");
    if (!err) {
        sequence = json_pack("{s:s, s:O}", "type", "Sequence", "pretokenizers", list);
        err = sequence ? rsd_pretokenizer_parse(sequence, &v->t->pretokenizer)
                       : RSD_FAIL(RSD_ENOMEM, "pre_tokenizer");
    }
    json_decref(sequence);
    json_decref(list);
    return err;
}

static int build_gpt2(vocabulary *v)
{
    static const char key[] = "tokenizer.ggml.pre";
    const char *name = "";
    size_t n = 0;
    RSD_TRY(rsd_gguf_text(v->gguf, key, &name, &n));
    const rsd_gguf_pre *pre = rsd_gguf_pre_find(name, n);
    if (!pre)
        return refuse_text(v->gguf, key, "how it cuts text is not known here");
    RSD_TRY(rsd_bpe_alloc((rsd_bpe_flags){ .ignore_merges = pre->ignore_merges }, &v->t->bpe));
    RSD_TRY(add_tokens(v));
    RSD_TRY(add_merges(v));
    RSD_TRY(rsd_normalizer_parse(NULL, &v->t->normalizer));
    RSD_TRY(set_pre_tokenizer(v, pre));
    RSD_TRY(add_special(v));
    RSD_TRY(add_end(v, "bos", pre->adds_bos, SIZE_MAX, &v->t->before));
    return add_end(v, "eos", false, SIZE_MAX, &v->t->after);
}

/* ---- llama: scores ---- */

/* A token, by its score: for sorting. */
typedef struct {
    float score;
    uint32_t id;
} scored;

static int by_score(const void *a, const void *b)
{
    const scored *p = a, *q = b;
    if (p->score != q->score)
        return p->score > q->score ? -1 : 1;
    return p->id < q->id ? -1 : p->id > q->id;
}

/* All ways to make a token out of two. */
static int add_splits(const vocabulary *v, uint32_t id, uint32_t rank)
{
    const rsd_gguf_string t = v->text[id];
    uint32_t part;
    for (size_t k = 1; k < t.n; k++)
        if (rsd_bpe_find(v->t->bpe, t.byte, k, &part) &&
            rsd_bpe_find(v->t->bpe, t.byte + k, t.n - k, &part))
            RSD_TRY(rsd_bpe_add_ranked(v->t->bpe, t.byte, k, t.byte + k, t.n - k, rank));
    return RSD_OK;
}

/* Tokens of one score have one rank: between them the leftmost place decides. */
static int rank_merges(const vocabulary *v)
{
    scored *order;
    int err = RSD_OK;
    uint32_t rank = 0;
    RSD_TRY(rsd_array_alloc(v->count, 1, sizeof *order, &order));
    for (size_t id = 0; id < v->count; id++)
        order[id] = (scored){ v->score[id], (uint32_t)id };
    if (v->count)
        qsort(order, v->count, sizeof *order, by_score);
    for (size_t i = 0; i < v->count && !err; i++) {
        rank += i && order[i].score != order[i - 1].score;
        err = add_splits(v, order[i].id, rank);
    }
    free(order);
    return err;
}

static int get_scores(vocabulary *v)
{
    static const char key[] = "tokenizer.ggml.scores";
    size_t n;
    RSD_TRY(rsd_gguf_f32s(v->gguf, key, &v->score, &n));
    if (n != v->count)
        return RSD_FAIL(RSD_EFORMAT, "%s: %zu for %zu tokens", key, n, v->count);
    for (size_t id = 0; id < n; id++)
        if (isnan(v->score[id]))
            return RSD_FAIL(RSD_EFORMAT, "%s: number %zu is NaN", key, id);
    return RSD_OK;
}

/* Spaces become U+2581; one is put before each text. */
static int set_normalizer(const vocabulary *v)
{
    bool space = true;
    RSD_TRY(rsd_gguf_flag(v->gguf, "tokenizer.ggml.add_space_prefix", &space));
    json_t *replace = json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ",
                                "content", "\u2581");
    json_t *prepend = json_pack("{s:s, s:s}", "type", "Prepend", "prepend", "\u2581");
    json_t *all = json_pack(space ? "{s:s, s:[O, O]}" : "{s:s, s:[O]}", "type", "Sequence",
                            "normalizers", space ? prepend : replace, replace);
    const int err =
        all ? rsd_normalizer_parse(all, &v->t->normalizer) : RSD_FAIL(RSD_ENOMEM, "normalizer");
    json_decref(all);
    json_decref(prepend);
    json_decref(replace);
    return err;
}

static int set_unknown(const vocabulary *v)
{
    size_t id = v->count;
    for (size_t i = v->count; i-- > 0;)
        if (type_of(v, i) == UNKNOWN)
            id = i;
    RSD_TRY(get_id(v, "tokenizer.ggml.unknown_token_id", &id));
    return id < v->count && v->text[id].n
               ? rsd_bpe_set_unknown(v->t->bpe, v->text[id].byte, v->text[id].n)
               : RSD_OK;
}

/* What would change text in ways that are not done here. */
static int refuse_rewriting(const vocabulary *v)
{
    static const char spaces[] = "tokenizer.ggml.remove_extra_whitespaces";
    static const char map[] = "tokenizer.ggml.precompiled_charsmap";
    bool removed = false;
    RSD_TRY(rsd_gguf_flag(v->gguf, spaces, &removed));
    if (removed)
        return RSD_FAIL(RSD_EFORMAT, "%s is true, which is not supported", spaces);
    const rsd_gguf_value *value = rsd_gguf_find(v->gguf, map);
    return value && value->count ? RSD_FAIL(RSD_EFORMAT, "%s is not supported", map) : RSD_OK;
}

static int build_llama(vocabulary *v)
{
    enum { BOS = 1, EOS = 2 }; /* SentencePiece's, where the file does not say it */
    RSD_TRY(refuse_rewriting(v));
    RSD_TRY(get_scores(v));
    RSD_TRY(rsd_bpe_alloc((rsd_bpe_flags){ .byte_fallback = true, .fuse_unk = true }, &v->t->bpe));
    RSD_TRY(add_tokens(v));
    RSD_TRY(rank_merges(v));
    RSD_TRY(set_unknown(v));
    RSD_TRY(set_normalizer(v));
    RSD_TRY(rsd_pretokenizer_parse(NULL, &v->t->pretokenizer));
    RSD_TRY(add_special(v));
    RSD_TRY(add_end(v, "bos", true, BOS, &v->t->before));
    return add_end(v, "eos", false, EOS, &v->t->after);
}

/* ---- the whole ---- */

static int read_lists(vocabulary *v)
{
    static const char tokens[] = "tokenizer.ggml.tokens", types[] = "tokenizer.ggml.token_type";
    size_t n;
    RSD_TRY(rsd_gguf_texts(v->gguf, tokens, &v->text, &v->count));
    RSD_TRY(rsd_gguf_i32s(v->gguf, types, &v->type, &n));
    if (!v->count || v->count > RSD_ID_MOST)
        return RSD_FAIL(RSD_EFORMAT, "%s: %zu tokens", tokens, v->count);
    if (v->type && n != v->count)
        return RSD_FAIL(RSD_EFORMAT, "%s: %zu for %zu tokens", types, n, v->count);
    return RSD_OK;
}

static int build(vocabulary *v)
{
    static const char key[] = "tokenizer.ggml.model";
    const char *kind = "";
    size_t n = 0;
    RSD_TRY(rsd_gguf_text(v->gguf, key, &kind, &n));
    const bool gpt2 = n == 4 && memcmp(kind, "gpt2", n) == 0;
    if (!gpt2 && !(n == 5 && memcmp(kind, "llama", n) == 0))
        return refuse_text(v->gguf, key, "text is read with the vocabularies gpt2 and llama");
    RSD_TRY(read_lists(v));
    return gpt2 ? build_gpt2(v) : build_llama(v);
}

int rsd_tokenizer_from_gguf(const rsd_gguf *gguf, rsd_tokenizer **out)
{
    vocabulary v = { .gguf = gguf };
    *out = NULL;
    RSD_TRY(rsd_zeroed(1, sizeof *v.t, &v.t));
    const int err = build(&v);
    free(v.text);
    free(v.type);
    free(v.score);
    if (err)
        rsd_tokenizer_free(v.t);
    else
        *out = v.t;
    return err;
}
