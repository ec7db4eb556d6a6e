#include "io/gguf/scale.h"

#include "io/gguf/cursor.h"

#include <stdio.h>
#include <string.h>

static const char weight_end[] = ".weight", scale_end[] = ".scale", input_end[] = ".input_scale";

/* The tensor whose name is this one's with another ending; NULL where name does not end so. */
static const rsd_gguf_found *sibling(const rsd_gguf_parts *parts, const char *name, const char *end,
                                     const char *other)
{
    char text[128];
    const size_t n = strlen(name), k = strlen(end);
    if (n < k || strcmp(name + n - k, end) != 0)
        return NULL;
    const int used = snprintf(text, sizeof text, "%.*s%s", (int)(n - k), name, other);
    return rsd_gguf_parts_find(parts, text, (size_t)used);
}

bool rsd_gguf_is_scale(const rsd_gguf_parts *parts, const rsd_gguf_tensor *t)
{
    return sibling(parts, t->name, scale_end, weight_end) ||
           sibling(parts, t->name, input_end, weight_end);
}

int rsd_gguf_scale_of(const rsd_gguf_parts *parts, const rsd_gguf_tensor *weight, size_t e,
                      size_t experts, float *scale, size_t *bytes)
{
    const rsd_gguf_found *s = sibling(parts, weight->name, weight_end, scale_end);
    const size_t wanted = experts ? experts : 1;
    *scale = 1;
    *bytes = 0;
    if (!s)
        return RSD_OK;
    if (strcmp(s->tensor->type->name, "f32") != 0 || s->tensor->elements != wanted)
        return RSD_FAIL(RSD_EFORMAT,
                        "GGUF: tensor '%s' holds %zu numbers of %s; a scale is %zu of f32",
                        s->tensor->name, s->tensor->elements, s->tensor->type->name, wanted);
    *bytes = sizeof *scale;
    const uint32_t bits =
        (uint32_t)rsd_gguf_little(s->data + s->tensor->offset + e * sizeof *scale, sizeof *scale);
    memcpy(scale, &bits, sizeof *scale);
    return RSD_OK;
}
