/* A pre-tokenizer from the JSON that describes it. */
#include "alloc.h"
#include "io/json.h"
#include "io/tokens/pattern.h"
#include "io/tokens/pretokenize.h"
#include "io/tokens/pretokenize_steps.h"

#include <stdlib.h>
#include <string.h>

const char rsd_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static void free_step(rsd_pretokenizer_step *s)
{
    rsd_regex_free(s->pattern);
    rsd_text_free(&s->text);
}

/* Take over a step. */
static int add(rsd_pretokenizer *p, rsd_pretokenizer_step s)
{
    const int err = rsd_grow(&p->step, &p->capacity, p->count + 1, sizeof *p->step);
    if (err)
        free_step(&s);
    else
        p->step[p->count++] = s;
    return err;
}

static int add_split(rsd_pretokenizer *p, rsd_regex_syntax syntax, const char *pattern,
                     rsd_split_behavior b, bool invert)
{
    rsd_pretokenizer_step s = { .kind = RSD_STEP_SPLIT, .behavior = b, .invert = invert };
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
        RSD_TRY(add(p, (rsd_pretokenizer_step){ .kind = RSD_STEP_PREFIX }));
    if (regex)
        RSD_TRY(add_split(p, RSD_REGEX_ONIGURUMA, rsd_gpt2_pattern, RSD_SPLIT_ISOLATED, false));
    return add(p, (rsd_pretokenizer_step){ .kind = RSD_STEP_BYTES });
}

static int parse_behavior(const json_t *json, const char *what, rsd_split_behavior *b)
{
    static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    const char *name;
    size_t n;
    RSD_TRY(rsd_json_string(json, what, "behavior", &name, &n));
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(names[k], name) == 0) {
            *b = (rsd_split_behavior)k;
            return RSD_OK;
        }
    return RSD_FAIL(RSD_EFORMAT, "%s: behavior '%s' is not supported", what, name);
}

static int parse_split(const json_t *json, rsd_pretokenizer *p)
{
    rsd_pretokenizer_step s = { .kind = RSD_STEP_SPLIT };
    RSD_TRY(parse_behavior(json, "Split", &s.behavior));
    RSD_TRY(rsd_json_flag(json, "Split", "invert", &s.invert));
    RSD_TRY(rsd_pattern_read(json, "Split", &s.pattern));
    return add(p, s);
}

/* Older files say add_prefix_space where newer ones have a scheme. */
static int parse_scheme(const json_t *json, rsd_meta_scheme *out)
{
    static const char *const names[] = { "always", "first", "never" };
    const char *name;
    size_t n;
    bool prefix = true;
    RSD_TRY(rsd_json_flag(json, "Metaspace", "add_prefix_space", &prefix));
    *out = prefix ? RSD_META_ALWAYS : RSD_META_NEVER;
    if (rsd_json_absent(json, "prepend_scheme"))
        return RSD_OK;
    RSD_TRY(rsd_json_string(json, "Metaspace", "prepend_scheme", &name, &n));
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(names[k], name) == 0) {
            *out = (rsd_meta_scheme)k;
            return RSD_OK;
        }
    return RSD_FAIL(RSD_EFORMAT, "Metaspace: prepend_scheme '%s' is not supported", name);
}

static int parse_metaspace(const json_t *json, rsd_pretokenizer *p)
{
    rsd_pretokenizer_step s = { .kind = RSD_STEP_META };
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
    return split ? add_split(p, RSD_REGEX_LITERAL, meta, RSD_SPLIT_MERGED_WITH_NEXT, false)
                 : RSD_OK;
}

static int parse_digits(const json_t *json, rsd_pretokenizer *p)
{
    bool individual = false;
    RSD_TRY(rsd_json_flag(json, "Digits", "individual_digits", &individual));
    return add_split(p, RSD_REGEX_PCRE2, "\\p{N}",
                     individual ? RSD_SPLIT_ISOLATED : RSD_SPLIT_CONTIGUOUS, false);
}

static int parse_punctuation(const json_t *json, rsd_pretokenizer *p)
{
    rsd_split_behavior b = RSD_SPLIT_ISOLATED;
    if (!rsd_json_absent(json, "behavior"))
        RSD_TRY(parse_behavior(json, "Punctuation", &b));
    return add_split(p, RSD_REGEX_PCRE2, "[\\p{P}!-/:-@\\[-`{-~]", b, false);
}

static int parse_whitespace(const json_t *json, rsd_pretokenizer *p)
{
    (void)json;
    RSD_TRY(add_split(p, RSD_REGEX_ONIGURUMA, "\\s+", RSD_SPLIT_REMOVED, false));
    return add_split(p, RSD_REGEX_PCRE2, "[" RSD_WORD_CLASS "]+", RSD_SPLIT_ISOLATED, false);
}

static int parse_whitespace_split(const json_t *json, rsd_pretokenizer *p)
{
    (void)json;
    return add_split(p, RSD_REGEX_ONIGURUMA, "\\s", RSD_SPLIT_REMOVED, false);
}

static int parse_sequence(const json_t *json, rsd_pretokenizer *p)
{
    const json_t *list = json_object_get(json, "pretokenizers"), *item;
    size_t k;
    if (!json_is_array(list))
        return RSD_FAIL(RSD_EFORMAT, "pre_tokenizer Sequence: 'pretokenizers' is not an array");
    json_array_foreach(list, k, item) { RSD_TRY(parse_step(item, p)); }
    return RSD_OK;
}

static const struct kind {
    const char *name;
    int (*parse)(const json_t *json, rsd_pretokenizer *p);
    const char *known[7]; /* members */
} kinds[] = {
    { "ByteLevel", parse_byte_level, { "type", "add_prefix_space", "use_regex", "trim_offsets" } },
    { "Split", parse_split, { "type", "pattern", "behavior", "invert" } },
    { "Metaspace",
      parse_metaspace,
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
    RSD_TRY(rsd_json_type(json, "pre_tokenizer", kinds, sizeof kinds / sizeof *kinds, sizeof *kinds,
                          &k));
    RSD_TRY(rsd_json_known(json, kinds[k].name, kinds[k].known));
    return kinds[k].parse(json, p);
}

int rsd_pretokenizer_parse(const json_t *json, rsd_pretokenizer **out)
{
    rsd_pretokenizer *p;
    *out = NULL;
    RSD_TRY(rsd_zeroed(1, sizeof *p, &p));
    const int err = !json || json_is_null(json) ? RSD_OK : parse_step(json, p);
    if (err)
        rsd_pretokenizer_free(p);
    else
        *out = p;
    return err;
}

bool rsd_pretokenizer_knows_start(const rsd_pretokenizer *p)
{
    for (size_t k = 0; k < p->count; k++)
        if (p->step[k].kind == RSD_STEP_META && p->step[k].scheme == RSD_META_FIRST)
            return true;
    return false;
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
