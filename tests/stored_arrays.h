/* A model folder of arrays that a test makes. */
#ifndef RSD_STORED_ARRAYS_H
#define RSD_STORED_ARRAYS_H

#include "model_files.h"

/* data NULL: bytes 0x38, which are 1 in E4M3. */
typedef struct {
    const char *name, *dtype;
    size_t ndim, shape[3];
    const void *data;
} array;

static inline size_t bytes_of(const array *a)
{
    rsd_dtype type;
    size_t n = 1, bytes;
    for (size_t k = 0; k < a->ndim; k++)
        n *= a->shape[k];
    assert_true(rsd_dtype_find(a->dtype, &type) && rsd_dtype_span(type, n, &bytes));
    return bytes;
}

/* A safetensors file of these arrays; its folder is there. */
static inline void put_shard(const char *path, const array *a, size_t count)
{
    rsd_st_writer *w;
    CHECK_OK(rsd_st_writer_alloc(&w));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(rsd_st_writer_declare(w, a[i].name, a[i].dtype, a[i].ndim, a[i].shape,
                                       bytes_of(&a[i])));
    CHECK_OK(rsd_st_writer_begin(w, path));
    for (size_t i = 0; i < count; i++) {
        void *data = malloc(bytes_of(&a[i]) + 1);
        memset(data, 0x38, bytes_of(&a[i]));
        if (a[i].data)
            memcpy(data, a[i].data, bytes_of(&a[i]));
        CHECK_OK(rsd_st_writer_data(w, data, bytes_of(&a[i])));
        free(data);
    }
    CHECK_OK(rsd_st_writer_commit(w));
    rsd_st_writer_free(w);
}

/* The folder `stored` of these arrays, and of this config.json unless NULL. */
static inline const char *put_arrays(const array *a, size_t count, const char *config)
{
    put_text("stored/config.json", config ? config : "{}");
    if (!config)
        unlink(in_scratch("stored/config.json"));
    put_shard(in_scratch("stored/model.safetensors"), a, count);
    return in_scratch("stored");
}
#define PUT(config, ...)                                                                           \
    put_arrays((const array[]){ __VA_ARGS__ },                                                     \
               sizeof((const array[]){ __VA_ARGS__ }) / sizeof(array), config)

#endif
