/* .npy: what is accepted fills the file exactly, and converts. */
#include "fuzz.h"

#include "io/npy.h"
#include "mat.h"

static void check(const uint8_t *data, size_t size, const rsd_npy *npy)
{
    size_t count = 1;
    float *x;
    PROMISE(npy->ndim <= RSD_DIMS_MAX && npy->offset <= size);
    for (size_t k = 0; k < npy->ndim; k++)
        count *= npy->shape[k];
    PROMISE(count == npy->count && count * rsd_dtype_bytes(npy->dtype) == size - npy->offset);
    if (!rsd_dtype_is_real(npy->dtype) || rsd_array_alloc(count, 1, sizeof *x, &x))
        return;
    rsd_dtype_to_f32(npy->dtype, data + npy->offset, x, count);
    free(x);
}

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_npy npy;
    const int err = rsd_npy_parse(data, size, &npy);
    if (!err)
        check(data, size, &npy);
    else
        PROMISE(*rsd_errmsg());
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
