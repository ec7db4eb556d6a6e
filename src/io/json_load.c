#include "io/json_load.h"

#include "alloc.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What is rewritten; each grows by at most two bytes. */
static const char *const words[] = { "-Infinity", "Infinity", "NaN" };

static size_t word_at(const char *text, size_t n)
{
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        const size_t length = strlen(words[k]);
        if (n >= length && memcmp(text, words[k], length) == 0)
            return length;
    }
    return 0;
}

/* Bytes of the string that begins at text[0], quotes and all. */
static size_t string_at(const char *text, size_t n)
{
    size_t i = 1;
    while (i < n && text[i] != '"')
        i += text[i] == '\\' && i + 1 < n ? 2 : 1;
    return i < n ? i + 1 : n;
}

/* Bytes of the number that begins at text[0]; *whole: digits and no more. */
static size_t number_at(const char *text, size_t n, bool *whole)
{
    size_t i = text[0] == '-';
    *whole = true;
    for (; i < n && (isalnum((unsigned char)text[i]) || strchr("+-.", text[i])); i++)
        if (!isdigit((unsigned char)text[i]))
            *whole = false;
    return i;
}

/* Does text[n], a sign perhaps and digits, leave the range of 64 bits? */
static bool is_long(const char *text, size_t n)
{
    static const char most[] = "9223372036854775807";
    const size_t digits = n - (*text == '-'), width = strlen(most);
    return digits > width ||
           (digits == width && memcmp(text + n - digits, most, width) > 0);
}

/* to: room for three times the text. */
static size_t rewrite(const char *text, size_t n, char *to)
{
    char *at = to;
    for (size_t i = 0, used; i < n; i += used) {
        const size_t word = word_at(text + i, n - i);
        bool whole = false;
        const char *before = "", *after = "";
        used = 1;
        if (word) {
            used = word;
            before = after = "\"";
        } else if (text[i] == '"') {
            used = string_at(text + i, n - i);
        } else if (isdigit((unsigned char)text[i]) || text[i] == '-') {
            used = number_at(text + i, n - i, &whole);
            after = whole && is_long(text + i, used) ? "e0" : "";
        }
        at = stpcpy(at, before);
        memcpy(at, text + i, used);
        at = stpcpy(at + used, after);
    }
    return (size_t)(at - to);
}

int rsd_json_load(const char *text, size_t size, json_t **out)
{
    json_error_t why;
    char *plain;
    *out = NULL;
    RSD_TRY(rsd_zeroed(size, 3, &plain));
    const size_t n = rewrite(text, size, plain);
    *out = json_loadb(plain, n, JSON_REJECT_DUPLICATES, &why);
    free(plain);
    if (!*out && json_error_code(&why) == json_error_out_of_memory)
        return RSD_FAIL(RSD_ENOMEM, "JSON of %zu bytes", size);
    return *out ? RSD_OK : RSD_FAIL(RSD_EFORMAT, "line %d: %s", why.line, why.text);
}
