/* What a sweep says at its end, and how much memory the system says a run took. */
#ifndef RSD_RECOVER_REPORT_H
#define RSD_RECOVER_REPORT_H

#include "recover/outcome.h"

/* Bytes by the system: resident anonymous memory, and the most of all memory since the reset. */
size_t memory_resident(void);
size_t memory_peak(void);
void memory_reset_peak(void);

void report_table(const sweep *s, const outcome *outcomes);
RSD_CHECK int report_json(const sweep *s, const outcome *outcomes);

#endif
