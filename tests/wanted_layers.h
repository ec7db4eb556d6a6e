/* Quantized layers of a golden folder against what they stand for. */
#ifndef RSD_WANTED_LAYERS_H
#define RSD_WANTED_LAYERS_H

#include "model_files.h"

#include "mat.h"

/* Every layer of the folder is what its want.NAME says, bit for bit where `exact`, else to a unit
 * in the last place of the product. */
static inline size_t compare_folder(const char *folder, float ulps)
{
    rsd_model *model;
    size_t layers = 0;
    CHECK_OK(rsd_model_open(fixture(folder), &model));
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *want = rsd_model_tensor(model, i);
        char name[256];
        if (strncmp(want->name, "want.", 5) != 0)
            continue;
        snprintf(name, sizeof name, "%s.weight", want->name + 5);
        const rsd_tensor *t = rsd_model_find(model, name);
        rsd_mat W, A;
        assert_non_null(t);
        assert_true(t->matrix && t->rows == want->rows && t->cols == want->cols);
        CHECK_OK(rsd_mat_alloc(t->rows, t->cols, &W));
        CHECK_OK(rsd_mat_alloc(t->rows, t->cols, &A));
        CHECK_OK(rsd_model_read(model, t, W));
        CHECK_OK(rsd_model_read(model, want, A));
        for (size_t k = 0; k < t->elements; k++)
            if (!(fabsf(W.x[k] - A.x[k]) <= ulps * 0x1p-23f * fabsf(A.x[k])))
                fail_msg("%s [%zu] = %.9g, want %.9g", name, k, (double)W.x[k], (double)A.x[k]);
        float *x = malloc(t->elements * sizeof *x);
        CHECK_OK(rsd_model_read_flat(model, t, x));
        assert_memory_equal(x, W.x, t->elements * sizeof *x);
        free(x);
        rsd_mat_free(&A);
        rsd_mat_free(&W);
        layers++;
    }
    rsd_model_close(model);
    return layers;
}

#endif
