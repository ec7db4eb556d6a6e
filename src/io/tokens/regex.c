#include "io/tokens/regex.h"

#include "alloc.h"
#include "utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

/* Compiled code may use this much stack, the interpreter this much heap (KiB): a long run of one
 * class with backtracking needs it. */
enum { STACK_FIRST = 32 << 10, STACK_MOST = 16 << 20, HEAP_MOST = 1 << 19 };

struct rsd_regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* '$' and '^' match at lines, '.' all but '\n', as in Ruby. */
static pcre2_code *compile(const char *pattern, size_t n, uint32_t syntax, int *why, size_t *at)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return NULL;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, n, PCRE2_UTF | syntax, why, at, context);
    pcre2_compile_context_free(context);
    return code;
}

static int build(rsd_regex *re, rsd_regex_syntax syntax, const char *pattern, size_t n)
{
    const uint32_t flags =
        syntax == RSD_REGEX_LITERAL ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE;
    int why = PCRE2_ERROR_NOMEMORY;
    size_t at = 0;
    uint32_t empty = 0;
    re->code = compile(pattern, n, flags, &why, &at);
    if (!re->code) {
        PCRE2_UCHAR text[128] = "";
        pcre2_get_error_message(why, text, sizeof text);
        return RSD_FAIL(RSD_EFORMAT, "pattern '%.*s': byte %zu: %s", (int)(n > 200 ? 200 : n),
                        pattern, at, (const char *)text);
    }
    pcre2_pattern_info(re->code, PCRE2_INFO_MATCHEMPTY, &empty);
    if (empty)
        return RSD_FAIL(RSD_EFORMAT, "pattern '%.*s' can match nothing: not supported",
                        (int)(n > 200 ? 200 : n), pattern);
    re->match = pcre2_match_data_create(1, NULL);
    re->context = pcre2_match_context_create(NULL);
    if (!re->match || !re->context)
        return RSD_FAIL(RSD_ENOMEM, "pattern");
    pcre2_set_heap_limit(re->context, HEAP_MOST);
    /* Where the system forbids generated code the interpreter answers the same, slower. */
    if (pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0) {
        re->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MOST, NULL);
        if (!re->stack)
            return RSD_FAIL(RSD_ENOMEM, "%d bytes", STACK_MOST);
        pcre2_jit_stack_assign(re->context, NULL, re->stack);
    }
    return RSD_OK;
}

int rsd_regex_compile(rsd_regex_syntax syntax, const char *pattern, size_t n, rsd_regex **out)
{
    char *translated = NULL;
    rsd_regex *re;
    int err = RSD_OK;
    *out = NULL;
    if (rsd_utf8_check((const uint8_t *)pattern, n) != n)
        return RSD_FAIL(RSD_EFORMAT, "a pattern is not UTF-8");
    if (!n)
        return RSD_FAIL(RSD_EFORMAT, "a pattern is empty");
    if (syntax == RSD_REGEX_ONIGURUMA) {
        RSD_TRY(rsd_regex_translate(pattern, n, &translated, &n));
        pattern = translated;
    }
    err = rsd_zeroed(1, sizeof *re, &re);
    if (!err)
        err = build(re, syntax, pattern, n);
    free(translated);
    if (err)
        rsd_regex_free(re);
    else
        *out = re;
    return err;
}

void rsd_regex_free(rsd_regex *re)
{
    if (!re)
        return;
    pcre2_match_data_free(re->match);
    pcre2_match_context_free(re->context);
    pcre2_jit_stack_free(re->stack);
    pcre2_code_free(re->code);
    free(re);
}

int rsd_regex_find(rsd_regex *re, const uint8_t *text, size_t n, size_t from, bool *found,
                   size_t *begin, size_t *end)
{
    int got = pcre2_match(re->code, text, n, from, PCRE2_NO_UTF_CHECK, re->match, re->context);
    if (got == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter keeps its stack on the heap */
        got = pcre2_match(re->code, text, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, re->match,
                          re->context);
    *found = got >= 0;
    if (got < 0 && got != PCRE2_ERROR_NOMATCH) {
        PCRE2_UCHAR why[128] = "";
        pcre2_get_error_message(got, why, sizeof why);
        return RSD_FAIL(RSD_EDOM, "a pattern fails in %zu bytes of text: %s", n, (const char *)why);
    }
    if (*found) {
        const size_t *place = pcre2_get_ovector_pointer(re->match);
        *begin = place[0];
        *end = place[1];
    }
    return RSD_OK;
}
