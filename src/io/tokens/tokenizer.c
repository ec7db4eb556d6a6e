#include "io/tokenizer.h"

#include "alloc.h"
#include "io/tokens/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

void rsd_tokenizer_free(rsd_tokenizer *t)
{
    if (!t)
        return;
    rsd_added_free(&t->raw);
    rsd_added_free(&t->normalized);
    rsd_intern_free(&t->names);
    free(t->named.id);
    rsd_normalizer_free(t->normalizer);
    rsd_pretokenizer_free(t->pretokenizer);
    rsd_bpe_free(t->bpe);
    free(t->before.id);
    free(t->after.id);
    free(t);
}

size_t rsd_tokenizer_vocab(const rsd_tokenizer *t) { return t->vocab; }

bool rsd_tokenizer_find(const rsd_tokenizer *t, const char *token, int32_t *id)
{
    const ptrdiff_t at = rsd_intern_find(&t->names, token, strlen(token));
    uint32_t found;
    if (at != RSD_INTERN_NONE) {
        *id = t->named.id[at];
        return true;
    }
    if (!rsd_bpe_find(t->bpe, token, strlen(token), &found))
        return false;
    *id = (int32_t)found;
    return true;
}

const char *rsd_tokenizer_note(const rsd_tokenizer *t) { return t->note ? t->note : ""; }

rsd_uncovered rsd_tokenizer_uncovered(const rsd_tokenizer *t) { return t->uncovered; }

bool rsd_tokenizer_has_template(const rsd_tokenizer *t)
{
    return t->before.count || t->after.count;
}

void rsd_encoding_free(rsd_encoding *e)
{
    free(e->id);
    free(e->bytes);
    *e = (rsd_encoding){ 0 };
}

/* A document being encoded.  A token's bytes are known when the next one begins. */
typedef struct {
    rsd_tokenizer *t;
    rsd_encoding *out;
    size_t first;   /* its first token in out */
    uint32_t begin; /* byte where its last token begins */
    const uint8_t *text;
} job;

int rsd_encoding_put(rsd_encoding *e, int32_t id, uint32_t bytes)
{
    RSD_TRY(rsd_grow(&e->id, &e->id_capacity, e->count + 1, sizeof *e->id));
    RSD_TRY(rsd_grow(&e->bytes, &e->bytes_capacity, e->count + 1, sizeof *e->bytes));
    e->id[e->count] = id;
    e->bytes[e->count++] = bytes;
    return RSD_OK;
}

/* A token of the text that begins at byte origin.  What lies before the first belongs to it; one
 * that begins before the last one does (added.h) has no bytes of its own. */
static int token_at(job *j, uint32_t id, uint32_t origin)
{
    if (j->out->count == j->first)
        origin = 0;
    if (origin < j->begin)
        origin = j->begin;
    if (j->out->count > j->first)
        j->out->bytes[j->out->count - 1] = origin - j->begin;
    j->begin = origin;
    return rsd_encoding_put(j->out, (int32_t)id, 0);
}

/* The character of the document that byte `at` of it belongs to. */
static uint32_t character_at(const uint8_t *text, size_t at)
{
    while (at && (text[at] & 0xc0) == 0x80)
        at--;
    return rsd_utf8_decode(text + at);
}

static void count_uncovered(const job *j, rsd_piece piece, const rsd_bpe_word *word)
{
    rsd_uncovered *u = &j->t->uncovered;
    if (!word->dropped && !word->unknown)
        return;
    if (!u->dropped && !u->unknown)
        u->first = character_at(j->text, rsd_piece_origin(piece, word->first));
    u->dropped += word->dropped;
    u->unknown += word->unknown;
}

static int encode_word(void *context, rsd_piece piece)
{
    job *j = context;
    rsd_bpe_word word;
    size_t at = 0;
    RSD_TRY(rsd_bpe_encode(j->t->bpe, piece.byte, piece.n, &word));
    count_uncovered(j, piece, &word);
    for (size_t k = 0; k < word.count; k++) {
        RSD_TRY(token_at(j, word.token[k].id, rsd_piece_origin(piece, at)));
        at += word.token[k].bytes;
    }
    return RSD_OK;
}

static int encode_normalized(void *context, rsd_piece text, const rsd_added_token *token)
{
    job *j = context;
    if (token)
        return token_at(j, token->id, text.n ? rsd_piece_origin(text, 0) : j->begin);
    return rsd_pretokenizer_run(j->t->pretokenizer, text, encode_word, j);
}

static int encode_raw(void *context, rsd_piece text, const rsd_added_token *token)
{
    job *j = context;
    if (token)
        return encode_normalized(j, text, token);
    RSD_TRY(rsd_normalizer_run(j->t->normalizer, text, &text));
    return rsd_added_split(&j->t->normalized, text, encode_normalized, j);
}

static int encode_text(job *j, const uint8_t *text, size_t n)
{
    const rsd_piece all = { text, NULL, n, 0, true };
    RSD_TRY(rsd_added_split(&j->t->raw, all, encode_raw, j));
    if (j->out->count > j->first)
        j->out->bytes[j->out->count - 1] = (uint32_t)n - j->begin;
    return RSD_OK;
}

static int append_ids(rsd_encoding *e, rsd_ids ids)
{
    for (size_t k = 0; k < ids.count; k++)
        RSD_TRY(rsd_encoding_put(e, ids.id[k], 0));
    return RSD_OK;
}

int rsd_tokenizer_encode(rsd_tokenizer *t, const uint8_t *text, size_t n, bool special,
                         rsd_encoding *out)
{
    const size_t before = out->count, valid = rsd_utf8_check(text, n);
    job j = { .t = t, .out = out, .text = text };
    int err = RSD_OK;
    if (n >= UINT32_MAX)
        return RSD_FAIL(RSD_EARG, "a document of %zu bytes", n);
    if (valid < n)
        return RSD_FAIL(RSD_EDOM, "the text is not UTF-8: byte %zu is 0x%02x", valid, text[valid]);
    if (special)
        RSD_TRY_DONE(append_ids(out, t->before));
    j.first = out->count;
    RSD_TRY_DONE(encode_text(&j, text, n));
    if (special)
        RSD_TRY_DONE(append_ids(out, t->after));
done:
    if (err)
        out->count = before;
    return err;
}
