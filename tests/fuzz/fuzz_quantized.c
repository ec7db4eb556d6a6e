/* Quantized checkpoints: a configuration up to the first 0, a safetensors file behind it.  Whatever
 * is put together from their arrays is read without leaving the file. */
#include "fuzz.h"

#include "io/model/prequantized.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Shapes that a few bytes claim may be large: reading stays small. */
enum { ELEMENTS_MAX = 1 << 16 };

static void read_entry(const rsd_model *model, const rsd_entry *s)
{
    const rsd_tensor *t = &s->tensor;
    rsd_mat W;
    PROMISE(t->ndim == 2 && t->elements == t->shape[0] * t->shape[1] && *t->stored);
    if (t->elements > ELEMENTS_MAX || rsd_mat_alloc(t->shape[0], t->shape[1], &W))
        return;
    if (s->packing->read(s->packing, model->file, W))
        PROMISE(*rsd_errmsg());
    rsd_mat_free(&W);
}

static int read_file(const char *config, const char *path)
{
    rsd_model *model = calloc(1, sizeof *model);
    PROMISE(model);
    model->source = strdup("fuzz");
    model->config = strdup(config);
    const int err = rsd_source_file(model, path);
    PROMISE(!err || *rsd_errmsg());
    for (size_t i = 0; i < model->count && !err; i++)
        if (model->entry[i].packing)
            read_entry(model, &model->entry[i]);
    rsd_model_close(model);
    return err;
}

int fuzz_read(const uint8_t *data, size_t size)
{
    char path[64];
    const uint8_t *zero = memchr(data, 0, size);
    const size_t n = zero ? (size_t)(zero - data) : 0, skip = zero ? n + 1 : 0;
    char *config = strndup((const char *)data, n);
    const int fd = memfd_create("model.safetensors", 0);
    PROMISE(config && fd >= 0);
    PROMISE(write(fd, data + skip, size - skip) == (ssize_t)(size - skip));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const int err = read_file(config, path);
    close(fd);
    free(config);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
