#include "err.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];
static _Thread_local char where[128];

const char *rsd_strerror(int code)
{
#define TEXT(name, text) text,
    static const char *const texts[] = { RSD_ERROR_LIST(TEXT) };
#undef TEXT
    return 0 <= code && code < RSD_NERRORS ? texts[code] : "unknown error";
}

const char *rsd_errmsg(void) { return message; }

const char *rsd_errwhere(void) { return where; }

int rsd_fail_at(const char *file, int line, int code, const char *fmt, ...)
{
    char text[2 * sizeof message]; /* the arguments may point into the old message */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    rsd_printable(text, message, sizeof message); /* names out of files may hold anything */
    const char *slash = strrchr(file, '/');
    snprintf(where, sizeof where, "%s:%d", slash ? slash + 1 : file, line);
    return code;
}

int rsd_fail_prefix(int code, const char *fmt, ...)
{
    enum { HALF = sizeof message / 2 }; /* for each, with room for what stands between */
    char old[HALF - 2], name[HALF], text[2 * HALF];
    va_list ap;
    rsd_printable(message, old, sizeof old);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    rsd_printable(text, name, sizeof name);
    snprintf(message, sizeof message, "%s: %s", name, old);
    return code;
}
