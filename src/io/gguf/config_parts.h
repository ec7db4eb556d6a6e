/* Private to src/io/gguf.  The configuration of a GGUF model while it is written: shared by the
 * files that write it. */
#ifndef RSD_IO_GGUF_CONFIG_PARTS_H
#define RSD_IO_GGUF_CONFIG_PARTS_H

#include "err.h"
#include "io/gguf/config_json.h"
#include "io/gguf/keys.h"
#include "io/gguf/split.h"

typedef struct {
    const rsd_gguf_parts *parts;
    rsd_gguf_keys keys;
    json_t *json;
} rsd_gguf_configuration;

/* rope_theta under the name of the architecture's configuration, and rope_scaling, for heads that
 * turn in `rotated` dimensions: from rope.freq_base, rope.scaling.* and the tensor
 * rope_freqs.weight.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_config_rope(rsd_gguf_configuration *c, const char *theta_name,
                                   size_t rotated);

#endif
