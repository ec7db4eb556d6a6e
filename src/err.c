#include "err.h"

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

/* Messages carry names out of files; keep them on one line whatever those hold. */
static void one_line(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            *s = '?';
}

int rsd_fail_at(const char *file, int line, int code, const char *fmt, ...)
{
    char text[sizeof message]; /* the arguments may point into the old message */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    one_line(text);
    memcpy(message, text, sizeof message);
    const char *slash = strrchr(file, '/');
    snprintf(where, sizeof where, "%s:%d", slash ? slash + 1 : file, line);
    return code;
}

int rsd_fail_prefix(int code, const char *fmt, ...)
{
    char old[sizeof message], name[sizeof message / 2];
    va_list ap;
    memcpy(old, message, sizeof old);
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    one_line(name);
    snprintf(message, sizeof message, "%s: %.*s", name, (int)(sizeof message / 2 - 3), old);
    return code;
}
