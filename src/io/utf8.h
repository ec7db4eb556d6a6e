/* UTF-8: what is, and its characters. */
#ifndef RSD_IO_UTF8_H
#define RSD_IO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n where s[n] is UTF-8 (no surrogates, nothing overlong, at most U+10FFFF; NUL is a character like
 * any other), else the offset of the first byte of what is not. */
size_t rsd_utf8_check(const uint8_t *s, size_t n);

/* Bytes of the character that begins at s, of checked text. */
size_t rsd_utf8_length(const uint8_t *s);
/* Offset of the character that ends before offset end > 0, of checked text. */
size_t rsd_utf8_before(const uint8_t *s, size_t end);
uint32_t rsd_utf8_decode(const uint8_t *s);
size_t rsd_utf8_encode(uint32_t c, uint8_t out[4]);

/* Has Unicode's White_Space property. */
bool rsd_is_space(uint32_t c);

#endif
