#include "quantizers/label.h"

#include "quantizers/quantizer.h"

#include <stdio.h>
#include <string.h>

/* Is key=value, `len` bytes at item, among the items of a list with commas? */
static bool holds(const char *list, const char *item, size_t len)
{
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == len && strncmp(p, item, len) == 0)
            return true;
    return false;
}

static const char *keys_of(const char *canonical)
{
    const char *colon = strchr(canonical, ':');
    return colon ? colon + 1 : "";
}

/* "nf4" and the keys of canonical that nf4 itself does not stand for.  False where that is no text
 * for canonical, or takes back what the name says ("nf4:bits=3"). */
static bool abbreviate(const char *name, const char *says, const char *canonical, char *out,
                       size_t size)
{
    rsd_spec spec;
    const char *keys = keys_of(canonical);
    for (const char *p = says; *p; p += strcspn(p, ","), p += *p == ',')
        if (!holds(keys, p, strcspn(p, ",")))
            return false;
    if (rsd_spec_parse(name, &spec))
        return false;

    size_t used = (size_t)snprintf(out, size, "%s", name);
    char mark = ':';
    for (const char *p = keys; *p && used < size; p += strcspn(p, ","), p += *p == ',') {
        const size_t len = strcspn(p, ",");
        if (holds(keys_of(spec.text), p, len))
            continue;
        used += (size_t)snprintf(out + used, size - used, "%c%.*s", mark, (int)len, p);
        mark = ',';
    }
    return used < size && !rsd_spec_parse(out, &spec) && strcmp(spec.text, canonical) == 0;
}

char *rsd_spec_label(const char *canonical)
{
    char best[RSD_SPEC_MAX] = "", text[RSD_SPEC_MAX] = "";
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        /* "nf" is shorter than "nf4", but says less: names count where no alias fits. */
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++)
            if (abbreviate(a->alias, a->params, canonical, text, sizeof text) &&
                (!*best || strlen(text) < strlen(best)))
                memcpy(best, text, sizeof best);
        if (!*best && abbreviate((*q)->name, "", canonical, text, sizeof text))
            memcpy(best, text, sizeof best);
    }
    return strdup(*best ? best : canonical);
}
