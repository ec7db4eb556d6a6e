/* Ctrl-C and SIGTERM: the item at hand is finished and the file closed.  A second one kills. */
#ifndef RSD_STOP_H
#define RSD_STOP_H

#include <stdbool.h>

void stop_install(void);
bool stop_requested(void);
int stop_signal(void); /* the signal that asked, 0 for none */

#endif
