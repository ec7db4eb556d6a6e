/* Printing texts that come out of files. */
#include "cli/printable.h"

#include "alloc.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* A copy as it is shown.  Where memory is out what fits into the caller's bytes must do. */
static char *shown(const char *text, char *spare, size_t size)
{
    const size_t n = rsd_printable(text, spare, size);
    char *copy = n < size ? NULL : malloc(n + 1);
    if (copy)
        rsd_printable(text, copy, n + 1);
    return copy;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (const uint8_t *s = (const uint8_t *)text; *s; s += rsd_utf8_length(s))
        n++;
    return n;
}

void printable_put(FILE *f, const char *text, size_t width)
{
    char spare[512], *copy = shown(text, spare, sizeof spare);
    const size_t n = characters(copy ? copy : spare);
    fprintf(f, "%s%*s", copy ? copy : spare, n < width ? (int)(width - n) : 0, "");
    free(copy);
}

int printable_copy(const char *text, char **out)
{
    const size_t size = rsd_printable(text, NULL, 0) + 1;
    RSD_TRY(rsd_zeroed(size, 1, out));
    rsd_printable(text, *out, size);
    return RSD_OK;
}

size_t printable_width(const char *text)
{
    char spare[512], *copy = shown(text, spare, sizeof spare);
    const size_t n = characters(copy ? copy : spare);
    free(copy);
    return n;
}
