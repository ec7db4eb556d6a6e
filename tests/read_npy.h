/* Fixtures in NumPy's format, read whole. */
#ifndef RSD_TEST_READ_NPY_H
#define RSD_TEST_READ_NPY_H

#include "io/npy.h"

#include "test.h"

/* The elements of the array at path, in memory that the caller frees; fails the test if it is not
 * there or not of this dtype. */
static inline void *read_npy(const char *path, rsd_dtype dtype, rsd_npy *head)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: cannot be opened", path);
    static uint8_t bytes[1 << 22];
    const size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    CHECK_OK(rsd_npy_parse(bytes, size, head));
    if (head->dtype != dtype || head->fortran)
        fail_msg("%s: not a row-major array of %s", path, rsd_dtype_name(dtype));
    const size_t length = head->count * rsd_dtype_bytes(dtype);
    void *data = malloc(length ? length : 1);
    assert_non_null(data);
    memcpy(data, bytes + head->offset, length);
    return data;
}

#endif
