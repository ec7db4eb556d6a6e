#include "train/checkpoint.h"

#include "io/file.h"
#include "io/safetensors.h"

#include <math.h>
#include <string.h>

static const char *const real_name = sizeof(rsd_real) == sizeof(double) ? "F64" : "F32";

static int write_tensors(rsd_st_writer *file, const rsd_pretrain *p, const rsd_progress *progress,
                         const char *path)
{
    const size_t n = p->weights->count, bytes = n * sizeof(rsd_real);
    const double numbers[3] = { (double)p->adamw.step, progress->best,
                                (double)progress->best_step };
    RSD_TRY(rsd_st_writer_declare(file, "progress", "F64", 1, (size_t[]){ 3 }, sizeof numbers));
    RSD_TRY(rsd_st_writer_declare(file, "weights", real_name, 1, (size_t[]){ n }, bytes));
    RSD_TRY(rsd_st_writer_declare(file, "moments", real_name, 2, (size_t[]){ 2, n }, 2 * bytes));
    RSD_TRY(rsd_st_writer_declare(file, "identity", "U8", 1, (size_t[]){ 64 }, 64));
    RSD_TRY(rsd_st_writer_begin(file, path));
    RSD_TRY(rsd_st_writer_data(file, numbers, sizeof numbers));
    RSD_TRY(rsd_st_writer_data(file, p->weights->memory, bytes));
    RSD_TRY(rsd_st_writer_data(file, p->adamw.moments, 2 * bytes));
    RSD_TRY(rsd_st_writer_data(file, progress->identity, 64));
    return rsd_st_writer_commit(file);
}

int rsd_checkpoint_write(const rsd_pretrain *p, const rsd_progress *progress, const char *path)
{
    rsd_st_writer *file;
    RSD_TRY(rsd_st_writer_alloc(&file));
    const int err = write_tensors(file, p, progress, path);
    rsd_st_writer_free(file);
    return err;
}

/* The bytes of a tensor that has as many as it must. */
static int find(const rsd_safetensors *st, const char *name, const char *type, size_t bytes,
                const uint8_t *data, const uint8_t **out)
{
    for (size_t i = 0; i < st->count; i++) {
        const rsd_st_entry *e = &st->entry[i];
        if (strcmp(e->name, name) != 0)
            continue;
        if (e->bytes != bytes || strcmp(rsd_dtype_name(e->dtype), type) != 0)
            return RSD_FAIL(RSD_EFORMAT, "tensor '%s' is %zu bytes of %s, not %zu of %s", name,
                            e->bytes, rsd_dtype_name(e->dtype), bytes, type);
        *out = data + e->offset;
        return RSD_OK;
    }
    return RSD_FAIL(RSD_EFORMAT, "no tensor '%s': this is no state of a training", name);
}

static int read_tensors(const rsd_map *map, const rsd_safetensors *st, rsd_pretrain *p,
                        rsd_progress *progress)
{
    const size_t bytes = p->weights->count * sizeof(rsd_real);
    const uint8_t *numbers, *weights, *moments, *identity;
    double number[3];
    RSD_TRY(find(st, "identity", "U8", 64, map->data, &identity));
    if (memcmp(identity, progress->identity, 64) != 0)
        return RSD_FAIL(RSD_EARG, "begun with another configuration, other tokens or options");
    RSD_TRY(find(st, "progress", "F64", sizeof number, map->data, &numbers));
    RSD_TRY(find(st, "weights", real_name, bytes, map->data, &weights));
    RSD_TRY(find(st, "moments", real_name, 2 * bytes, map->data, &moments));
    memcpy(number, numbers, sizeof number);
    if (!(number[0] >= 0 && number[0] <= 9e15 && number[2] >= 0 && number[2] <= number[0]) ||
        isnan(number[1]))
        return RSD_FAIL(RSD_EFORMAT, "step %g, best loss %g of step %g", number[0], number[1],
                        number[2]);
    p->adamw.step = (size_t)number[0];
    progress->best = number[1];
    progress->best_step = (size_t)number[2];
    memcpy(p->weights->memory, weights, bytes);
    memcpy(p->adamw.moments, moments, 2 * bytes);
    return rsd_pretrain_refresh(p);
}

int rsd_checkpoint_read(rsd_pretrain *p, rsd_progress *progress, const char *path)
{
    rsd_map map;
    rsd_safetensors st = { 0 };
    RSD_TRY(rsd_map_open(path, &map));
    int err = rsd_safetensors_parse(map.data, map.size, &st);
    if (!err)
        err = read_tensors(&map, &st, p, progress);
    rsd_safetensors_free(&st);
    rsd_map_close(&map);
    return err ? rsd_fail_prefix(err, "%s", path) : RSD_OK;
}
