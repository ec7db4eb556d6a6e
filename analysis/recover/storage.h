/* What becomes of a student's factors when they are stored (--factors). */
#ifndef RSD_RECOVER_STORAGE_H
#define RSD_RECOVER_STORAGE_H

#include "recover/student.h"

/* The adapters become what unpacking their stored bytes gives, and so does what passes compute.
 * *bytes: of all of them, counted; 0 with --quantization-aware, where what was trained lies on the
 * quantizer's grid and no factors are kept.  Errors: those of rsd_adapters_store, RSD_ENOMEM. */
RSD_CHECK int student_store(student *m, int64_t *bytes);

#endif
