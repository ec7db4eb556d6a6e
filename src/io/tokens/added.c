#include "io/tokens/added.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

int rsd_added_put(rsd_added *set, rsd_added_token token)
{
    if (!token.n || rsd_utf8_check((const uint8_t *)token.text, token.n) != token.n)
        return RSD_FAIL(RSD_EFORMAT, "added token %u is %s", token.id,
                        token.n ? "not UTF-8" : "empty");
    RSD_TRY(rsd_grow(&set->token, &set->capacity, set->count + 1, sizeof *set->token));
    char *copy;
    RSD_TRY(rsd_zeroed(token.n, 1, &copy));
    memcpy(copy, token.text, token.n);
    token.text = copy;
    set->token[set->count++] = token;
    return RSD_OK;
}

/* By the first byte, then the longest first, then by text: equal ones are neighbours. */
static int by_search(const void *a, const void *b)
{
    const rsd_added_token *p = a, *q = b;
    if (*p->text != *q->text)
        return (uint8_t)*p->text < (uint8_t)*q->text ? -1 : 1;
    if (p->n != q->n)
        return p->n > q->n ? -1 : 1;
    return memcmp(p->text, q->text, p->n);
}

static size_t two_bytes(const void *s)
{
    const uint8_t *byte = s;
    return (size_t)byte[0] << 8 | byte[1];
}

/* Most places of a text are ruled out by their first two bytes. */
static void note_start(rsd_added *set, const rsd_added_token *t)
{
    size_t from = t->n > 1 ? two_bytes(t->text) : (size_t)(uint8_t)*t->text << 8;
    const size_t to = t->n > 1 ? from + 1 : from + 256;
    for (; from < to; from++)
        set->two[from / 8] |= (uint8_t)(1 << from % 8);
}

int rsd_added_finish(rsd_added *set)
{
    static const char letter[] = "[" RSD_WORD_CLASS "]";
    bool words = false;
    if (!set->count)
        return RSD_OK;
    qsort(set->token, set->count, sizeof *set->token, by_search);
    RSD_TRY(rsd_zeroed(1 << 13, 1, &set->two));
    for (size_t k = 0; k < set->count; k++) {
        const rsd_added_token *t = &set->token[k];
        if (k && by_search(t - 1, t) == 0)
            return RSD_FAIL(RSD_EFORMAT, "added token '%.*s' is there twice",
                            (int)(t->n > 100 ? 100 : t->n), t->text);
        note_start(set, t);
        set->first[(uint8_t)*t->text + 1] = (uint32_t)k + 1; /* ends where the next byte begins */
        words |= t->single_word;
    }
    for (size_t byte = 1; byte < 257; byte++)
        if (set->first[byte] < set->first[byte - 1])
            set->first[byte] = set->first[byte - 1];
    return words ? rsd_regex_compile(RSD_REGEX_PCRE2, letter, sizeof letter - 1, &set->letter)
                 : RSD_OK;
}

void rsd_added_free(rsd_added *set)
{
    for (size_t k = 0; k < set->count; k++)
        free(set->token[k].text);
    free(set->token);
    free(set->two);
    rsd_regex_free(set->letter);
    *set = (rsd_added){ 0 };
}

/* The longest token that begins at byte at, or NULL. */
static const rsd_added_token *match(const rsd_added *set, rsd_piece text, size_t at)
{
    const uint8_t *s = text.byte + at;
    const size_t left = text.n - at;
    const size_t start = (size_t)s[0] << 8 | (left > 1 ? s[1] : 0);
    if (left > 1 && !(set->two[start / 8] >> start % 8 & 1))
        return NULL;
    for (uint32_t k = set->first[s[0]]; k < set->first[s[0] + 1]; k++)
        if (set->token[k].n <= left && memcmp(set->token[k].text, s, set->token[k].n) == 0)
            return &set->token[k];
    return NULL;
}

/* Does a letter end before byte begin or begin at byte end? */
static int touched(const rsd_added *set, rsd_piece text, size_t begin, size_t end, bool *is)
{
    size_t b, e;
    *is = false;
    if (begin) {
        const size_t last = rsd_utf8_before(text.byte, begin);
        RSD_TRY(rsd_regex_find(set->letter, text.byte + last, begin - last, 0, is, &b, &e));
    }
    if (end < text.n && !*is)
        RSD_TRY(rsd_regex_find(set->letter, text.byte + end, rsd_utf8_length(text.byte + end), 0,
                               is, &b, &e));
    return RSD_OK;
}

/* Matches are looked for behind the last one, before its white space is added to it, and one that
 * lies in that white space counts unless lstrip leaves nothing of it: what the reference does. */
int rsd_added_split(const rsd_added *set, rsd_piece text, rsd_added_sink *sink, void *context)
{
    size_t done = 0;
    for (size_t at = 0; set->count && at < text.n;) {
        const rsd_added_token *t = match(set, text, at);
        size_t begin = at, end, kept, unused;
        bool skip = false;
        at += t ? t->n : 1;
        end = at;
        if (t && t->single_word)
            RSD_TRY(touched(set, text, begin, end, &skip));
        if (!t || skip)
            continue;
        if (t->lstrip) {
            rsd_piece_strip(rsd_piece_cut(text, 0, begin), false, true, &unused, &kept);
            begin = kept > done ? kept : done;
        }
        if (t->rstrip) {
            rsd_piece_strip(rsd_piece_cut(text, end, text.n), true, false, &kept, &unused);
            end += kept;
        }
        if (begin >= end)
            continue;
        if (done < begin)
            RSD_TRY(sink(context, rsd_piece_cut(text, done, begin), NULL));
        RSD_TRY(sink(context, rsd_piece_cut(text, begin, end), t));
        done = end;
    }
    return done < text.n ? sink(context, rsd_piece_cut(text, done, text.n), NULL) : RSD_OK;
}
