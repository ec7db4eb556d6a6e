#include "io/gguf/split.h"

#include "alloc.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rsd_gguf_split(const rsd_gguf *gguf, size_t *no, size_t *count)
{
    *no = 0;
    *count = 1;
    RSD_TRY(rsd_gguf_size(gguf, "split.no", no));
    RSD_TRY(rsd_gguf_size(gguf, "split.count", count));
    if (!*count) /* as llama.cpp takes it */
        *count = 1;
    if (*no >= *count)
        return RSD_FAIL(RSD_EFORMAT, "GGUF: split.no %zu is not below split.count %zu", *no,
                        *count);
    return RSD_OK;
}

int rsd_gguf_part_path(const char *path, size_t own, size_t count, size_t no, char **out)
{
    char end[64];
    *out = NULL;
    snprintf(end, sizeof end, "-%05zu-of-%05zu.gguf", own + 1, count);
    if (!rsd_path_ends(path, end))
        return RSD_FAIL(RSD_EFORMAT, "part %zu of %zu, but not named NAME%s", own + 1, count, end);
    return rsd_format(out, "%.*s-%05zu-of-%05zu.gguf", (int)(strlen(path) - strlen(end)), path,
                      no + 1, count);
}

static int add_names(rsd_gguf_parts *parts, size_t number)
{
    const rsd_gguf_part *part = &parts->part[number];
    for (size_t i = 0; i < part->gguf.tensors; i++) {
        const rsd_gguf_tensor *t = &part->gguf.tensor[i];
        const size_t before = parts->names.count;
        size_t at;
        RSD_TRY(rsd_room(&parts->found, before, 1, sizeof *parts->found));
        RSD_TRY(rsd_intern_add(&parts->names, t->name, strlen(t->name), &at));
        if (at < before)
            return RSD_FAIL(RSD_EFORMAT, "GGUF: tensor '%s' is in part %zu, too", t->name,
                            parts->found[at].part + 1);
        parts->found[at] = (rsd_gguf_found){ t, number, part->data };
    }
    return RSD_OK;
}

int rsd_gguf_parts_add(rsd_gguf_parts *parts, const uint8_t *data, size_t size)
{
    const size_t number = parts->parts;
    size_t no, count, zero, of;
    RSD_TRY(rsd_room(&parts->part, number, 1, sizeof *parts->part));
    rsd_gguf_part *part = &parts->part[number];
    *part = (rsd_gguf_part){ .data = data };
    RSD_TRY(rsd_gguf_parse(data, size, &part->gguf));
    parts->parts++;
    RSD_TRY(rsd_gguf_split(&part->gguf, &no, &count));
    RSD_TRY(rsd_gguf_split(&parts->part[0].gguf, &zero, &of));
    if (no != number || count != of)
        return RSD_FAIL(RSD_EFORMAT, "GGUF: says that it is part %zu of %zu, not %zu of %zu",
                        no + 1, count, number + 1, of);
    return add_names(parts, number);
}

int rsd_gguf_parts_check(const rsd_gguf_parts *parts)
{
    const rsd_gguf *first = &parts->part[0].gguf;
    size_t no, count, tensors = parts->names.count;
    RSD_TRY(rsd_gguf_split(first, &no, &count));
    if (count != parts->parts)
        return RSD_FAIL(RSD_EFORMAT, "GGUF: %zu of %zu parts are there", parts->parts, count);
    if (count > 1)
        RSD_TRY(rsd_gguf_size(first, "split.tensors.count", &tensors));
    if (tensors != parts->names.count)
        return RSD_FAIL(RSD_EFORMAT,
                        "GGUF: the %zu parts hold %zu tensors, split.tensors.count %zu", count,
                        parts->names.count, tensors);
    return RSD_OK;
}

void rsd_gguf_parts_free(rsd_gguf_parts *parts)
{
    for (size_t i = 0; i < parts->parts; i++)
        rsd_gguf_free(&parts->part[i].gguf);
    rsd_intern_free(&parts->names);
    free(parts->part);
    free(parts->found);
    *parts = (rsd_gguf_parts){ 0 };
}

const rsd_gguf_found *rsd_gguf_parts_find(const rsd_gguf_parts *parts, const char *name, size_t n)
{
    const ptrdiff_t at = rsd_intern_find(&parts->names, name, n);
    return at == RSD_INTERN_NONE ? NULL : &parts->found[at];
}
