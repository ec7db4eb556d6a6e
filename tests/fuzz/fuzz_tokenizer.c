/* tokenizer.json, and text for it behind a NUL byte: what is accepted encodes any bytes, or says
 * why not; its ids are below its vocabulary, its bytes are the text's, and a second time gives the
 * same (words are remembered the first time). */
#include "fuzz.h"

#include "err.h"
#include "io/tokenizer.h"

#include <string.h>

static void check_encoding(const rsd_tokenizer *t, const rsd_encoding *e, size_t n)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < e->count; i++) {
        PROMISE(e->id[i] >= 0 && (size_t)e->id[i] < rsd_tokenizer_vocab(t));
        bytes += e->bytes[i];
    }
    PROMISE(bytes == (e->count ? n : 0));
}

static void check_text(rsd_tokenizer *t, const uint8_t *text, size_t n)
{
    rsd_encoding first = { 0 }, second = { 0 };
    const int err = rsd_tokenizer_encode(t, text, n, false, &first);
    PROMISE(!err || (*rsd_errmsg() && !first.count && err == RSD_EDOM));
    PROMISE(rsd_tokenizer_encode(t, text, n, false, &second) == err);
    check_encoding(t, &first, err ? 0 : n);
    PROMISE(first.count == second.count);
    if (first.count)
        PROMISE(memcmp(first.id, second.id, first.count * sizeof *first.id) == 0 &&
                memcmp(first.bytes, second.bytes, first.count * sizeof *first.bytes) == 0);
    rsd_encoding_free(&first);
    rsd_encoding_free(&second);
}

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_tokenizer *t;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    const size_t n = nul ? (size_t)(nul - data) : size;
    const int err = rsd_tokenizer_parse(data, n, &t);
    PROMISE(err ? !t && *rsd_errmsg() : t != NULL);
    if (!err && nul)
        check_text(t, nul + 1, size - n - 1);
    if (!err)
        check_text(t, data, n); /* the file itself is text, too */
    rsd_tokenizer_free(t);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
