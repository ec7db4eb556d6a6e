/* README.md of a folder of adapters: what they stand on, and the commands that load both. */
#ifndef RSD_RECOVER_SAVE_README_H
#define RSD_RECOVER_SAVE_README_H

#include "recover/sweep.h"

typedef struct {
    const sweep *sweep;
    const recover_run *run;
    const char *base; /* the folder of W_q; NULL: not written */
} save_readme;

/* said: the run's loss with these adapters; read: what the folder gave when it was read back.
 * Errors: RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int save_readme_write(const save_readme *r, const char *folder, double said, double read);

#endif
