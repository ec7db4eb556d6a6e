#include "io/gguf_vocabulary.h"

#include "alloc.h"
#include "io/file.h"
#include "io/gguf/metadata.h"
#include "io/gguf/vocabulary_lists.h"
#include "io/json.h"
#include "io/json_load.h"
#include "mat.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Token types, as llama.cpp numbers them. */
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };

enum { PAD_MAX = 32 };

static rsd_gguf_string text_of(const json_t *string)
{
    return (rsd_gguf_string){ json_string_value(string), json_string_length(string) };
}

bool rsd_vocabulary_find(const rsd_vocabulary *v, rsd_gguf_string text, uint32_t *id)
{
    const ptrdiff_t at = rsd_intern_find(&v->texts, text.byte, text.n);
    if (at >= 0)
        *id = v->id[at];
    return at >= 0;
}

/* ---- tokens ---- */

static int set_token(rsd_vocabulary *v, rsd_gguf_string text, size_t id, int32_t type)
{
    const size_t before = v->texts.count;
    size_t at;
    if (id >= v->count)
        return RSD_FAIL(RSD_EFORMAT, "token '%.60s' has id %zu; the model has %zu rows of tokens",
                        text.byte, id, v->count);
    RSD_TRY(rsd_intern_add(&v->texts, text.byte, text.n, &at));
    const bool known = at < before;
    if (known ? v->id[at] != id : v->type[id] != UNUSED)
        return RSD_FAIL(RSD_EFORMAT, "token '%.60s': two ids have one text, or two texts id %zu",
                        text.byte, id);
    v->id[at] = (uint32_t)id;
    v->text[id] = text;
    v->type[id] = type;
    return RSD_OK;
}

/* <0x00> ... <0xFF>: SentencePiece's token for a byte. */
static bool is_byte(rsd_gguf_string t)
{
    return t.n == 6 && memcmp(t.byte, "<0x", 3) == 0 && t.byte[5] == '>' &&
           isxdigit((unsigned char)t.byte[3]) && isxdigit((unsigned char)t.byte[4]);
}

static int read_model(const json_t *model, rsd_vocabulary *v)
{
    json_t *vocab = json_object_get(model, "vocab"), *value;
    const json_t *unknown = json_object_get(model, "unk_token");
    const char *key;
    if (!json_is_object(vocab))
        return RSD_FAIL(RSD_EFORMAT, "model: 'vocab' is missing or not an object");
    json_object_foreach(vocab, key, value)
    {
        const rsd_gguf_string text = { key, strlen(key) };
        const json_int_t id = json_integer_value(value);
        int32_t type = NORMAL;
        if (!json_is_integer(value) || id < 0)
            return RSD_FAIL(RSD_EFORMAT, "vocab: the id of '%.60s' is not a whole number", key);
        if (v->kind == RSD_VOCABULARY_LLAMA && is_byte(text))
            type = BYTE;
        else if (v->kind == RSD_VOCABULARY_LLAMA && json_is_string(unknown) &&
                 strcmp(json_string_value(unknown), key) == 0)
            type = UNKNOWN;
        RSD_TRY(set_token(v, text, (size_t)id, type));
    }
    return RSD_OK;
}

static int read_added(const json_t *list, rsd_vocabulary *v)
{
    const json_t *item;
    size_t k;
    json_array_foreach(list, k, item)
    {
        const json_t *content = json_object_get(item, "content"), *id = json_object_get(item, "id");
        if (!json_is_string(content) || !json_is_integer(id) || json_integer_value(id) < 0)
            return RSD_FAIL(RSD_EFORMAT, "added token %zu lacks its 'content' or 'id'", k);
        const size_t at = (size_t)json_integer_value(id);
        int32_t type = json_is_true(json_object_get(item, "special")) ? CONTROL : USER_DEFINED;
        if (at < v->count && (v->type[at] == UNKNOWN || v->type[at] == BYTE))
            type = v->type[at]; /* listed once more */
        RSD_TRY(set_token(v, text_of(content), at, type));
    }
    return RSD_OK;
}

/* Rows of the table that no token has: llama.cpp wants a text of its own for each. */
static int fill_gaps(rsd_vocabulary *v)
{
    size_t gaps = 0, used = 0;
    for (size_t i = 0; i < v->count; i++)
        gaps += v->type[i] == UNUSED;
    if (!gaps)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(gaps, PAD_MAX, 1, &v->pads));
    for (size_t i = 0; i < v->count; i++) {
        if (v->type[i] != UNUSED)
            continue;
        char *text = v->pads + PAD_MAX * used++;
        const int n = snprintf(text, PAD_MAX, "[PAD%zu]", i);
        RSD_TRY(set_token(v, (rsd_gguf_string){ text, (size_t)n }, i, UNUSED));
    }
    return RSD_OK;
}

/* ---- merges ---- */

/* "a b" or ["a", "b"] into a and b. */
static int split_merge(const json_t *merge, size_t rank, rsd_gguf_string part[2])
{
    const char *text = json_string_value(merge), *space = text ? strchr(text, ' ') : NULL;
    for (size_t k = 0; k < 2; k++)
        part[k] = space ? (rsd_gguf_string){ 0 } : text_of(json_array_get(merge, k));
    if (space) {
        part[0] = (rsd_gguf_string){ text, (size_t)(space - text) };
        part[1] = (rsd_gguf_string){ space + 1, strlen(space + 1) };
    }
    if (!part[0].byte || !part[1].byte || (!space && json_array_size(merge) != 2))
        return RSD_FAIL(RSD_EFORMAT, "model: merge %zu is not two tokens", rank);
    return RSD_OK;
}

/* "a b" of every merge, as GGUF lists them: a byte-level token has no space. */
static int read_merges(const json_t *list, rsd_vocabulary *v)
{
    size_t rank, bytes = 0, used = 0;
    rsd_gguf_string part[2];
    json_t *merge;
    if (!json_is_array(list))
        return RSD_FAIL(RSD_EFORMAT, "model: 'merges' is missing or not an array");
    v->merges = json_array_size(list);
    json_array_foreach(list, rank, merge)
    {
        RSD_TRY(split_merge(merge, rank, part));
        bytes += part[0].n + part[1].n + 1;
    }
    RSD_TRY(rsd_array_alloc(v->merges + !v->merges, 1, sizeof *v->merge, &v->merge));
    RSD_TRY(rsd_array_alloc(bytes + !bytes, 1, 1, &v->merge_bytes));
    json_array_foreach(list, rank, merge)
    {
        RSD_TRY(split_merge(merge, rank, part));
        char *to = v->merge_bytes + used;
        const size_t n = part[0].n + part[1].n + 1;
        memcpy(to, part[0].byte, part[0].n);
        to[part[0].n] = ' ';
        memcpy(to + part[0].n + 1, part[1].byte, part[1].n);
        if (v->kind == RSD_VOCABULARY_GPT2 && memchr(part[0].byte, ' ', part[0].n))
            return RSD_FAIL(RSD_EFORMAT, "model: merge %zu has a space in a token", rank);
        v->merge[rank] = (rsd_gguf_string){ to, n };
        used += n;
    }
    return RSD_OK;
}

/* What is made by no merge comes after all that is; bytes and special tokens are never merged. */
static int set_scores(rsd_vocabulary *v)
{
    for (size_t i = 0; i < v->count; i++)
        v->score[i] = v->type[i] == NORMAL ? (float)-(ptrdiff_t)v->merges : 0;
    for (size_t rank = v->merges; rank-- > 0;) { /* so that the first of several counts */
        char joined[1024];
        const rsd_gguf_string m = v->merge[rank];
        const char *space = memchr(m.byte, ' ', m.n);
        const size_t n = (size_t)(space - m.byte);
        uint32_t id;
        if (m.n > sizeof joined)
            return RSD_FAIL(RSD_EFORMAT, "model: merge %zu makes a token of %zu bytes", rank, m.n);
        memcpy(joined, m.byte, n);
        memcpy(joined + n, space + 1, m.n - n - 1);
        if (!rsd_vocabulary_find(v, (rsd_gguf_string){ joined, m.n - 1 }, &id))
            return RSD_FAIL(RSD_EFORMAT, "model: merge %zu makes no token", rank);
        v->score[id] = (float)-(ptrdiff_t)rank; /* never -0 */
    }
    return RSD_OK;
}

/* ---- the whole ---- */

static int read_all(rsd_vocabulary *v, size_t vocab)
{
    const json_t *model = json_object_get(v->tokenizer, "model");
    v->count = vocab;
    RSD_TRY(rsd_array_alloc(vocab, 1, sizeof *v->text, &v->text));
    RSD_TRY(rsd_array_alloc(vocab, 1, sizeof *v->type, &v->type));
    RSD_TRY(rsd_array_alloc(vocab, 1, sizeof *v->score, &v->score));
    RSD_TRY(rsd_array_alloc(vocab, 1, sizeof *v->id, &v->id));
    for (size_t i = 0; i < vocab; i++)
        v->type[i] = UNUSED;
    RSD_TRY(read_model(model, v));
    RSD_TRY(read_added(json_object_get(v->tokenizer, "added_tokens"), v));
    RSD_TRY(fill_gaps(v));
    RSD_TRY(read_merges(json_object_get(model, "merges"), v));
    return v->kind == RSD_VOCABULARY_LLAMA ? set_scores(v) : RSD_OK;
}

static int put_word(rsd_gguf_writer *w, const char *key, const char *word)
{
    return rsd_gguf_put_text(w, key, (rsd_gguf_string){ word, strlen(word) });
}

static int put_tokens(rsd_gguf_writer *w, const rsd_vocabulary *v)
{
    const bool sentence = v->kind == RSD_VOCABULARY_LLAMA;
    RSD_TRY(put_word(w, "tokenizer.ggml.model", sentence ? "llama" : "gpt2"));
    RSD_TRY(rsd_gguf_put_text(w, "tokenizer.ggml.pre", v->pre));
    RSD_TRY(rsd_gguf_put_texts(w, "tokenizer.ggml.tokens", v->text, v->count));
    if (sentence)
        RSD_TRY(rsd_gguf_put_f32s(w, "tokenizer.ggml.scores", v->score, v->count));
    RSD_TRY(rsd_gguf_put_i32s(w, "tokenizer.ggml.token_type", v->type, v->count));
    if (!sentence)
        RSD_TRY(rsd_gguf_put_texts(w, "tokenizer.ggml.merges", v->merge, v->merges));
    return RSD_OK;
}

static void free_all(rsd_vocabulary *v)
{
    json_decref(v->tokenizer);
    json_decref(v->settings);
    json_decref(v->config);
    rsd_intern_free(&v->texts);
    free(v->text);
    free(v->type);
    free(v->score);
    free(v->id);
    free(v->pads);
    free(v->merge);
    free(v->merge_bytes);
}

/* A JSON file of the folder; *out stays NULL when it is not there. */
static int load(const char *folder, const char *name, json_t **out)
{
    rsd_map map = { .fd = -1 };
    int err = RSD_OK;
    char *path;
    RSD_TRY(rsd_format(&path, "%s/%s", folder, name));
    if (access(path, F_OK) != 0)
        goto done;
    RSD_TRY_DONE(rsd_map_open(path, &map));
    err = rsd_json_load((const char *)map.data, map.size, out);
    if (err)
        err = rsd_fail_prefix(err, "%s", path);
    else if (!json_is_object(*out))
        err = RSD_FAIL(RSD_EFORMAT, "%s: line 1: not an object", path);
    rsd_map_close(&map);
done:
    free(path);
    return err;
}

static int put_of_folder(rsd_gguf_writer *w, const char *folder, const char *config, size_t vocab,
                         char note[RSD_GGUF_NOTE_MAX])
{
    rsd_vocabulary v = { 0 };
    int err = RSD_OK;
    note[0] = 0;
    RSD_TRY_DONE(load(folder, "tokenizer.json", &v.tokenizer));
    RSD_TRY_DONE(load(folder, "tokenizer_config.json", &v.settings));
    RSD_TRY_DONE(rsd_json_load(config, strlen(config), &v.config));
    if (v.tokenizer)
        rsd_vocabulary_classify(&v, note);
    else
        snprintf(note, RSD_GGUF_NOTE_MAX, "%s has no tokenizer.json: no vocabulary is written",
                 folder);
    if (v.kind == RSD_VOCABULARY_NONE) {
        err = put_word(w, "tokenizer.ggml.model", "no_vocab");
        goto done;
    }
    if ((err = read_all(&v, vocab))) {
        err = rsd_fail_prefix(err, "%s/tokenizer.json", folder);
        goto done;
    }
    RSD_TRY_DONE(put_tokens(w, &v));
    err = rsd_vocabulary_put_special(w, &v);
done:
    free_all(&v);
    return err;
}

int rsd_gguf_put_vocabulary(rsd_gguf_writer *w, const char *source, const char *config,
                            size_t vocab, char note[RSD_GGUF_NOTE_MAX])
{
    note[0] = 0;
    return rsd_gguf_is_file(source) ? rsd_vocabulary_copy(w, source)
                                    : put_of_folder(w, source, config, vocab, note);
}
