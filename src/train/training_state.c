#include "train/training_state.h"

#include "transformer/real.h"

#include <string.h>

const char *const rsd_state_real = sizeof(rsd_real) == sizeof(double) ? "F64" : "F32";

int rsd_state_find(const rsd_state_file *f, const char *name, const char *type, size_t bytes,
                   const uint8_t **out)
{
    for (size_t i = 0; i < f->st.count; i++) {
        const rsd_st_entry *e = &f->st.entry[i];
        if (strcmp(e->name, name) != 0)
            continue;
        if (e->bytes != bytes || strcmp(rsd_dtype_name(e->dtype), type) != 0)
            return RSD_FAIL(RSD_EFORMAT, "tensor '%s' is %zu bytes of %s, not %zu of %s", name,
                            e->bytes, rsd_dtype_name(e->dtype), bytes, type);
        *out = f->map.data + e->offset;
        return RSD_OK;
    }
    return RSD_FAIL(RSD_EFORMAT, "no tensor '%s': this is no state of a training", name);
}

int rsd_state_open(const char *path, const char *identity, rsd_state_file *out)
{
    const uint8_t *found;
    *out = (rsd_state_file){ 0 };
    RSD_TRY(rsd_map_open(path, &out->map));
    RSD_TRY(rsd_safetensors_parse(out->map.data, out->map.size, &out->st));
    RSD_TRY(rsd_state_find(out, "identity", "U8", 64, &found));
    if (memcmp(found, identity, 64) != 0)
        return RSD_FAIL(RSD_EARG, "begun with another configuration, other tokens or options");
    return RSD_OK;
}

void rsd_state_close(rsd_state_file *f)
{
    rsd_safetensors_free(&f->st);
    rsd_map_close(&f->map);
    *f = (rsd_state_file){ 0 };
}
