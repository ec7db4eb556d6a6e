/* A fuzz target: one reader fed with any bytes.
 *
 * With clang -fsanitize=fuzzer each target is a fuzzer; with replay.c it is a plain test that
 * feeds it the corpus. */
#ifndef RSD_FUZZ_H
#define RSD_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read the bytes and check what a caller may rely on.  The reader's code: RSD_OK, or why not. */
int fuzz_read(const uint8_t *data, size_t size);

/* A broken promise ends the process, which both a fuzzer and a test notice. */
#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#endif
