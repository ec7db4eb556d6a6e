/* Ctrl-C and SIGTERM: what is done is kept and the file closed.  What takes long asks on its way:
 * between layers and between passes over windows.  A second signal kills. */
#ifndef RSD_STOP_H
#define RSD_STOP_H

#include <stdbool.h>

void stop_install(void);
bool stop_requested(void);
bool stop_callback(void *unused); /* the same, for the hooks of src */
int stop_signal(void);            /* the signal that asked, 0 for none */

#endif
