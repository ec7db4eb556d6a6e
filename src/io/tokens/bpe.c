#include "io/tokens/bpe.h"

#include "alloc.h"
#include "io/tokens/bpe_merge.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* Words longer than WORD_MOST are not remembered; when WORDS_MOST are, all are forgotten: natural
 * text refills the table at once with what is common. */
enum { WORD_MOST = 64, WORDS_MOST = 1 << 17 };

/* U+2581, SentencePiece's space. */
static const uint8_t META[] = { 0xe2, 0x96, 0x81 };

struct rsd_bpe {
    rsd_bpe_flags flags;
    rsd_intern vocabulary;
    uint32_t *id; /* of each string of the vocabulary */
    rsd_merges merges;
    uint32_t rank;                           /* of the next merge */
    uint32_t unknown, byte[256], ascii[128]; /* RSD_NO_ID where there is none */
    bool has_meta;                           /* META is a token */
    bool crossed; /* some merge joins the end of a word and the META that begins the next one */

    rsd_intern words; /* remembered, and their tokens: from[i] .. from[i + 1] of token[] */
    size_t *from;
    rsd_bpe_token *token;
    size_t tokens;

    const uint8_t *begin;                 /* of the word at hand */
    size_t dropped, unknown_count, first; /* its characters that no token covers */
    size_t lead;                          /* bytes that were dropped before its first symbol */
    rsd_symbols symbols;
    rsd_bpe_token *result;
    size_t results;
    size_t id_capacity, from_capacity, token_capacity, result_capacity;
};

int rsd_bpe_alloc(rsd_bpe_flags flags, rsd_bpe **out)
{
    rsd_bpe *bpe;
    RSD_TRY(rsd_zeroed(1, sizeof *bpe, out));
    bpe = *out;
    bpe->flags = flags;
    bpe->unknown = RSD_NO_ID;
    memset(bpe->byte, 0xff, sizeof bpe->byte);
    memset(bpe->ascii, 0xff, sizeof bpe->ascii);
    return RSD_OK;
}

void rsd_bpe_free(rsd_bpe *bpe)
{
    if (!bpe)
        return;
    rsd_intern_free(&bpe->vocabulary);
    rsd_merges_free(&bpe->merges);
    rsd_intern_free(&bpe->words);
    free(bpe->id);
    free(bpe->from);
    free(bpe->token);
    rsd_symbols_free(&bpe->symbols);
    free(bpe->result);
    free(bpe);
}

bool rsd_bpe_find(const rsd_bpe *bpe, const char *text, size_t n, uint32_t *id)
{
    const ptrdiff_t at = rsd_intern_find(&bpe->vocabulary, text, n);
    if (at != RSD_INTERN_NONE)
        *id = bpe->id[at];
    return at != RSD_INTERN_NONE;
}

/* <0x00> ... <0xFF>, in capitals */
static void note_byte(rsd_bpe *bpe, const char *text, size_t n, uint32_t id)
{
    static const char digits[] = "0123456789ABCDEF";
    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>' || !text[3] || !text[4])
        return;
    const char *high = strchr(digits, text[3]), *low = strchr(digits, text[4]);
    if (high && low)
        bpe->byte[(high - digits) * 16 + (low - digits)] = id;
}

static bool begins_with_meta(const void *s, size_t n)
{
    return n >= sizeof META && memcmp(s, META, sizeof META) == 0;
}

int rsd_bpe_add_token(rsd_bpe *bpe, const char *text, size_t n, uint32_t id)
{
    size_t at;
    const size_t before = bpe->vocabulary.count;
    RSD_TRY(rsd_grow(&bpe->id, &bpe->id_capacity, before + 1, sizeof *bpe->id));
    RSD_TRY(rsd_intern_add(&bpe->vocabulary, text, n, &at));
    if (at < before)
        return RSD_FAIL(RSD_EFORMAT, "token '%.*s' is there twice", (int)(n > 100 ? 100 : n), text);
    bpe->id[at] = id;
    if (n == 1 && !(text[0] & 0x80))
        bpe->ascii[(uint8_t)text[0]] = id;
    if (n == sizeof META && begins_with_meta(text, n))
        bpe->has_meta = true;
    note_byte(bpe, text, n, id);
    return RSD_OK;
}

static int find_part(const rsd_bpe *bpe, const char *text, size_t n, uint32_t *id)
{
    if (rsd_bpe_find(bpe, text, n, id))
        return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT, "merge %u needs token '%.*s', which the vocabulary lacks",
                    bpe->rank, (int)(n > 100 ? 100 : n), text);
}

int rsd_bpe_add_ranked(rsd_bpe *bpe, const char *a, size_t an, const char *b, size_t bn,
                       uint32_t rank)
{
    uint32_t pair[2];
    rsd_merge made = { rank, 0 };
    char *both;
    RSD_TRY(find_part(bpe, a, an, &pair[0]));
    RSD_TRY(find_part(bpe, b, bn, &pair[1]));
    RSD_TRY(rsd_zeroed(an + bn, 1, &both));
    memcpy(both, a, an);
    memcpy(both + an, b, bn);
    const int err = find_part(bpe, both, an + bn, &made.id);
    free(both);
    RSD_TRY(err);
    RSD_TRY(rsd_merges_put(&bpe->merges, pair, made));
    if (begins_with_meta(b, bn) &&
        !(an >= sizeof META && begins_with_meta(a + an - sizeof META, sizeof META)))
        bpe->crossed = true;
    return RSD_OK;
}

int rsd_bpe_add_merge(rsd_bpe *bpe, const char *a, size_t an, const char *b, size_t bn)
{
    if (bpe->rank == RSD_NO_ID)
        return RSD_FAIL(RSD_EFORMAT, "more than %u merges", RSD_NO_ID);
    RSD_TRY(rsd_bpe_add_ranked(bpe, a, an, b, bn, bpe->rank));
    bpe->rank++;
    return RSD_OK;
}

int rsd_bpe_set_unknown(rsd_bpe *bpe, const char *text, size_t n)
{
    if (rsd_bpe_find(bpe, text, n, &bpe->unknown))
        return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT, "unk_token '%.*s' is not in the vocabulary",
                    (int)(n > 100 ? 100 : n), text);
}

/* ---- a word's characters ---- */

static bool has_bytes(const rsd_bpe *bpe, const uint8_t *s, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (bpe->byte[s[k]] == RSD_NO_ID)
            return false;
    return true;
}

/* One more symbol; what was dropped before the first belongs to it. */
static int push(rsd_bpe *bpe, uint32_t id, size_t bytes)
{
    RSD_TRY(rsd_symbols_push(&bpe->symbols, id, bytes + bpe->lead));
    bpe->lead = 0;
    return RSD_OK;
}

static void drop(rsd_bpe *bpe, size_t n)
{
    bpe->dropped++;
    if (bpe->symbols.n)
        bpe->symbols.symbol[bpe->symbols.n - 1].bytes += (uint32_t)n;
    else
        bpe->lead += n;
}

/* A character that is no token; *unknown: bytes of unknown characters that wait for being fused.
 * (Bytes do not flush what waits: so does the reference where a vocabulary has some of the byte
 * tokens only.) */
static int push_unknown(rsd_bpe *bpe, const uint8_t *s, size_t n, size_t *unknown)
{
    if (bpe->flags.byte_fallback && has_bytes(bpe, s, n)) {
        for (size_t k = 0; k < n; k++)
            RSD_TRY(push(bpe, bpe->byte[s[k]], 1));
        return RSD_OK;
    }
    if (!bpe->dropped && !bpe->unknown_count)
        bpe->first = (size_t)(s - bpe->begin);
    if (bpe->unknown == RSD_NO_ID) {
        drop(bpe, n);
        return RSD_OK;
    }
    bpe->unknown_count++;
    if (*unknown && !bpe->flags.fuse_unk) {
        RSD_TRY(push(bpe, bpe->unknown, *unknown));
        *unknown = 0;
    }
    *unknown += n;
    return RSD_OK;
}

static bool find_character(const rsd_bpe *bpe, const uint8_t *s, size_t n, uint32_t *id)
{
    if (n > 1)
        return rsd_bpe_find(bpe, (const char *)s, n, id);
    *id = bpe->ascii[*s];
    return *id != RSD_NO_ID;
}

static int push_characters(rsd_bpe *bpe, const uint8_t *word, size_t n)
{
    size_t unknown = 0;
    bpe->symbols.n = 0;
    bpe->lead = 0;
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t id;
        length = rsd_utf8_length(word + i);
        if (!find_character(bpe, word + i, length, &id)) {
            RSD_TRY(push_unknown(bpe, word + i, length, &unknown));
            continue;
        }
        if (unknown)
            RSD_TRY(push(bpe, bpe->unknown, unknown));
        unknown = 0;
        RSD_TRY(push(bpe, id, length));
    }
    return unknown ? push(bpe, bpe->unknown, unknown) : RSD_OK;
}

static int append_result(rsd_bpe *bpe, const rsd_bpe_token *t, size_t count)
{
    RSD_TRY(
        rsd_grow(&bpe->result, &bpe->result_capacity, bpe->results + count, sizeof *bpe->result));
    if (count)
        memcpy(bpe->result + bpe->results, t, count * sizeof *t);
    bpe->results += count;
    return RSD_OK;
}

static int encode_anew(rsd_bpe *bpe, const uint8_t *word, size_t n)
{
    RSD_TRY(push_characters(bpe, word, n));
    RSD_TRY(rsd_symbols_merge(&bpe->symbols, &bpe->merges));
    const rsd_symbol *s = bpe->symbols.symbol;
    for (uint32_t i = bpe->symbols.n ? 0 : RSD_NO_ID; i != RSD_NO_ID; i = s[i].right) {
        const rsd_bpe_token t = { s[i].id, s[i].bytes };
        RSD_TRY(append_result(bpe, &t, 1));
    }
    return RSD_OK;
}

/* ---- remembered words ---- */

static int remember(rsd_bpe *bpe, const uint8_t *word, size_t n, const rsd_bpe_token *t,
                    size_t count)
{
    size_t at;
    if (bpe->words.count == WORDS_MOST) {
        rsd_intern_clear(&bpe->words);
        bpe->tokens = 0;
    }
    RSD_TRY(rsd_grow(&bpe->token, &bpe->token_capacity, bpe->tokens + count, sizeof *bpe->token));
    RSD_TRY(rsd_grow(&bpe->from, &bpe->from_capacity, bpe->words.count + 2, sizeof *bpe->from));
    RSD_TRY(rsd_intern_add(&bpe->words, word, n, &at));
    if (count)
        memcpy(bpe->token + bpe->tokens, t, count * sizeof *t);
    bpe->from[at] = bpe->tokens;
    bpe->tokens += count;
    bpe->from[at + 1] = bpe->tokens;
    return RSD_OK;
}

/* Append the tokens of a word that no merge joins to its neighbours.  One with characters that no
 * token covers is not remembered: they are counted each time. */
static int encode_word(rsd_bpe *bpe, const uint8_t *word, size_t n)
{
    const size_t first = bpe->results, uncovered = bpe->dropped + bpe->unknown_count;
    if (n > WORD_MOST)
        return encode_anew(bpe, word, n);
    const ptrdiff_t at = rsd_intern_find(&bpe->words, word, n);
    if (at != RSD_INTERN_NONE)
        return append_result(bpe, bpe->token + bpe->from[at], bpe->from[at + 1] - bpe->from[at]);
    RSD_TRY(encode_anew(bpe, word, n));
    if (bpe->dropped + bpe->unknown_count > uncovered)
        return RSD_OK;
    return remember(bpe, word, n, bpe->result + first, bpe->results - first);
}

/* Where the word that begins at from ends: before a META that follows something else. */
static size_t word_end(const uint8_t *s, size_t n, size_t from)
{
    bool meta = true;
    for (size_t i = from; i < n;) {
        const bool is = begins_with_meta(s + i, n - i);
        if (is && !meta)
            return i;
        meta = is;
        i += rsd_utf8_length(s + i);
    }
    return n;
}

/* A model without pre-tokenizer gets a whole document for one word (Llama 2).  Where no merge joins
 * the end of a word with the META of the next one, every merge lies within a word, so that words
 * can be done one by one: the order among merges of different words does not matter. */
int rsd_bpe_encode(rsd_bpe *bpe, const uint8_t *word, size_t n, rsd_bpe_word *out)
{
    uint32_t id;
    bpe->results = bpe->dropped = bpe->unknown_count = bpe->first = 0;
    bpe->begin = word;
    if (n >= RSD_NO_ID)
        return RSD_FAIL(RSD_EARG, "a word of %zu bytes", n);
    if (bpe->flags.ignore_merges && rsd_bpe_find(bpe, (const char *)word, n, &id)) {
        const rsd_bpe_token whole = { id, (uint32_t)n };
        RSD_TRY(append_result(bpe, &whole, 1));
    } else if (bpe->crossed || !bpe->has_meta) {
        RSD_TRY(encode_word(bpe, word, n));
    } else {
        for (size_t i = 0, end; i < n; i = end) {
            end = word_end(word, n, i);
            RSD_TRY(encode_word(bpe, word + i, end - i));
        }
    }
    *out =
        (rsd_bpe_word){ bpe->result, bpe->results, bpe->dropped, bpe->unknown_count, bpe->first };
    return RSD_OK;
}
