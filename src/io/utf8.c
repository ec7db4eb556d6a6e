#include "io/utf8.h"

#include <string.h>

/* Bytes of the well-formed sequence at s, at most n long, or 0.  The second byte's range excludes
 * what is overlong (E0, F0), a surrogate (ED) or beyond U+10FFFF (F4): Unicode 15, table 3-7. */
static size_t sequence(const uint8_t *s, size_t n)
{
    if (s[0] < 0x80)
        return 1;
    const size_t length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    const uint8_t low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[0] < 0xc2 || s[0] > 0xf4 || length > n || s[1] < low || s[1] > high)
        return 0;
    for (size_t k = 2; k < length; k++)
        if ((s[k] & 0xc0) != 0x80)
            return 0;
    return length;
}

size_t rsd_utf8_check(const uint8_t *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint64_t eight;
        while (n - i >= sizeof eight) { /* most text is ASCII most of the time */
            memcpy(&eight, s + i, sizeof eight);
            if (eight & 0x8080808080808080u)
                break;
            i += sizeof eight;
        }
        if (i == n)
            break;
        const size_t length = sequence(s + i, n - i);
        if (!length)
            return i;
        i += length;
    }
    return n;
}

size_t rsd_utf8_length(const uint8_t *s)
{
    return s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
}

size_t rsd_utf8_before(const uint8_t *s, size_t end)
{
    do {
        end--;
    } while ((s[end] & 0xc0) == 0x80);
    return end;
}

uint32_t rsd_utf8_decode(const uint8_t *s)
{
    static const uint8_t lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    const size_t length = rsd_utf8_length(s);
    uint32_t c = s[0] & lead[length];
    for (size_t k = 1; k < length; k++)
        c = c << 6 | (s[k] & 0x3f);
    return c;
}

size_t rsd_utf8_encode(uint32_t c, uint8_t out[4])
{
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    const size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t k = length; k-- > 1; c >>= 6)
        out[k] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(lead[length] | c);
    return length;
}

bool rsd_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}
