/* The tables of a model: tokens, positions and the head, which may be the tokens' again. */
#include "mat.h"
#include "transformer/weights.h"

#include <stdlib.h>
#include <string.h>

const rsd_tensor *rsd_weights_table(const rsd_model *model, const char *role)
{
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (t->role.embedding && strcmp(t->role.role, role) == 0)
            return t;
    }
    return NULL;
}

/* Do two tensors hold the same numbers? */
static int compare(const rsd_model *model, const rsd_tensor *a, const rsd_tensor *b, bool *same)
{
    float *x = NULL, *y = NULL;
    size_t p, q;
    int err = RSD_OK;
    const void *left = rsd_model_bytes(model, a, &p), *right = rsd_model_bytes(model, b, &q);
    *same = a->rows == b->rows && a->cols == b->cols;
    if (!*same)
        return RSD_OK;
    if (left && right && a->dtype == b->dtype) {
        *same = p == q && memcmp(left, right, p) == 0;
        return RSD_OK;
    }
    RSD_TRY_DONE(rsd_array_alloc(a->elements, 1, sizeof *x, &x));
    RSD_TRY_DONE(rsd_array_alloc(b->elements, 1, sizeof *y, &y));
    RSD_TRY_DONE(rsd_model_read_flat(model, a, x));
    RSD_TRY_DONE(rsd_model_read_flat(model, b, y));
    *same = memcmp(x, y, a->elements * sizeof *x) == 0;
done:
    free(x);
    free(y);
    return err;
}

int rsd_weights_tables(const rsd_model *model, rsd_shape *shape, const rsd_tensor **tokens,
                       const rsd_tensor **head)
{
    bool same = true;
    *tokens = rsd_weights_table(model, "embedding");
    *head = rsd_weights_table(model, "head");
    if (!shape->tied)
        return RSD_OK;
    if (!*tokens)
        *tokens = *head;
    if (*tokens && *head && *tokens != *head)
        RSD_TRY(compare(model, *tokens, *head, &same));
    shape->tied = same;
    return RSD_OK;
}
