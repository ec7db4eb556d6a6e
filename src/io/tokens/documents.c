#include "io/tokens/documents.h"

#include "io/tokens/text.h"

#include <string.h>

/* The first separator in bytes [from, n), or n. */
static size_t find_separator(const rsd_documents *d, size_t from)
{
    const size_t length = strlen(d->separator);
    const uint8_t *at =
        length && from < d->n ? memmem(d->text + from, d->n - from, d->separator, length) : NULL;
    return at ? (size_t)(at - d->text) : d->n;
}

int rsd_documents_open(const uint8_t *text, size_t n, const char *separator, rsd_documents *out)
{
    const size_t valid = rsd_utf8_check(text, n);
    if (valid < n)
        return RSD_FAIL(RSD_EDOM, "the text is not UTF-8: byte %zu is 0x%02x", valid, text[valid]);
    *out = (rsd_documents){ text, n, 0, separator ? separator : "", false };
    out->divided = find_separator(out, 0) < n;
    return RSD_OK;
}

bool rsd_documents_next(rsd_documents *d, const uint8_t **document, size_t *n)
{
    while (d->at < d->n) {
        const size_t end = find_separator(d, d->at);
        const rsd_piece all = { d->text + d->at, NULL, end - d->at, 0, true };
        size_t first = 0, last = all.n;
        if (d->divided)
            rsd_piece_strip(all, true, true, &first, &last);
        d->at = end < d->n ? end + strlen(d->separator) : d->n;
        *document = all.byte + first;
        *n = last - first;
        if (*n)
            return true;
    }
    return false;
}
