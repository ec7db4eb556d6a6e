/* Megatron's index: what is accepted describes data of its tokens' bytes and fills the file. */
#include "fuzz.h"

#include "io/tokens/megatron.h"

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_megatron m;
    const int err = rsd_megatron_parse(data, size, &m);
    if (err) {
        PROMISE(*rsd_errmsg());
        return err;
    }
    PROMISE(m.sequences <= size / 12);
    PROMISE(m.data_bytes / rsd_dtype_bytes(m.dtype) == m.tokens);
    PROMISE(m.data_bytes % rsd_dtype_bytes(m.dtype) == 0);
    return RSD_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
