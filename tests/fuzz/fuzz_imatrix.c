/* llama.cpp's importance matrices: what is accepted has named entries of numbers that may weigh. */
#include "fuzz.h"

#include "io/imatrix.h"

#include <math.h>
#include <string.h>

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_imatrix m;
    size_t values = 0;
    const int err = rsd_imatrix_parse(data, size, &m);
    if (err)
        PROMISE(*rsd_errmsg());
    else
        PROMISE(m.count > 0);
    for (size_t i = 0; !err && i < m.count; i++) {
        const rsd_imatrix_entry *e = &m.entry[i];
        PROMISE(*e->name && e->n > 0 && rsd_imatrix_find(&m, e->name) == e);
        for (size_t j = 0; j < e->n; j++)
            PROMISE(e->square[j] >= 0 && isfinite(e->square[j]));
        values += e->n;
    }
    PROMISE(values <= size / sizeof(float));
    rsd_imatrix_free(&m);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
