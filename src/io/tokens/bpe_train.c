#include "io/bpe_train.h"

#include "alloc.h"
#include "io/file.h"
#include "io/intern.h"
#include "io/tokens/documents.h"
#include "io/tokens/pretokenize.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256, VOCAB_MOST = 1 << 20 };

/* A different word of the text: its symbols so far, symbol[first .. first + n). */
typedef struct {
    size_t first, n;
    int64_t count;
} word;

typedef struct {
    rsd_intern tokens; /* numbered by id */
    rsd_intern words;
    word *word;
    uint32_t *symbol;
    rsd_intern pairs;
    int64_t *pair_count; /* occurrences of each pair */
    json_t *merges;
    size_t word_capacity, symbol_capacity, pair_capacity, symbols;
} trainer;

static void free_trainer(trainer *t)
{
    rsd_intern_free(&t->tokens);
    rsd_intern_free(&t->words);
    rsd_intern_free(&t->pairs);
    free(t->word);
    free(t->symbol);
    free(t->pair_count);
    json_decref(t->merges);
}

/* The separator, then the letters by code point. */
static int add_alphabet(trainer *t, const char *separator)
{
    bool is_letter[0x180] = { false };
    uint8_t s[4];
    size_t id;
    RSD_TRY(rsd_intern_add(&t->tokens, separator, strlen(separator), &id));
    for (int byte = 0; byte < BYTES; byte++) {
        rsd_byte_letter((uint8_t)byte, s);
        is_letter[rsd_utf8_decode(s)] = true;
    }
    for (uint32_t c = 0; c < sizeof is_letter / sizeof *is_letter; c++)
        if (is_letter[c])
            RSD_TRY(rsd_intern_add(&t->tokens, s, rsd_utf8_encode(c, s), &id));
    return RSD_OK;
}

/* Count a word of the text; the first time spell it, too. */
static int count_word(void *context, rsd_piece piece)
{
    trainer *t = context;
    const size_t before = t->words.count;
    size_t at;
    RSD_TRY(rsd_intern_add(&t->words, piece.byte, piece.n, &at));
    if (at < before) {
        t->word[at].count++;
        return RSD_OK;
    }
    RSD_TRY(rsd_grow(&t->word, &t->word_capacity, before + 1, sizeof *t->word));
    RSD_TRY(rsd_grow(&t->symbol, &t->symbol_capacity, t->symbols + piece.n, sizeof *t->symbol));
    word *w = &t->word[at];
    *w = (word){ t->symbols, 0, 1 };
    for (size_t i = 0, n; i < piece.n; i += n) {
        n = rsd_utf8_length(piece.byte + i);
        t->symbol[w->first + w->n++] = (uint32_t)rsd_intern_find(&t->tokens, piece.byte + i, n);
    }
    t->symbols += w->n;
    return RSD_OK;
}

static int count_words(trainer *t, const uint8_t *text, size_t n, const char *separator)
{
    json_t *json = json_pack("{s:s, s:b}", "type", "ByteLevel", "add_prefix_space", 0);
    rsd_pretokenizer *p = NULL;
    rsd_documents documents;
    rsd_piece piece = { .first = true };
    int err = RSD_OK;
    RSD_TRY_DONE(json ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "pre_tokenizer"));
    RSD_TRY_DONE(rsd_pretokenizer_parse(json, &p));
    RSD_TRY_DONE(rsd_documents_open(text, n, separator, &documents));
    while (rsd_documents_next(&documents, &piece.byte, &piece.n))
        RSD_TRY_DONE(rsd_pretokenizer_run(p, piece, count_word, t));
done:
    rsd_pretokenizer_free(p);
    json_decref(json);
    return err;
}

/* Add a word's pairs, sign times its count. */
static int count_pairs(trainer *t, const word *w, int64_t sign)
{
    const uint32_t *s = t->symbol + w->first;
    for (size_t i = 0; i + 1 < w->n; i++) {
        const size_t before = t->pairs.count;
        size_t at;
        RSD_TRY(rsd_intern_add(&t->pairs, s + i, 2 * sizeof *s, &at));
        RSD_TRY(rsd_grow(&t->pair_count, &t->pair_capacity, at + 1, sizeof *t->pair_count));
        if (at == before)
            t->pair_count[at] = 0;
        t->pair_count[at] += sign * w->count;
    }
    return RSD_OK;
}

/* The most frequent pair; returns how often it occurs, 0 where there is none. */
static int64_t best_pair(const trainer *t, uint32_t best[2])
{
    int64_t most = 0;
    for (size_t k = 0; k < t->pairs.count; k++) {
        uint32_t pair[2];
        size_t n;
        if (t->pair_count[k] < most || !t->pair_count[k])
            continue;
        memcpy(pair, rsd_intern_key(&t->pairs, k, &n), sizeof pair);
        if (t->pair_count[k] > most || pair[0] < best[0] ||
            (pair[0] == best[0] && pair[1] < best[1])) {
            most = t->pair_count[k];
            memcpy(best, pair, sizeof pair);
        }
    }
    return most;
}

static bool has_pair(const trainer *t, const word *w, const uint32_t pair[2])
{
    const uint32_t *s = t->symbol + w->first;
    for (size_t i = 0; i + 1 < w->n; i++)
        if (s[i] == pair[0] && s[i + 1] == pair[1])
            return true;
    return false;
}

/* From the left: of three alike the first two are joined. */
static void join(trainer *t, word *w, const uint32_t pair[2], uint32_t id)
{
    uint32_t *s = t->symbol + w->first;
    size_t n = 0;
    for (size_t i = 0; i < w->n; n++) {
        const bool is = i + 1 < w->n && s[i] == pair[0] && s[i + 1] == pair[1];
        s[n] = is ? id : s[i];
        i += is ? 2 : 1;
    }
    w->n = n;
}

/* The token that a pair becomes, and its line among the merges. */
static int add_merge(trainer *t, const uint32_t pair[2], size_t *id)
{
    size_t an, bn;
    const char *a = (const char *)rsd_intern_key(&t->tokens, pair[0], &an);
    const char *b = (const char *)rsd_intern_key(&t->tokens, pair[1], &bn);
    char *both;
    if (json_array_append_new(t->merges, json_sprintf("%.*s %.*s", (int)an, a, (int)bn, b)))
        return RSD_FAIL(RSD_ENOMEM, "merge");
    RSD_TRY(rsd_format(&both, "%.*s%.*s", (int)an, a, (int)bn, b));
    const int err = rsd_intern_add(&t->tokens, both, an + bn, id);
    free(both);
    return err;
}

/* All pairs are counted once; a merge then only touches the words that have it. */
static int make_merges(trainer *t, size_t vocab_size, int64_t least)
{
    uint32_t pair[2] = { 0, 0 };
    for (size_t i = 0; i < t->words.count; i++)
        RSD_TRY(count_pairs(t, &t->word[i], 1));
    while (t->tokens.count < vocab_size && best_pair(t, pair) >= least) {
        size_t id;
        RSD_TRY(add_merge(t, pair, &id));
        for (size_t i = 0; i < t->words.count; i++) {
            if (!has_pair(t, &t->word[i], pair))
                continue;
            RSD_TRY(count_pairs(t, &t->word[i], -1));
            join(t, &t->word[i], pair, (uint32_t)id);
            RSD_TRY(count_pairs(t, &t->word[i], 1));
        }
    }
    return RSD_OK;
}

/* What every file of GPT-2's kind says; the rest is filled in. */
static const char frame[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[{\"id\":0,"
    "\"content\":null,\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
    "\"normalized\":false,\"special\":true}],\"normalizer\":null,\"pre_tokenizer\":{\"type\":"
    "\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true},"
    "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
    "\"trim_offsets\":true,\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"dropout\":null,"
    "\"unk_token\":null,\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
    "\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":false,\"vocab\":{}}}";

/* The file's text, or NULL: memory. */
static char *make_text(const trainer *t)
{
    json_t *root = json_loads(frame, 0, NULL), *model = json_object_get(root, "model");
    json_t *vocab = json_object_get(model, "vocab");
    json_t *added = json_array_get(json_object_get(root, "added_tokens"), 0);
    bool fine = vocab && json_object_set(model, "merges", t->merges) == 0;
    for (size_t id = 0; fine && id < t->tokens.count; id++) {
        size_t n;
        const char *bytes = (const char *)rsd_intern_key(&t->tokens, id, &n);
        json_t *token = json_stringn(bytes, n);
        fine = json_object_set_new(vocab, json_string_value(token), json_integer((int)id)) == 0 &&
               (id || json_object_set(added, "content", token) == 0);
        json_decref(token);
    }
    char *text = fine ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

static int write_file(const trainer *t, const char *path)
{
    char *text = make_text(t);
    rsd_writer w = { 0 };
    int err = RSD_OK;
    if (!text)
        return RSD_FAIL(RSD_ENOMEM, "%s", path);
    RSD_TRY_DONE(rsd_writer_open(path, &w));
    RSD_TRY_DONE(rsd_writer_put(&w, text, strlen(text)));
    RSD_TRY_DONE(rsd_writer_put(&w, "\n", 1));
    RSD_TRY_DONE(rsd_writer_commit(&w));
done:
    rsd_writer_abandon(&w);
    free(text);
    return err;
}

int rsd_bpe_train(const uint8_t *text, size_t n, const rsd_bpe_training *options, const char *path,
                  size_t *made)
{
    const char *separator = options->separator ? options->separator : RSD_DOCUMENT_SEPARATOR;
    trainer t = { .merges = json_array() };
    int err = RSD_OK;
    if (!t.merges)
        err = RSD_FAIL(RSD_ENOMEM, "merges");
    else if (options->vocab_size <= BYTES || options->vocab_size > VOCAB_MOST)
        err = RSD_FAIL(RSD_EARG, "vocab_size %zu is not in [%d, %d]", options->vocab_size,
                       BYTES + 1, VOCAB_MOST);
    else if (!*separator ||
             rsd_utf8_check((const uint8_t *)separator, strlen(separator)) != strlen(separator))
        err = RSD_FAIL(RSD_EARG, "the separator '%s' is empty or not UTF-8", separator);
    RSD_TRY_DONE(err);
    RSD_TRY_DONE(add_alphabet(&t, separator));
    RSD_TRY_DONE(count_words(&t, text, n, separator));
    RSD_TRY_DONE(
        make_merges(&t, options->vocab_size, options->least > 1 ? (int64_t)options->least : 1));
    RSD_TRY_DONE(write_file(&t, path));
    if (made)
        *made = t.tokens.count;
done:
    free_trainer(&t);
    return err;
}
