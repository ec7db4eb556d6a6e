#include "io/pretokenize.h"

#include "io/grow.h"
#include "io/json.h"
#include "io/regex.h"

#include <stdlib.h>
#include <string.h>

const char rsd_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

typedef enum { REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS } behavior;
typedef enum { ALWAYS, FIRST, NEVER } scheme;

typedef struct run run;
typedef struct step {
    int (*apply)(const run *r, struct step *s, rsd_piece in);
    rsd_regex *pattern; /* split */
    behavior behavior;
    bool invert;         /* what lies between the matches is what is split off */
    scheme scheme;       /* meta */
    uint8_t meta[4];     /* meta, prefix: the character */
    size_t n;            /* its bytes */
    rsd_text text;       /* what meta, prefix and bytes write */
} step;

struct rsd_pretokenizer {
    step *step;
    size_t count, capacity;
};

/* Steps are nested, not done one after the other: each hands what it cuts off to the next at once,
 * which keeps no lists and needs one text per rewriting step.  The result is the same, as no step
 * looks beyond the piece it is given. */
struct run {
    rsd_pretokenizer *p;
    rsd_piece_sink *sink;
    void *context;
};

static int hand_on(const run *r, const step *s, rsd_piece piece)
{
    const size_t next = s ? (size_t)(s - r->p->step) + 1 : 0;
    if (!piece.n)
        return RSD_OK;
    return next == r->p->count ? r->sink(r->context, piece)
                               : r->p->step[next].apply(r, &r->p->step[next], piece);
}

int rsd_pretokenizer_run(rsd_pretokenizer *p, rsd_piece text, rsd_piece_sink *sink, void *context)
{
    const run r = { p, sink, context };
    return hand_on(&r, NULL, text);
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
    case MERGED_WITH_PREVIOUS:
        return match && !h.match;
    case MERGED_WITH_NEXT:
        return !match && h.match;
    case CONTIGUOUS:
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
    else if (h->any && !(h->match && s->behavior == REMOVED))
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
    if (h.match && s->behavior == REMOVED)
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
    const bool there =
        in.byte[0] == ' ' || (in.n >= s->n && memcmp(in.byte, s->meta, s->n) == 0);
    const uint32_t begin = rsd_piece_origin(in, 0);
    s->text.n = 0;
    if (!there && (s->scheme == ALWAYS || (s->scheme == FIRST && in.first)))
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

/* ---- reading them ---- */

static void free_step(step *s)
{
    rsd_regex_free(s->pattern);
    rsd_text_free(&s->text);
}

/* Take over a step. */
static int add(rsd_pretokenizer *p, step s)
{
    const int err = rsd_grow(&p->step, &p->capacity, p->count + 1, sizeof *p->step);
    if (err)
        free_step(&s);
    else
        p->step[p->count++] = s;
    return err;
}

static int add_split(rsd_pretokenizer *p, rsd_regex_syntax syntax, const char *pattern, behavior b,
                     bool invert)
{
    step s = { .apply = apply_split, .behavior = b, .invert = invert };
    RSD_TRY(rsd_regex_compile(syntax, pattern, strlen(pattern), &s.pattern));
    return add(p, s);
}

static int parse_step(const json_t *json, rsd_pretokenizer *p);

static int parse_byte_level(const json_t *json, rsd_pretokenizer *p)
{
    bool prefix = true, regex = true, trim = true; /* trim_offsets does not change tokens */
    RSD_TRY(rsd_json_flag(json, "ByteLevel", "add_prefix_space", &prefix));
    RSD_TRY(rsd_json_flag(json, "ByteLevel", "use_regex", &regex));
    RSD_TRY(rsd_json_flag(json, "ByteLevel", "trim_offsets", &trim));
    if (prefix)
        RSD_TRY(add(p, (step){ .apply = apply_prefix }));
    if (regex)
        RSD_TRY(add_split(p, RSD_REGEX_ONIGURUMA, rsd_gpt2_pattern, ISOLATED, false));
    return add(p, (step){ .apply = apply_bytes });
}

static int parse_behavior(const json_t *json, const char *what, behavior *b)
{
    static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    const char *name;
    size_t n;
    RSD_TRY(rsd_json_string(json, what, "behavior", &name, &n));
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(names[k], name) == 0) {
            *b = (behavior)k;
            return RSD_OK;
        }
    return RSD_FAIL(RSD_EFORMAT, "%s: behavior '%s' is not supported", what, name);
}

static int parse_split(const json_t *json, rsd_pretokenizer *p)
{
    step s = { .apply = apply_split };
    RSD_TRY(parse_behavior(json, "Split", &s.behavior));
    RSD_TRY(rsd_json_flag(json, "Split", "invert", &s.invert));
    RSD_TRY(rsd_json_pattern(json, "Split", &s.pattern));
    return add(p, s);
}

/* Older files say add_prefix_space where newer ones have a scheme. */
static int parse_scheme(const json_t *json, scheme *out)
{
    static const char *const names[] = { "always", "first", "never" };
    const char *name;
    size_t n;
    bool prefix = true;
    RSD_TRY(rsd_json_flag(json, "Metaspace", "add_prefix_space", &prefix));
    *out = prefix ? ALWAYS : NEVER;
    if (rsd_json_absent(json, "prepend_scheme"))
        return RSD_OK;
    RSD_TRY(rsd_json_string(json, "Metaspace", "prepend_scheme", &name, &n));
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(names[k], name) == 0) {
            *out = (scheme)k;
            return RSD_OK;
        }
    return RSD_FAIL(RSD_EFORMAT, "Metaspace: prepend_scheme '%s' is not supported", name);
}

static int parse_metaspace(const json_t *json, rsd_pretokenizer *p)
{
    step s = { .apply = apply_meta };
    const char *meta = "\u2581";
    bool split = true;
    s.n = strlen(meta);
    RSD_TRY(parse_scheme(json, &s.scheme));
    RSD_TRY(rsd_json_flag(json, "Metaspace", "split", &split));
    if (!rsd_json_absent(json, "replacement"))
        RSD_TRY(rsd_json_string(json, "Metaspace", "replacement", &meta, &s.n));
    if (!s.n || s.n != rsd_utf8_length((const uint8_t *)meta) || !*meta)
        return RSD_FAIL(RSD_EFORMAT, "Metaspace: 'replacement' is not one character");
    memcpy(s.meta, meta, s.n);
    RSD_TRY(add(p, s));
    return split ? add_split(p, RSD_REGEX_LITERAL, meta, MERGED_WITH_NEXT, false) : RSD_OK;
}

static int parse_digits(const json_t *json, rsd_pretokenizer *p)
{
    bool individual = false;
    RSD_TRY(rsd_json_flag(json, "Digits", "individual_digits", &individual));
    return add_split(p, RSD_REGEX_PCRE2, "\\p{N}", individual ? ISOLATED : CONTIGUOUS, false);
}

static int parse_punctuation(const json_t *json, rsd_pretokenizer *p)
{
    behavior b = ISOLATED;
    if (!rsd_json_absent(json, "behavior"))
        RSD_TRY(parse_behavior(json, "Punctuation", &b));
    return add_split(p, RSD_REGEX_PCRE2, "[\\p{P}!-/:-@\\[-`{-~]", b, false);
}

static int parse_whitespace(const json_t *json, rsd_pretokenizer *p)
{
    (void)json;
    RSD_TRY(add_split(p, RSD_REGEX_ONIGURUMA, "\\s+", REMOVED, false));
    return add_split(p, RSD_REGEX_PCRE2, "[" RSD_WORD_CLASS "]+", ISOLATED, false);
}

static int parse_whitespace_split(const json_t *json, rsd_pretokenizer *p)
{
    (void)json;
    return add_split(p, RSD_REGEX_ONIGURUMA, "\\s", REMOVED, false);
}

static int parse_sequence(const json_t *json, rsd_pretokenizer *p)
{
    const json_t *list = json_object_get(json, "pretokenizers"), *item;
    size_t k;
    if (!json_is_array(list))
        return RSD_FAIL(RSD_EFORMAT, "pre_tokenizer Sequence: 'pretokenizers' is not an array");
    json_array_foreach(list, k, item)
    {
        RSD_TRY(parse_step(item, p));
    }
    return RSD_OK;
}

static const struct kind {
    const char *name;
    int (*parse)(const json_t *json, rsd_pretokenizer *p);
    const char *known[7]; /* members */
} kinds[] = {
    { "ByteLevel", parse_byte_level, { "type", "add_prefix_space", "use_regex", "trim_offsets" } },
    { "Split", parse_split, { "type", "pattern", "behavior", "invert" } },
    { "Metaspace", parse_metaspace,
      { "type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep" } },
    { "Digits", parse_digits, { "type", "individual_digits" } },
    { "Punctuation", parse_punctuation, { "type", "behavior" } },
    { "Whitespace", parse_whitespace, { "type" } },
    { "WhitespaceSplit", parse_whitespace_split, { "type" } },
    { "Sequence", parse_sequence, { "type", "pretokenizers" } },
};

static int parse_step(const json_t *json, rsd_pretokenizer *p)
{
    size_t k;
    RSD_TRY(rsd_json_type(json, "pre_tokenizer", kinds, sizeof kinds / sizeof *kinds,
                          sizeof *kinds, &k));
    RSD_TRY(rsd_json_known(json, kinds[k].name, kinds[k].known));
    return kinds[k].parse(json, p);
}

int rsd_pretokenizer_parse(const json_t *json, rsd_pretokenizer **out)
{
    rsd_pretokenizer *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return RSD_FAIL(RSD_ENOMEM, "pre_tokenizer");
    const int err = !json || json_is_null(json) ? RSD_OK : parse_step(json, p);
    if (err)
        rsd_pretokenizer_free(p);
    else
        *out = p;
    return err;
}

void rsd_pretokenizer_free(rsd_pretokenizer *p)
{
    if (!p)
        return;
    for (size_t k = 0; k < p->count; k++)
        free_step(&p->step[k]);
    free(p->step);
    free(p);
}
