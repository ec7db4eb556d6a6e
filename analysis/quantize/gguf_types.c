/* What a quantizer packs as a number type of GGUF. */
#include "quantize/gguf_types.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The largest block of any type: a row of so many columns fills the blocks of all. */
enum { COLUMNS = 256 };

/* A quantizer is asked itself: one row of zeros is packed.  What is one section of 16-bit floats,
 * or of ggml's blocks, can be a tensor of a GGUF file as it is. */
static const rsd_ggml_type *type_of(const rsd_spec *spec)
{
    float zeros[COLUMNS] = { 0 };
    const rsd_mat row = { zeros, 1, COLUMNS, COLUMNS };
    const rsd_ggml_type *type = NULL;
    rsd_packed packed = { 0 };
    if (rsd_pack(spec, row, NULL, &packed) == RSD_OK && packed.sections == 1) {
        const rsd_section *s = &packed.section[0];
        const bool blocks = strcmp(s->name, "blocks") == 0;
        type = rsd_ggml_type_by_name(blocks ? spec->quantizer->name : s->dtype);
        if (type && s->bytes != COLUMNS / type->block * type->bytes)
            type = NULL;
    }
    rsd_packed_free(&packed);
    return type;
}

static size_t append(char *text, size_t used, size_t size, const char *name)
{
    rsd_spec spec;
    if (rsd_spec_parse(name, &spec) || !type_of(&spec) || used >= size)
        return used;
    return used + (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
}

int gguf_type_of(const rsd_spec *spec, const rsd_ggml_type **out)
{
    char known[512] = "";
    size_t used = 0;
    *out = type_of(spec);
    if (*out)
        return RSD_OK;
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        if (!(*q)->aliases)
            used = append(known, used, sizeof known, (*q)->name);
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++)
            used = append(known, used, sizeof known, a->alias);
    }
    return RSD_FAIL(RSD_EUSAGE, "GGUF has no number type for %s; it has for %s", spec->text, known);
}

static const char *fallback(const rsd_ggml_type *type)
{
    static const struct {
        const char *of, *to;
    } rows[] = { { "q2_K", "q4_0" }, { "q3_K", "q4_0" },     { "q4_K", "q5_0" }, { "q5_K", "q5_1" },
                 { "q6_K", "q8_0" }, { "iq4_xs", "iq4_nl" }, { "tq2_0", "q4_0" } };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (strcasecmp(rows[k].of, type->name) == 0)
            return rows[k].to;
    return "fp16";
}

int gguf_type_for_columns(rsd_spec *spec, size_t n, const rsd_ggml_type **out)
{
    RSD_TRY(gguf_type_of(spec, out));
    while (n % (*out)->block) { /* ends: every chain does at fp16, whose block is 1 */
        RSD_TRY(rsd_spec_parse(fallback(*out), spec));
        RSD_TRY(gguf_type_of(spec, out));
    }
    return RSD_OK;
}

uint32_t gguf_file_type(const rsd_ggml_type *type)
{
    static const struct {
        const char *name;
        uint32_t number;
    } rows[] = { { "f32", 0 },     { "f16", 1 },     { "q4_0", 2 },  { "q4_1", 3 },
                 { "q8_0", 7 },    { "q5_0", 8 },    { "q5_1", 9 },  { "q2_K", 10 },
                 { "q3_K", 11 },   { "q4_K", 14 },   { "q5_K", 16 }, { "q6_K", 18 },
                 { "iq4_nl", 25 }, { "iq4_xs", 30 }, { "bf16", 32 }, { "tq2_0", 37 },
                 { "mxfp4", 38 } };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (strcasecmp(rows[k].name, type->name) == 0)
            return rows[k].number;
    return 1024;
}
