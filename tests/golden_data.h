/* Inputs that upstream's answers are about, and the digests by which answers are stored. */
#ifndef RSD_TEST_GOLDEN_DATA_H
#define RSD_TEST_GOLDEN_DATA_H

#include "mat.h"

#include "read_npy.h"
#include "test.h"

#include <nettle/sha2.h>

/* The input, from the committed fixtures or beside the checkout; false where it is not there. */
static inline bool load_input(const char *name, bool committed, rsd_mat *W)
{
    char path[128];
    snprintf(path, sizeof path, committed ? "quantizers/%s.npy" : "golden/in/%s.npy", name);
    const char *full = committed ? fixture(path) : shared_file(path);
    if (!full)
        return false;
    rsd_npy head;
    float *x = read_npy(full, RSD_F32, &head);
    assert_int_equal(head.ndim, 2);
    *W = (rsd_mat){ x, head.shape[0], head.shape[1], head.shape[1] };
    return true;
}

static inline bool is_committed(const char *input)
{
    return strcmp(input, "edge_32x512") == 0 || strcmp(input, "odd_37x53") == 0;
}

static inline void hash(const void *data, size_t size, char text[65])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, size, data);
    sha256_digest(&context, sizeof digest, digest);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

#endif
