/* UTF-8, and texts that may hold anything as they can be shown. */
#ifndef RSD_UTF8_H
#define RSD_UTF8_H

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

/* The text as it can be shown on a terminal: whatever is no UTF-8, or would do something there
 * instead of being seen, is written \xNN, byte by byte: controls (escape sequences begin with one),
 * line ends, marks that turn the direction of writing.  A text that is fine comes out as it is.
 * Like snprintf: at most size bytes with the final 0, cut between characters; returns the length
 * that was needed. */
size_t rsd_printable(const char *text, char *out, size_t size);

/* The same for what need only be UTF-8, as JSON: controls stay. */
size_t rsd_as_utf8(const char *text, char *out, size_t size);

#endif
