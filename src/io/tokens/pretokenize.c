#include "io/tokens/pretokenize.h"

#include "io/tokens/pretokenize_steps.h"

#include <string.h>

typedef rsd_pretokenizer_step step;
typedef struct run run;

/* Steps are nested, not done one after the other: each hands what it cuts off to the next at once,
 * which keeps no lists and needs one text per rewriting step.  The result is the same, as no step
 * looks beyond the piece it is given. */
struct run {
    rsd_pretokenizer *p;
    rsd_piece_sink *sink;
    void *context;
};

static int hand_to(const run *r, size_t k, rsd_piece piece);

/* Hand what step s has made to the step behind it. */
static int hand_on(const run *r, const step *s, rsd_piece piece)
{
    return hand_to(r, (size_t)(s - r->p->step) + 1, piece);
}

/* ---- what the steps do ---- */

/* A split in progress: [begin, end) is cut off but may still grow. */
typedef struct {
    size_t begin, end;
    bool match, any;
} held;

/* Does the part that follows what is held belong to it? */
static bool grows(const step *s, held h, bool match)
{
    switch (s->behavior) {
    case RSD_SPLIT_MERGED_WITH_PREVIOUS:
        return match && !h.match;
    case RSD_SPLIT_MERGED_WITH_NEXT:
        return !match && h.match;
    case RSD_SPLIT_CONTIGUOUS:
        return match == h.match;
    default:
        return false;
    }
}

/* The next part of the text, a match or what lies before one. */
static int take(const run *r, const step *s, rsd_piece in, held *h, held part)
{
    if (part.begin == part.end)
        return RSD_OK;
    part.match ^= s->invert;
    const bool grow = h->any && grows(s, *h, part.match);
    if (grow)
        part.begin = h->begin;
    else if (h->any && !(h->match && s->behavior == RSD_SPLIT_REMOVED))
        RSD_TRY(hand_on(r, s, rsd_piece_cut(in, h->begin, h->end)));
    *h = part;
    return RSD_OK;
}

static int apply_split(const run *r, step *s, rsd_piece in)
{
    held h = { 0 };
    size_t from = 0, begin, end;
    bool found = true;
    for (; from < in.n; from = end) {
        RSD_TRY(rsd_regex_find(s->pattern, in.byte, in.n, from, &found, &begin, &end));
        if (!found)
            break;
        RSD_TRY(take(r, s, in, &h, (held){ from, begin, false, true }));
        RSD_TRY(take(r, s, in, &h, (held){ begin, end, true, true }));
    }
    RSD_TRY(take(r, s, in, &h, (held){ from, in.n, false, true }));
    if (h.match && s->behavior == RSD_SPLIT_REMOVED)
        return RSD_OK;
    return hand_on(r, s, rsd_piece_cut(in, h.begin, h.end));
}

/* A space before text that does not begin with one. */
static int apply_prefix(const run *r, step *s, rsd_piece in)
{
    if (in.byte[0] == ' ')
        return hand_on(r, s, in);
    s->text.n = 0;
    RSD_TRY(rsd_text_put(&s->text, " ", 1, rsd_piece_origin(in, 0)));
    RSD_TRY(rsd_text_append(&s->text, in));
    return hand_on(r, s, rsd_text_piece(&s->text, in.first));
}

/* Spaces become the meta character, which also begins the text where the scheme says so. */
static int apply_meta(const run *r, step *s, rsd_piece in)
{
    const bool there = in.byte[0] == ' ' || (in.n >= s->n && memcmp(in.byte, s->meta, s->n) == 0);
    const uint32_t begin = rsd_piece_origin(in, 0);
    s->text.n = 0;
    if (!there && (s->scheme == RSD_META_ALWAYS || (s->scheme == RSD_META_FIRST && in.first)))
        RSD_TRY(rsd_text_put(&s->text, s->meta, s->n, begin));
    for (size_t i = 0, end; i < in.n; i = end) {
        const uint8_t *space = memchr(in.byte + i, ' ', in.n - i);
        end = space ? (size_t)(space - in.byte) : in.n;
        RSD_TRY(rsd_text_append(&s->text, rsd_piece_cut(in, i, end)));
        if (space)
            RSD_TRY(rsd_text_put(&s->text, s->meta, s->n, rsd_piece_origin(in, end++)));
    }
    return hand_on(r, s, rsd_text_piece(&s->text, in.first));
}

size_t rsd_byte_letter(uint8_t byte, uint8_t out[4])
{
    uint32_t c = byte;
    if (byte <= 0x20) /* 0x00 .. 0x20, 0x7f .. 0xa0, 0xad, in this order */
        c = 0x100 + c;
    else if (byte >= 0x7f && byte <= 0xa0)
        c = 0x121 + c - 0x7f;
    else if (byte == 0xad)
        c = 0x143;
    return rsd_utf8_encode(c, out);
}

static int apply_bytes(const run *r, step *s, rsd_piece in)
{
    s->text.n = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t letter[4];
        const size_t n = rsd_byte_letter(in.byte[i], letter);
        RSD_TRY(rsd_text_put(&s->text, letter, n, rsd_piece_origin(in, i)));
    }
    return hand_on(r, s, rsd_text_piece(&s->text, in.first));
}

static int hand_to(const run *r, size_t k, rsd_piece piece)
{
    static int (*const apply[])(const run *, step *,
                                rsd_piece) = { [RSD_STEP_SPLIT] = apply_split,
                                               [RSD_STEP_PREFIX] = apply_prefix,
                                               [RSD_STEP_META] = apply_meta,
                                               [RSD_STEP_BYTES] = apply_bytes };
    if (!piece.n)
        return RSD_OK;
    if (k == r->p->count)
        return r->sink(r->context, piece);
    return apply[r->p->step[k].kind](r, &r->p->step[k], piece);
}

int rsd_pretokenizer_run(rsd_pretokenizer *p, rsd_piece text, rsd_piece_sink *sink, void *context)
{
    const run r = { p, sink, context };
    return hand_to(&r, 0, text);
}
