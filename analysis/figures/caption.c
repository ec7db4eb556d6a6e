/* Texts that fit: shortened, measured, made names of files. */
#include "figures/caption.h"

#include "utf8.h"

#include <stdbool.h>
#include <string.h>

/* First bytes of characters are those that are no continuation, 10xxxxxx. */
static bool starts(char c) { return ((unsigned char)c & 0xC0) != 0x80; }

static size_t length(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += starts(*text);
    return n;
}

/* Four classes are enough to set words beside each other. */
double caption_width(const char *text)
{
    double width = 0;
    for (; *text; text++)
        if (strchr(" ijltfr.,:;|'!()[]/", *text))
            width += 0.36;
        else if (strchr("mMW@%", *text))
            width += 0.97;
        else if ((*text >= 'A' && *text <= 'Z') || *text == '=' || *text == 'w')
            width += 0.8;
        else
            width += starts(*text) ? 0.62 : 0;
    return width;
}

void caption_shorten(const char *text, size_t width, char *out, size_t size)
{
    static const char ellipsis[] = "…";
    size_t skip = length(text), used = 0;
    if (skip > width && size > sizeof ellipsis) {
        for (skip = skip - width + 1; *text && (skip > 0 || !starts(*text)); text++)
            skip -= starts(*text);
        used = (size_t)(stpcpy(out, ellipsis) - out);
    }
    rsd_printable(text, out + used, size - used);
}

void caption_file_name(char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789._-";
    for (; *text; text++)
        if (!strchr(plain, *text))
            *text = '-';
}
