#include "io/tokens/normalize.h"

#include "alloc.h"
#include "io/json.h"
#include "io/tokens/pattern.h"
#include "io/tokens/regex.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

typedef struct step {
    int (*apply)(const struct step *s, rsd_piece in, rsd_text *out);
    rsd_regex *pattern;       /* Replace */
    char *content;            /* Replace, Prepend */
    size_t n;                 /* its bytes */
    bool left, right;         /* Strip */
    utf8proc_option_t option; /* NFC ... */
} step;

struct rsd_normalizer {
    step *step;
    size_t count, capacity;
    rsd_text text[2]; /* what the last step and the one before it wrote */
};

/* ---- what the steps do ---- */

/* Normalize one run and append it. */
static int normalize_run(const step *s, rsd_piece run, rsd_text *out)
{
    utf8proc_uint8_t *text = NULL;
    const utf8proc_ssize_t n =
        utf8proc_map(run.byte, (utf8proc_ssize_t)run.n, &text, s->option | UTF8PROC_STABLE);
    if (n < 0)
        return RSD_FAIL(n == UTF8PROC_ERROR_NOMEM ? RSD_ENOMEM : RSD_EDOM,
                        "Unicode normalization of %zu bytes: %s", run.n, utf8proc_errmsg(n));
    const int err = rsd_text_put(out, text, (size_t)n, rsd_piece_origin(run, 0));
    free(text);
    return err;
}

/* Where the ASCII that begins at i ends, not counting a last character that something beyond ASCII
 * follows and may combine with. */
static size_t ascii_end(rsd_piece in, size_t i)
{
    const size_t begin = i;
    while (i < in.n && in.byte[i] < 0x80)
        i++;
    return i < in.n && i > begin ? i - 1 : i;
}

/* An ASCII character never combines with what is before it, so that text falls into ASCII, which no
 * form changes, and runs of one ASCII character at most with all beyond ASCII that follows. */
static int apply_form(const step *s, rsd_piece in, rsd_text *out)
{
    for (size_t i = 0, end; i < in.n; i = end) {
        end = ascii_end(in, i);
        if (end > i) {
            RSD_TRY(rsd_text_append(out, rsd_piece_cut(in, i, end)));
            continue;
        }
        for (end = i + 1; end < in.n && in.byte[end] >= 0x80;)
            end++;
        RSD_TRY(normalize_run(s, rsd_piece_cut(in, i, end), out));
    }
    return RSD_OK;
}

/* Character by character, without context: a final sigma is like any other. */
static int apply_lowercase(const step *s, rsd_piece in, rsd_text *out)
{
    (void)s;
    for (size_t i = 0; i < in.n; i += rsd_utf8_length(in.byte + i)) {
        const uint32_t c = rsd_utf8_decode(in.byte + i);
        uint8_t lower[4];
        if (c == 0x130) { /* the one character whose lower case is two */
            RSD_TRY(rsd_text_put(out, "i\u0307", 3, rsd_piece_origin(in, i)));
            continue;
        }
        const size_t n = rsd_utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), lower);
        RSD_TRY(rsd_text_put(out, lower, n, rsd_piece_origin(in, i)));
    }
    return RSD_OK;
}

static int apply_strip(const step *s, rsd_piece in, rsd_text *out)
{
    size_t begin, end;
    rsd_piece_strip(in, s->left, s->right, &begin, &end);
    return rsd_text_append(out, rsd_piece_cut(in, begin, end));
}

static int apply_prepend(const step *s, rsd_piece in, rsd_text *out)
{
    if (!in.n)
        return RSD_OK;
    RSD_TRY(rsd_text_put(out, s->content, s->n, rsd_piece_origin(in, 0)));
    return rsd_text_append(out, in);
}

static int apply_replace(const step *s, rsd_piece in, rsd_text *out)
{
    size_t from = 0, begin, end;
    bool found;
    for (; from < in.n; from = end) {
        RSD_TRY(rsd_regex_find(s->pattern, in.byte, in.n, from, &found, &begin, &end));
        if (!found)
            break;
        RSD_TRY(rsd_text_append(out, rsd_piece_cut(in, from, begin)));
        RSD_TRY(rsd_text_put(out, s->content, s->n, rsd_piece_origin(in, begin)));
    }
    return rsd_text_append(out, rsd_piece_cut(in, from, in.n));
}

int rsd_normalizer_run(rsd_normalizer *n, rsd_piece in, rsd_piece *out)
{
    *out = in;
    for (size_t k = 0; k < n->count && out->n; k++) { /* nothing becomes nothing */
        rsd_text *text = &n->text[k % 2];
        text->n = 0;
        RSD_TRY(n->step[k].apply(&n->step[k], *out, text));
        *out = rsd_text_piece(text, in.first);
    }
    return RSD_OK;
}

/* ---- reading them ---- */

static int parse_step(const json_t *json, rsd_normalizer *n);

static int parse_form(const json_t *json, rsd_normalizer *n, step *s)
{
    static const struct {
        const char *name;
        int option;
    } forms[] = { { "NFC", UTF8PROC_COMPOSE },
                  { "NFD", UTF8PROC_DECOMPOSE },
                  { "NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT },
                  { "NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT } };
    size_t k;
    (void)n;
    RSD_TRY(
        rsd_json_type(json, "normalizer", forms, sizeof forms / sizeof *forms, sizeof *forms, &k));
    s->apply = apply_form;
    s->option = (utf8proc_option_t)forms[k].option;
    return RSD_OK;
}

static int parse_lowercase(const json_t *json, rsd_normalizer *n, step *s)
{
    (void)json;
    (void)n;
    s->apply = apply_lowercase;
    return RSD_OK;
}

static int parse_strip(const json_t *json, rsd_normalizer *n, step *s)
{
    (void)n;
    s->apply = apply_strip;
    s->left = s->right = true;
    RSD_TRY(rsd_json_flag(json, "normalizer Strip", "strip_left", &s->left));
    return rsd_json_flag(json, "normalizer Strip", "strip_right", &s->right);
}

static int parse_content(const json_t *json, const char *what, const char *key, step *s)
{
    const char *text;
    RSD_TRY(rsd_json_string(json, what, key, &text, &s->n));
    RSD_TRY(rsd_zeroed(s->n, 1, &s->content));
    memcpy(s->content, text, s->n);
    return RSD_OK;
}

static int parse_prepend(const json_t *json, rsd_normalizer *n, step *s)
{
    (void)n;
    s->apply = apply_prepend;
    return parse_content(json, "normalizer Prepend", "prepend", s);
}

static int parse_replace(const json_t *json, rsd_normalizer *n, step *s)
{
    (void)n;
    s->apply = apply_replace;
    RSD_TRY(rsd_pattern_read(json, "normalizer Replace", &s->pattern));
    return parse_content(json, "normalizer Replace", "content", s);
}

static int parse_sequence(const json_t *json, rsd_normalizer *n, step *s)
{
    const json_t *list = json_object_get(json, "normalizers"), *item;
    size_t k;
    (void)s;
    if (!json_is_array(list))
        return RSD_FAIL(RSD_EFORMAT, "normalizer Sequence: 'normalizers' is not an array");
    json_array_foreach(list, k, item) { RSD_TRY(parse_step(item, n)); }
    return RSD_OK;
}

static const struct kind {
    const char *name;
    int (*parse)(const json_t *json, rsd_normalizer *n, step *s);
    const char *known[4]; /* members */
} kinds[] = {
    { "NFC", parse_form, { "type" } },
    { "NFD", parse_form, { "type" } },
    { "NFKC", parse_form, { "type" } },
    { "NFKD", parse_form, { "type" } },
    { "Lowercase", parse_lowercase, { "type" } },
    { "Strip", parse_strip, { "type", "strip_left", "strip_right" } },
    { "Prepend", parse_prepend, { "type", "prepend" } },
    { "Replace", parse_replace, { "type", "pattern", "content" } },
    { "Sequence", parse_sequence, { "type", "normalizers" } },
};

static void free_step(step *s)
{
    rsd_regex_free(s->pattern);
    free(s->content);
}

static int parse_step(const json_t *json, rsd_normalizer *n)
{
    step s = { 0 };
    size_t k;
    RSD_TRY(
        rsd_json_type(json, "normalizer", kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &k));
    RSD_TRY(rsd_json_known(json, kinds[k].name, kinds[k].known));
    int err = kinds[k].parse(json, n, &s);
    if (!err && s.apply) /* a sequence has put its own members */
        err = rsd_grow(&n->step, &n->capacity, n->count + 1, sizeof *n->step);
    if (err)
        free_step(&s);
    else if (s.apply)
        n->step[n->count++] = s;
    return err;
}

int rsd_normalizer_parse(const json_t *json, rsd_normalizer **out)
{
    rsd_normalizer *n;
    *out = NULL;
    RSD_TRY(rsd_zeroed(1, sizeof *n, &n));
    const int err = !json || json_is_null(json) ? RSD_OK : parse_step(json, n);
    if (err)
        rsd_normalizer_free(n);
    else
        *out = n;
    return err;
}

bool rsd_normalizer_moves_start(const rsd_normalizer *n)
{
    for (size_t k = 0; k < n->count; k++)
        if (n->step[k].apply == apply_strip || n->step[k].apply == apply_prepend)
            return true;
    return false;
}

void rsd_normalizer_free(rsd_normalizer *n)
{
    if (!n)
        return;
    for (size_t k = 0; k < n->count; k++)
        free_step(&n->step[k]);
    free(n->step);
    rsd_text_free(&n->text[0]);
    rsd_text_free(&n->text[1]);
    free(n);
}
