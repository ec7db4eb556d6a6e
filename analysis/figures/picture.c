/* Files of pictures: is one whole? */
#include "figures/picture.h"

#include "io/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *picture_suffix(picture_format format)
{
    static const char *const words[] = { "png", "svg", "pdf" };
    return words[format];
}

static bool begins(const rsd_map *m, const char *with, size_t n)
{
    return m->size >= n && memcmp(m->data, with, n) == 0;
}

/* Ends in the word, but for white space. */
static bool ends(const rsd_map *m, const char *word)
{
    const size_t n = strlen(word);
    size_t size = m->size;
    while (size && isspace(m->data[size - 1]))
        size--;
    return size >= n && memcmp(m->data + size - n, word, n) == 0;
}

/* Signature, then chunks of length, name, data and checksum, the last of them IEND. */
static const char *missing_png(const rsd_map *m)
{
    enum { SIGNATURE = 8, AROUND = 12 };
    if (!begins(m, "\x89PNG\r\n\x1a\n", SIGNATURE))
        return "no PNG signature at its beginning";
    for (size_t at = SIGNATURE; m->size - at >= AROUND;) {
        const uint8_t *p = m->data + at;
        const size_t length =
            (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | (size_t)p[3];
        if (length > m->size - at - AROUND)
            break;
        at += length + AROUND;
        if (memcmp(p + 4, "IEND", 4) == 0)
            return at == m->size ? NULL : "bytes behind its IEND chunk";
    }
    return "no IEND chunk at its end";
}

static const char *missing_svg(const rsd_map *m)
{
    if (!begins(m, "<?xml", 5) && !begins(m, "<svg", 4))
        return "no XML at its beginning";
    return ends(m, "</svg>") ? NULL : "no </svg> at its end";
}

/* "startxref", the table's offset and "%%EOF" are the last three lines. */
static const char *missing_pdf(const rsd_map *m)
{
    enum { TAIL = 64 };
    char tail[TAIL + 1];
    const size_t n = m->size < TAIL ? m->size : TAIL;
    if (!begins(m, "%PDF-", 5))
        return "no PDF header at its beginning";
    if (!ends(m, "%%EOF"))
        return "no %%EOF at its end";
    memcpy(tail, m->data + m->size - n, n);
    tail[n] = 0;
    const char *word = strstr(tail, "startxref");
    const size_t at = word ? strtoul(word + strlen("startxref"), NULL, 10) : SIZE_MAX;
    /* a table, or a stream, which is an object with a number */
    const bool there =
        at < m->size - 4 && (memcmp(m->data + at, "xref", 4) == 0 || isdigit(m->data[at]));
    return there ? NULL : "no table of objects where its trailer says";
}

int picture_check(picture_format format, const char *path)
{
    static const char *(*const missing[])(const rsd_map *) = {
        [PICTURE_PNG] = missing_png, [PICTURE_SVG] = missing_svg, [PICTURE_PDF] = missing_pdf
    };
    rsd_map map;
    RSD_TRY(rsd_map_open(path, &map));
    const char *what = map.size ? missing[format](&map) : "nothing in it";
    const int err =
        what ? RSD_FAIL(RSD_EFORMAT, "the picture of %zu bytes has %s", map.size, what) : RSD_OK;
    rsd_map_close(&map);
    return err;
}
