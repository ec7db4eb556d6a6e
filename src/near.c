#include "near.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 63, LETTER = 2, DIGIT = 1 };

/* What counts of a name: small letters, without what joins its words. */
static bool simplify(const char *name, char out[LONGEST + 1])
{
    size_t n = 0;
    for (; *name; name++) {
        if (strchr("-_ ", *name))
            continue;
        if (n == LONGEST)
            return false;
        out[n++] = (char)tolower((unsigned char)*name);
    }
    out[n] = 0;
    return n > 0;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t replaced(char a, char b)
{
    if (a == b)
        return 0;
    return isdigit((unsigned char)a) && isdigit((unsigned char)b) ? DIGIT : LETTER;
}

/* Optimal string alignment: three rows of the table are enough, of which the oldest serves swaps.
 * Source: Damerau, CACM 7 (1964) 171. */
static size_t distance(const char *a, const char *b)
{
    size_t row[3][LONGEST + 1] = { { 0 } };
    const size_t n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[0][j] = j * LETTER;
    size_t i = 1;
    for (; a[i - 1]; i++) {
        size_t *now = row[i % 3];
        const size_t *before = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        now[0] = i * LETTER;
        for (size_t j = 1; j <= n; j++) {
            now[j] = least(before[j], now[j - 1]) + LETTER;
            now[j] = least(now[j], before[j - 1] + replaced(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], older[j - 2] + LETTER);
        }
    }
    return row[(i + 2) % 3][n];
}

void rsd_near_try(rsd_near *near, const char *name)
{
    enum { BEGINS = 3 };
    char word[LONGEST + 1], known[LONGEST + 1];
    if (!simplify(near->word, word) || !simplify(name, known))
        return;
    const size_t length = strlen(word), most = length < 6 ? LETTER : length / 3 * LETTER;
    size_t d = distance(word, known);
    if (d > most && length >= BEGINS && strncmp(word, known, length) == 0)
        d = most;
    if (d > most || (near->name && d >= near->distance))
        return;
    near->name = name;
    near->distance = d;
}

rsd_hint rsd_near_hint(const rsd_near *near)
{
    rsd_hint hint = { "" };
    if (near->name)
        snprintf(hint.text, sizeof hint.text, "; did you mean '%s'?", near->name);
    return hint;
}
