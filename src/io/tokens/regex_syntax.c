/* Oniguruma's syntax as PCRE2's.  Facts about Oniguruma were read off its answers for every code
 * point: \s is White_Space (PCRE2's also has U+180E), \w is Alphabetic, M, Nd, Pc and, outside of
 * classes only, the superscripts and fractions of Latin-1; \p{Han} is the script (PCRE2's: script
 * extensions).  Without brackets. */
#include "alloc.h"
#include "io/tokens/regex.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define SPACES                                                                                     \
    "\\t-\\r\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"   \
    "\\x{3000}"
#define WORDS     "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define FRACTIONS "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

typedef struct {
    const char *pattern, *at, *end;
    char *out;
    size_t size, capacity;
} translation;

/* Nothing that is read becomes longer than this. */
enum { LONGEST = sizeof SPACES + 8 };

static void put(translation *t, const char *s, size_t n)
{
    memcpy(t->out + t->size, s, n);
    t->size += n;
}

static void put_text(translation *t, const char *s) { put(t, s, strlen(s)); }

/* Pass n bytes of the pattern on. */
static void pass(translation *t, size_t n)
{
    put(t, t->at, n);
    t->at += n;
}

static bool next_is(const translation *t, const char *s)
{
    const size_t n = strlen(s);
    return (size_t)(t->end - t->at) >= n && memcmp(t->at, s, n) == 0;
}

static int refuse(const translation *t, size_t n, const char *why)
{
    const size_t left = (size_t)(t->end - t->at), all = (size_t)(t->end - t->pattern);
    return RSD_FAIL(RSD_EFORMAT, "pattern '%.*s': '%.*s' at its byte %zu is not supported%s",
                    (int)(all > 200 ? 200 : all), t->pattern, (int)(n < left ? n : left), t->at,
                    (size_t)(t->at - t->pattern), why);
}

static bool is_digit(char c) { return '0' <= c && c <= '9'; }
static bool is_letter(char c) { return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z'); }
static bool is_hex(char c)
{
    return is_digit(c) || ('a' <= c && c <= 'f') || ('A' <= c && c <= 'F');
}

/* Digits that satisfy is, from at on. */
static size_t span(const translation *t, const char *at, bool (*is)(char))
{
    size_t n = 0;
    while (at + n < t->end && is(at[n]))
        n++;
    return n;
}

/* \p{Lu} \P{^L} \p{Han}: one or two letters name a general category, more a script. */
static int property(translation *t)
{
    const char *name = t->at + 2;
    if (name < t->end && *name == '{')
        name++;
    else
        return refuse(t, 3, " (a name in braces expected)");
    const bool negated = name < t->end && *name == '^';
    name += negated;
    const size_t n = span(t, name, is_letter);
    if (!n || name + n >= t->end || name[n] != '}' || n > 32)
        return refuse(t, (size_t)(name - t->at) + n + 1, "");
    put(t, t->at, 2);
    put_text(t, negated ? "{^" : "{");
    put_text(t, n > 2 ? "sc:" : "");
    put(t, name, n);
    put_text(t, "}");
    t->at = name + n + 1;
    return RSD_OK;
}

/* \x{H...}, \xHH of ASCII (Oniguruma takes higher ones for bytes), \uHHHH. */
static int code_point(translation *t)
{
    const bool braces = t->at[1] == 'x' && t->at + 2 < t->end && t->at[2] == '{';
    const char *digits = t->at + 2 + braces;
    size_t n = span(t, digits, is_hex);
    const size_t wanted = t->at[1] == 'u' ? 4 : 2;
    if (braces && (n < 1 || n > 6 || digits + n >= t->end || digits[n] != '}'))
        return refuse(t, n + 4, "");
    if (!braces && (n < wanted || (wanted == 2 && digits[0] > '7')))
        return refuse(t, 2 + wanted, "");
    n = braces ? n : wanted;
    put_text(t, "\\x{");
    put(t, digits, n);
    put_text(t, "}");
    t->at = digits + n + braces;
    return RSD_OK;
}

/* Escapes that stand for a set.  A set cannot begin a range. */
static int set_escape(translation *t, bool in_class)
{
    switch (t->at[1]) {
    case 's':
        put_text(t, in_class ? SPACES : "[" SPACES "]");
        break;
    case 'w':
        put_text(t, in_class ? WORDS : "[" WORDS FRACTIONS "]");
        break;
    case 'S': /* in a class PCRE2's own, which lacks one character */
        put_text(t, in_class ? "\\S\\x{180e}" : "[^" SPACES "]");
        break;
    case 'W':
        if (in_class)
            return refuse(t, 2, " in a class");
        put_text(t, "[^" WORDS FRACTIONS "]");
        break;
    default:
        put_text(t, t->at[1] == 'd' ? "\\p{Nd}" : "\\P{Nd}");
    }
    t->at += 2;
    return RSD_OK;
}

static int escape(translation *t, bool in_class)
{
    if (t->end - t->at < 2)
        return refuse(t, 1, " at the end");
    const char c = t->at[1];
    int err = RSD_OK;
    if (c & 0x80) { /* a character that needs no escape */
        t->at++;
        pass(t, rsd_utf8_length((const uint8_t *)t->at));
        return RSD_OK;
    }
    if (c && strchr("sSwWdDpP", c)) {
        err = c == 'p' || c == 'P' ? property(t) : set_escape(t, in_class);
        if (!err && in_class && next_is(t, "-") && !next_is(t, "-]"))
            err = refuse(t, 1, " after a set");
        return err;
    }
    if (c == 'x' || c == 'u')
        return code_point(t);
    if (c == 'v') { /* vertical tab; PCRE2's is all vertical space */
        put_text(t, "\\x0b");
        t->at += 2;
        return RSD_OK;
    }
    const char *same = in_class ? "nrtfea" : "nrtfeaAzZ";
    if (c < ' ' || is_digit(c) || (is_letter(c) && !strchr(same, c)))
        return refuse(t, 2, "");
    pass(t, 2);
    return RSD_OK;
}

static int class(translation *t)
{
    pass(t, next_is(t, "[^") ? 2 : 1);
    if (next_is(t, "]"))
        return refuse(t, 1, " as first of a class");
    while (t->at < t->end && *t->at != ']') {
        if (*t->at == '\\')
            RSD_TRY(escape(t, true));
        else if (*t->at == '[' || next_is(t, "&&"))
            return refuse(t, 2, " in a class");
        else
            pass(t, 1);
    }
    if (t->at == t->end)
        return RSD_FAIL(RSD_EFORMAT, "pattern '%.200s': a class is not closed", t->pattern);
    pass(t, 1);
    return RSD_OK;
}

static int group(translation *t)
{
    static const char *const openings[] = { "(?:",  "(?=",  "(?!",  "(?>",
                                            "(?<=", "(?<!", "(?i:", "(?-i:" };
    if (!next_is(t, "(?") && !next_is(t, "(*")) {
        pass(t, 1);
        return RSD_OK;
    }
    for (size_t k = 0; k < sizeof openings / sizeof *openings; k++)
        if (next_is(t, openings[k])) {
            pass(t, strlen(openings[k]));
            return RSD_OK;
        }
    if (t->at == t->pattern && next_is(t, "(?i)")) { /* elsewhere Ruby's reaches over '|' */
        pass(t, 4);
        return RSD_OK;
    }
    return refuse(t, 4, "");
}

/* {n} {n,} {n,m}, or a brace that stands for itself.  After it '+' repeats in Ruby and is
 * possessive in PCRE2; {n}? is optional in Ruby and lazy in PCRE2. */
static int interval(translation *t)
{
    size_t n = span(t, t->at + 1, is_digit);
    const bool range = n && t->at + 1 + n < t->end && t->at[1 + n] == ',';
    if (next_is(t, "{,"))
        return refuse(t, 2, "");
    if (range)
        n += 1 + span(t, t->at + 2 + n, is_digit);
    if (!n || t->at + 1 + n >= t->end || t->at[1 + n] != '}') {
        put_text(t, "\\");
        pass(t, 1);
        return RSD_OK;
    }
    pass(t, n + 2);
    if (next_is(t, "+") || (!range && next_is(t, "?")))
        return refuse(t, 1, " after an interval");
    return RSD_OK;
}

int rsd_regex_translate(const char *pattern, size_t n, char **out, size_t *size)
{
    translation t = { pattern, pattern, pattern + n, NULL, 0, 0 };
    int err = RSD_OK;
    *out = NULL;
    RSD_TRY(rsd_zeroed(n + 1, LONGEST, &t.out));
    while (t.at < t.end && !err)
        switch (*t.at) {
        case '\\':
            err = escape(&t, false);
            break;
        case '[':
            err = class(&t);
            break;
        case '(':
            err = group(&t);
            break;
        case '{':
            err = interval(&t);
            break;
        default:
            pass(&t, 1);
        }
    if (err) {
        free(t.out);
        return err;
    }
    *out = t.out;
    *size = t.size;
    return RSD_OK;
}
