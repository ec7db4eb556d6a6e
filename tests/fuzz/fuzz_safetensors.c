/* safetensors: whatever is accepted lies in the file, tile by tile, and converts. */
#include "fuzz.h"

#include "io/safetensors.h"
#include "mat.h"

#include <string.h>

/* Converting touches every byte that the header claims: a sanitizer sees one too many. */
static void convert(const uint8_t *data, const rsd_st_entry *e)
{
    float *x;
    if (!rsd_dtype_is_real(e->dtype))
        return;
    const size_t n = e->bytes / rsd_dtype_bytes(e->dtype);
    if (rsd_array_alloc(n, 1, sizeof *x, &x))
        return;
    rsd_dtype_to_f32(e->dtype, data + e->offset, x, n);
    free(x);
}

static void check(const uint8_t *data, size_t size, const rsd_safetensors *st)
{
    size_t at = st->count ? st->entry[0].offset : size;
    for (size_t i = 0; i < st->count; i++) {
        const rsd_st_entry *e = &st->entry[i];
        size_t numbers = 1, bytes = 0;
        PROMISE(e->name && e->ndim <= RSD_DIMS_MAX && e->offset == at);
        for (size_t k = 0; k < e->ndim; k++)
            numbers *= e->shape[k];
        PROMISE(rsd_dtype_span(e->dtype, numbers, &bytes));
        PROMISE(bytes == e->bytes && bytes <= size - at);
        at += bytes;
        for (size_t k = 0; k < i && i < 100; k++)
            PROMISE(strcmp(st->entry[k].name, e->name) != 0);
        convert(data, e);
    }
    PROMISE(at == size);
}

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_safetensors st;
    const int err = rsd_safetensors_parse(data, size, &st);
    if (!err)
        check(data, size, &st);
    else
        PROMISE(*rsd_errmsg() && !st.count && !st.entry && !st.metadata);
    rsd_safetensors_free(&st);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
