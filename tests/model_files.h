/* Model files for tests, written into the scratch folder. */
#ifndef RSD_MODEL_FILES_H
#define RSD_MODEL_FILES_H

#include "scratch.h"

#include "io/model.h"
#include "io/safetensors.h"

typedef struct {
    const char *name;
    size_t ndim, shape[3];
} declared;

/* A float32 file of these tensors; element i of the file is i + 0.5. */
static inline void write_safetensors(const char *name, const declared *t, size_t count)
{
    rsd_st_writer *w;
    float next = 0.5f;
    const char *path = in_scratch(name);
    put_text(name, ""); /* makes its folder */
    CHECK_OK(rsd_st_writer_alloc(&w));
    for (size_t i = 0; i < count; i++) {
        size_t n = 1;
        for (size_t k = 0; k < t[i].ndim; k++)
            n *= t[i].shape[k];
        CHECK_OK(rsd_st_writer_declare(w, t[i].name, "F32", t[i].ndim, t[i].shape, 4 * n));
    }
    CHECK_OK(rsd_st_writer_begin(w, path));
    for (size_t i = 0; i < count; i++) {
        size_t n = 1;
        for (size_t k = 0; k < t[i].ndim; k++)
            n *= t[i].shape[k];
        for (size_t k = 0; k < n; k++, next++)
            CHECK_OK(rsd_st_writer_data(w, &next, 4));
    }
    CHECK_OK(rsd_st_writer_commit(w));
    rsd_st_writer_free(w);
}

#define OPEN_FAILS(path, code, text)                                                               \
    do {                                                                                           \
        rsd_model *model_;                                                                         \
        CHECK_FAILS(rsd_model_open(path, &model_), code, text);                                    \
        assert_null(model_);                                                                       \
    } while (0)

#endif
