/* config.json: whatever is asked of it, the answers end, and are of their types. */
#include "fuzz.h"

#include "io/config.h"

#include <string.h>

enum { COUNT = 7 };

static int ask(rsd_config *c)
{
    const char *texts[COUNT], *text = NULL;
    size_t size = 1;
    double real = 0;
    bool flag = false, found;
    RSD_TRY(rsd_config_size(c, "hidden_size", 1, 100, &size));
    PROMISE(size >= 1 && size <= 100);
    RSD_TRY(rsd_config_real(c, "rms_norm_eps", &real));
    RSD_TRY(rsd_config_flag(c, "tie_word_embeddings", &flag));
    RSD_TRY(rsd_config_text(c, "hidden_act", &text));
    RSD_TRY(rsd_config_group(c, "rope_scaling", &found));
    RSD_TRY(rsd_config_real(c, "rope_scaling.factor", &real));
    RSD_TRY(rsd_config_text(c, "rope_scaling.type", &text));
    PROMISE(!text || strlen(text) < (size_t)-1);
    RSD_TRY(rsd_config_texts(c, "attention_types", COUNT, texts, &found));
    for (size_t i = 0; found && i < COUNT; i++)
        PROMISE(texts[i] && strlen(texts[i]) < (size_t)-1);
    return rsd_config_finish(c);
}

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_config *c = NULL;
    char *text = calloc(1, size + 1);
    PROMISE(text);
    if (size)
        memcpy(text, data, size);
    int err = rsd_config_parse(text, &c);
    if (!err)
        err = ask(c);
    PROMISE(!err || *rsd_errmsg());
    rsd_config_free(c);
    free(text);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
