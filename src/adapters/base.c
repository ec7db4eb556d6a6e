#include "adapters/base.h"

#include "alloc.h"

#include <assert.h>
#include <stdlib.h>

int rsd_base_alloc(size_t layers, rsd_base *out)
{
    *out = (rsd_base){ .layers = layers };
    return rsd_zeroed(layers, sizeof *out->layer, &out->layer);
}

void rsd_base_free(rsd_base *base)
{
    for (size_t i = 0; base->layer && i < base->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            rsd_packed_free(&base->layer[i][s].packed);
    free(base->layer);
    *base = (rsd_base){ 0 };
}

void rsd_base_put(rsd_base *base, size_t layer, rsd_slot slot, const rsd_spec *spec,
                  rsd_packed *packed)
{
    assert(layer < base->layers && slot < RSD_LINEARS);
    rsd_base_layer *l = &base->layer[layer][slot];
    rsd_packed_free(&l->packed);
    *l = (rsd_base_layer){ .spec = *spec, .packed = *packed };
    *packed = (rsd_packed){ 0 };
}

size_t rsd_base_bytes(const rsd_base *base)
{
    size_t bytes = 0;
    for (size_t i = 0; i < base->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            bytes += rsd_packed_bytes(&base->layer[i][s].packed);
    return bytes;
}
