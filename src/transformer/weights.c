/* Weights in memory: copies of them, in another place or precision.  weights_load.c reads them. */
#include "transformer/weights.h"

#include "mat.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const roles[RSD_LINEARS] = {
    [RSD_Q] = "q", [RSD_K] = "k",       [RSD_V] = "v",   [RSD_QKV] = "qkv",
    [RSD_O] = "o", [RSD_GATE] = "gate", [RSD_UP] = "up", [RSD_DOWN] = "down",
};

const char *rsd_slot_role(rsd_slot slot) { return roles[slot]; }

static void free_halves(rsd_weights *w)
{
    for (size_t i = 0; i < w->halves; i++)
        free(w->half[i]);
    free(w->half);
    w->half = NULL;
    w->halves = 0;
}

void rsd_weights_free(rsd_weights *w)
{
    if (!w)
        return;
    free_halves(w);
    free(w->memory);
    free(w->block);
    free(w);
}

/* An address in one block of memory, as the same address in another. */
static void move(const rsd_real **x, const rsd_weights *from, const rsd_weights *to)
{
    if (*x)
        *x = to->memory + (*x - from->memory);
}

static void move_linear(rsd_linear *l, const rsd_weights *from, const rsd_weights *to)
{
    move(&l->W.x, from, to);
    move(&l->bias, from, to);
    l->W.half = NULL;
}

static void move_norm(rsd_norm *n, const rsd_weights *from, const rsd_weights *to)
{
    move(&n->w, from, to);
    move(&n->b, from, to);
}

int rsd_weights_copy(const rsd_weights *w, rsd_weights **out)
{
    rsd_weights *c = malloc(sizeof *c);
    *out = c;
    if (!c)
        return RSD_FAIL(RSD_ENOMEM, "a copy of the weights");
    *c = *w;
    c->half = NULL;
    c->halves = 0;
    c->memory = NULL;
    c->block = malloc(w->shape.layers * sizeof *c->block);
    int err = c->block ? rsd_array_alloc(w->count, 1, sizeof *c->memory, &c->memory)
                       : RSD_FAIL(RSD_ENOMEM, "%zu layers", w->shape.layers);
    if (err) {
        rsd_weights_free(c);
        *out = NULL;
        return err;
    }
    memcpy(c->memory, w->memory, w->count * sizeof *c->memory);
    move(&c->embedding.E, w, c);
    move(&c->embedding.P, w, c);
    move_norm(&c->final_norm, w, c);
    move_linear(&c->head, w, c);
    for (size_t i = 0; i < w->shape.layers; i++) {
        c->block[i] = w->block[i];
        move_norm(&c->block[i].norm1, w, c);
        move_norm(&c->block[i].norm2, w, c);
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            move_linear(&c->block[i].linear[s], w, c);
    }
    return RSD_OK;
}

static int prepare(rsd_weights *w, const rsd_matmul *mm, rsd_linear *l)
{
    if (!l->W.x)
        return RSD_OK;
    rsd_half *half;
    RSD_TRY(rsd_matmul_prepare(mm, &l->W, &half));
    if (half)
        w->half[w->halves++] = half;
    return RSD_OK;
}

int rsd_weights_prepare(rsd_weights *w, const rsd_matmul *mm)
{
    if (rsd_matmul_precision(mm) != RSD_PRECISION_BF16)
        return RSD_OK; /* copies that another pass over these weights made stay its own */
    free_halves(w);
    RSD_TRY(rsd_array_alloc(w->shape.layers * RSD_LINEARS + 1, 1, sizeof *w->half, &w->half));
    for (size_t i = 0; i < w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            RSD_TRY(prepare(w, mm, &w->block[i].linear[s]));
    return prepare(w, mm, &w->head);
}

rsd_real *rsd_weights_of(const rsd_weights *w, const rsd_tensor *tensor)
{
    const rsd_real *x = NULL;
    for (size_t i = 0; i < w->shape.layers && !x; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            if (w->block[i].tensor[s] == tensor)
                x = w->block[i].linear[s].W.x;
    if (!x && tensor->role.embedding && strcmp(tensor->role.role, "embedding") == 0)
        x = w->embedding.E;
    if (!x && tensor->role.embedding && strcmp(tensor->role.role, "head") == 0)
        x = w->head.W.x;
    if (!x && tensor->role.embedding && strcmp(tensor->role.role, "position") == 0)
        x = w->embedding.P;
    return x ? w->memory + (x - w->memory) : NULL;
}
