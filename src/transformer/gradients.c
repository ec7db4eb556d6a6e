#include "transformer/gradients.h"

#include "alloc.h"
#include "mat.h"

#include <stdlib.h>
#include <string.h>

rsd_real *rsd_gradients_at(const rsd_gradients *g, const rsd_weights *w, const rsd_real *x)
{
    return x ? g->memory + (x - w->memory) : NULL;
}

void rsd_gradients_clear(rsd_gradients *g) { memset(g->memory, 0, g->count * sizeof *g->memory); }

static rsd_linear_gradient linear(const rsd_gradients *g, const rsd_weights *w, const rsd_linear *l)
{
    return (rsd_linear_gradient){ rsd_gradients_at(g, w, l->W.x), rsd_gradients_at(g, w, l->bias) };
}

static rsd_norm_gradient norm(const rsd_gradients *g, const rsd_weights *w, const rsd_norm *n)
{
    return (rsd_norm_gradient){ rsd_gradients_at(g, w, n->w), rsd_gradients_at(g, w, n->b) };
}

/* Every address, once there is memory. */
static void lay_out(rsd_gradients *g, const rsd_weights *w)
{
    g->embedding = (rsd_embedding_gradient){ rsd_gradients_at(g, w, w->embedding.E),
                                             rsd_gradients_at(g, w, w->embedding.P) };
    g->final_norm = norm(g, w, &w->final_norm);
    g->head = linear(g, w, &w->head);
    for (size_t i = 0; i < w->shape.layers; i++) {
        const rsd_block_weights *from = &w->block[i];
        rsd_block_gradient *to = &g->block[i];
        to->norm1 = norm(g, w, &from->norm1);
        to->norm2 = norm(g, w, &from->norm2);
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            to->linear[s] = linear(g, w, &from->linear[s]);
    }
}

int rsd_gradients_alloc(const rsd_weights *w, rsd_gradients **out)
{
    rsd_gradients *g;
    int err = RSD_OK;
    *out = NULL;
    RSD_TRY(rsd_zeroed(1, sizeof *g, &g));
    g->count = w->count;
    RSD_TRY_DONE(rsd_zeroed(w->shape.layers, sizeof *g->block, &g->block));
    RSD_TRY_DONE(rsd_array_alloc(w->count, 1, sizeof *g->memory, &g->memory));
    rsd_gradients_clear(g);
    lay_out(g, w);
done:
    if (err)
        rsd_gradients_free(g);
    else
        *out = g;
    return err;
}

void rsd_gradients_free(rsd_gradients *g)
{
    if (!g)
        return;
    free(g->memory);
    free(g->block);
    free(g);
}
