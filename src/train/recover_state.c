/* A training of adapters in one file, from which it goes on bit for bit:
 *
 *   adapters [count]   moments [2, count]   identity U8 [64]
 *   progress F64 [3]: steps, best step, its loss; best [count]: its adapters, where that is a
 * number sensitivity [2, count], kept U8 [triplets]: AdaLoRA */
#include "train/recover_trainer.h"
#include "train/training_state.h"

#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int declare(rsd_st_writer *file, const rsd_recover *r, size_t triplets)
{
    const size_t n = r->adapters->count, bytes = n * sizeof(rsd_real);
    RSD_TRY(rsd_st_writer_declare(file, "progress", "F64", 1, (size_t[]){ 3 }, 3 * sizeof(double)));
    RSD_TRY(rsd_st_writer_declare(file, "adapters", rsd_state_real, 1, (size_t[]){ n }, bytes));
    RSD_TRY(
        rsd_st_writer_declare(file, "moments", rsd_state_real, 2, (size_t[]){ 2, n }, 2 * bytes));
    RSD_TRY(rsd_st_writer_declare(file, "identity", "U8", 1, (size_t[]){ 64 }, 64));
    if (r->best)
        RSD_TRY(rsd_st_writer_declare(file, "best", rsd_state_real, 1, (size_t[]){ n }, bytes));
    if (!r->adalora)
        return RSD_OK;
    RSD_TRY(rsd_st_writer_declare(file, "sensitivity", rsd_state_real, 2, (size_t[]){ 2, n },
                                  2 * bytes));
    return rsd_st_writer_declare(file, "kept", "U8", 1, (size_t[]){ triplets }, triplets);
}

static int write_tensors(rsd_st_writer *file, const rsd_recover *r, const char *identity,
                         const char *path)
{
    const size_t bytes = r->adapters->count * sizeof(rsd_real);
    const double progress[3] = { (double)r->adamw.step, (double)r->best_step,
                                 r->best ? r->best_loss : NAN };
    size_t triplets = 0;
    const unsigned char *kept = r->adalora ? rsd_adalora_kept(r->adalora, &triplets) : NULL;
    RSD_TRY(declare(file, r, triplets));
    RSD_TRY(rsd_st_writer_begin(file, path));
    RSD_TRY(rsd_st_writer_data(file, progress, sizeof progress));
    RSD_TRY(rsd_st_writer_data(file, r->adapters->memory, bytes));
    RSD_TRY(rsd_st_writer_data(file, r->adamw.moments, 2 * bytes));
    RSD_TRY(rsd_st_writer_data(file, identity, 64));
    if (r->best)
        RSD_TRY(rsd_st_writer_data(file, r->best, bytes));
    if (r->adalora) {
        RSD_TRY(rsd_st_writer_data(file, rsd_adalora_sensitivity(r->adalora), 2 * bytes));
        RSD_TRY(rsd_st_writer_data(file, kept, triplets));
    }
    return rsd_st_writer_commit(file);
}

int rsd_recover_write(const rsd_recover *r, const char *identity, const char *path)
{
    rsd_st_writer *file;
    RSD_TRY(rsd_st_writer_alloc(&file));
    const int err = write_tensors(file, r, identity, path);
    rsd_st_writer_free(file);
    return err;
}

/* bytes of the best step's adapters, or none where its loss is no number. */
static int take_best(rsd_recover *r, const double progress[3], const uint8_t *best, size_t bytes)
{
    if (best && !r->best)
        RSD_TRY(rsd_array_alloc(bytes, 1, 1, &r->best));
    if (best)
        memcpy(r->best, best, bytes);
    else {
        free(r->best);
        r->best = NULL;
    }
    r->best_step = (size_t)progress[1];
    r->best_loss = progress[2];
    return RSD_OK;
}

static int check_progress(const double progress[3])
{
    const double steps = progress[0], best = progress[1];
    if (!(steps >= 0 && steps <= 9e15))
        return RSD_FAIL(RSD_EFORMAT, "%g steps", steps);
    if (!(best >= 0 && best <= steps))
        return RSD_FAIL(RSD_EFORMAT, "best step %g of %g", best, steps);
    return RSD_OK;
}

/* Everything is found before anything changes. */
static int read_tensors(const rsd_state_file *file, rsd_recover *r)
{
    const size_t bytes = r->adapters->count * sizeof(rsd_real);
    const uint8_t *head, *adapters, *moments, *best = NULL, *sensitivity = NULL, *kept = NULL;
    size_t triplets = 0;
    unsigned char *mine = r->adalora ? rsd_adalora_kept(r->adalora, &triplets) : NULL;
    double progress[3];
    RSD_TRY(rsd_state_find(file, "progress", "F64", sizeof progress, &head));
    memcpy(progress, head, sizeof progress);
    RSD_TRY(check_progress(progress));
    RSD_TRY(rsd_state_find(file, "adapters", rsd_state_real, bytes, &adapters));
    RSD_TRY(rsd_state_find(file, "moments", rsd_state_real, 2 * bytes, &moments));
    if (!isnan(progress[2]))
        RSD_TRY(rsd_state_find(file, "best", rsd_state_real, bytes, &best));
    if (r->adalora) {
        RSD_TRY(rsd_state_find(file, "sensitivity", rsd_state_real, 2 * bytes, &sensitivity));
        RSD_TRY(rsd_state_find(file, "kept", "U8", triplets, &kept));
    }
    for (size_t i = 0; i < triplets; i++)
        if (kept[i] > 1)
            return RSD_FAIL(RSD_EFORMAT, "kept[%zu] is %d, neither 0 nor 1", i, kept[i]);
    RSD_TRY(take_best(r, progress, best, bytes));
    r->adamw.step = (size_t)progress[0];
    memcpy(r->adapters->memory, adapters, bytes);
    memcpy(r->adamw.moments, moments, 2 * bytes);
    if (r->adalora) {
        memcpy(rsd_adalora_sensitivity(r->adalora), sensitivity, 2 * bytes);
        memcpy(mine, kept, triplets);
    }
    return rsd_adapted_refresh(r->adapted);
}

int rsd_recover_read(rsd_recover *r, const char *identity, const char *path)
{
    rsd_state_file file;
    int err = rsd_state_open(path, identity, &file);
    if (!err)
        err = read_tensors(&file, r);
    rsd_state_close(&file);
    return err ? rsd_fail_prefix(err, "%s", path) : RSD_OK;
}
