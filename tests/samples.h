/* The texts of golden/tokenizer/texts.txt, and the check of a tokenizer against a file of ids. */
#ifndef RSD_SAMPLES_H
#define RSD_SAMPLES_H

#include "test.h"

#include "io/tokenizer.h"

enum { TEXTS_MOST = 64, TEXT_MOST = 4096 };

typedef struct {
    uint8_t byte[TEXT_MOST];
    size_t n;
} sample;

static sample samples[TEXTS_MOST];

static inline size_t read_samples(void)
{
    size_t count = 0;
    char line[2 * TEXT_MOST + 2];
    FILE *f = fopen(fixture("tokenizer/texts.txt"), "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        sample *s = &samples[count++];
        unsigned byte;
        assert_true(count <= TEXTS_MOST);
        for (s->n = 0; sscanf(line + 2 * s->n, "%2x", &byte) == 1; s->n++)
            s->byte[s->n] = (uint8_t)byte;
        assert_int_equal(strlen(line), 2 * s->n + 1);
    }
    fclose(f);
    return count;
}

static inline uint64_t sum_bytes(const rsd_encoding *e)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < e->count; i++)
        sum += e->bytes[i];
    return sum;
}

/* The ids of a line; a block of exactly the text's size, so that a sanitizer sees a byte too much.
 */
static inline void check_sample(const char *family, rsd_tokenizer *t, const sample *s, char *ids)
{
    rsd_encoding got = { 0 };
    uint8_t *exact = malloc(s->n ? s->n : 1);
    memcpy(exact, s->byte, s->n);
    CHECK_OK(rsd_tokenizer_encode(t, exact, s->n, true, &got));
    size_t want = 0;
    for (char *end, *at = ids;; at = end, want++) {
        const long id = strtol(at, &end, 10);
        if (end == at)
            break;
        if (want >= got.count || got.id[want] != id)
            fail_msg("%s, text %zu, token %zu: want %ld, got %d of %zu", family,
                     (size_t)(s - samples), want, id, want < got.count ? got.id[want] : -1,
                     got.count);
    }
    assert_int_equal(got.count, want);
    if (sum_bytes(&got) != s->n && sum_bytes(&got) != 0)
        fail_msg("%s, text %zu: %llu bytes of %zu", family, (size_t)(s - samples),
                 (unsigned long long)sum_bytes(&got), s->n);
    free(exact);
    rsd_encoding_free(&got);
}

/* All samples against the fixture `ids`: a line each. */
static inline void check_samples(const char *family, rsd_tokenizer *t, const char *ids)
{
    static char line[16 * TEXT_MOST];
    const size_t count = read_samples();
    FILE *f = fopen(fixture(ids), "r");
    assert_non_null(f);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(fgets(line, sizeof line, f));
        check_sample(family, t, &samples[i], line);
    }
    fclose(f);
}

#endif
