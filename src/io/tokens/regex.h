/* Private to src/io: regular expressions of tokenizer.json, by PCRE2.
 *
 * They are written for Oniguruma's Ruby syntax, which differs from PCRE2's: what means the same is
 * passed on, what means something else is rewritten (\s \w \S, \p{Han}, \uHHHH), and what has no
 * equivalent or is not known to have one is refused by name.  Character classes follow the Unicode
 * version of the PCRE2 at hand (14 in 10.42): characters assigned since are unassigned here. */
#ifndef RSD_IO_REGEX_H
#define RSD_IO_REGEX_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsd_regex rsd_regex;

typedef enum {
    RSD_REGEX_ONIGURUMA, /* as in tokenizer.json */
    RSD_REGEX_PCRE2,     /* as PCRE2 reads it: our own */
    RSD_REGEX_LITERAL    /* the text itself */
} rsd_regex_syntax;

/* What the reference takes for a word's characters where no expression of the file says so
 * (Whitespace, single_word): UTS 18's \w, for a class in PCRE2's syntax. */
#define RSD_WORD_CLASS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"

/* Errors: RSD_EFORMAT for what is not valid UTF-8, not supported, malformed, or could match the
 * empty string (which splits text everywhere), with the pattern and the place. */
RSD_CHECK int rsd_regex_compile(rsd_regex_syntax syntax, const char *pattern, size_t n,
                                rsd_regex **out);
void rsd_regex_free(rsd_regex *re);

/* The leftmost match in bytes [from, n) of checked UTF-8 text, *found, and its place; what lies
 * before from is seen by assertions.  Not for two threads at once.
 * Errors: RSD_EDOM where a pattern takes more steps or memory than PCRE2 allows. */
RSD_CHECK int rsd_regex_find(rsd_regex *re, const uint8_t *text, size_t n, size_t from, bool *found,
                             size_t *begin, size_t *end);

/* Oniguruma's Ruby syntax as PCRE2's, allocated; size in *size.  Errors: RSD_EFORMAT. */
RSD_CHECK int rsd_regex_translate(const char *pattern, size_t n, char **out, size_t *size);

#endif
