#include "train/checkpoint.h"

#include "train/training_state.h"

#include <math.h>
#include <string.h>

static int write_tensors(rsd_st_writer *file, const rsd_pretrain *p, const rsd_progress *progress,
                         const char *path)
{
    const size_t n = p->weights->count, bytes = n * sizeof(rsd_real);
    const double numbers[3] = { (double)p->adamw.step, progress->best,
                                (double)progress->best_step };
    RSD_TRY(rsd_st_writer_declare(file, "progress", "F64", 1, (size_t[]){ 3 }, sizeof numbers));
    RSD_TRY(rsd_st_writer_declare(file, "weights", rsd_state_real, 1, (size_t[]){ n }, bytes));
    RSD_TRY(
        rsd_st_writer_declare(file, "moments", rsd_state_real, 2, (size_t[]){ 2, n }, 2 * bytes));
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

static int read_tensors(const rsd_state_file *file, rsd_pretrain *p, rsd_progress *progress)
{
    const size_t bytes = p->weights->count * sizeof(rsd_real);
    const uint8_t *numbers, *weights, *moments;
    double number[3];
    RSD_TRY(rsd_state_find(file, "progress", "F64", sizeof number, &numbers));
    RSD_TRY(rsd_state_find(file, "weights", rsd_state_real, bytes, &weights));
    RSD_TRY(rsd_state_find(file, "moments", rsd_state_real, 2 * bytes, &moments));
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
    rsd_state_file file;
    int err = rsd_state_open(path, progress->identity, &file);
    if (!err)
        err = read_tensors(&file, p, progress);
    rsd_state_close(&file);
    return err ? rsd_fail_prefix(err, "%s", path) : RSD_OK;
}
