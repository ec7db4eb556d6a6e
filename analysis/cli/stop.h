/* Ctrl-C and SIGTERM: what is done is kept and the file closed.  What takes long asks on its way:
 * between layers and between passes over windows.  A second signal kills.
 *
 * A signal must not be handled on a thread that computes.  The system lays the handler's frame, one
 * to several kilobytes, below the stack pointer of the thread that it interrupts, and products that
 * oneDNN compiles for AVX2 keep something else in this register: for some shapes, in oneDNN 2.6
 * 64 x 128 x 256 is one, it points at a work buffer on the heap, and the frame overwrites whatever
 * lies before that.  So both signals are blocked in every thread but one, which waits for them and
 * computes nothing.  (OpenBLAS starts threads before main; they keep to their stacks and may be
 * interrupted.) */
#ifndef RSD_STOP_H
#define RSD_STOP_H

#include "err.h"

#include <signal.h>
#include <stdbool.h>

/* Once, in main's thread, before it starts others: they inherit what it blocks.
 * Errors: RSD_ENOMEM: no thread. */
RSD_CHECK int stop_install(void);
bool stop_requested(void);
bool stop_callback(void *unused); /* the same, for the hooks of src */
int stop_signal(void);            /* the signal that asked, 0 for none */

/* What programs that are started here shall block: as this thread, without the two signals. */
void stop_child_mask(sigset_t *out);

#endif
