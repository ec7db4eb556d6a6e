/* Matrices whose answer is known, which the program adds beside the user's models. */
#ifndef RSD_RESULT_CONTROL_H
#define RSD_RESULT_CONTROL_H

#include "io/store.h"

#include <stdbool.h>

/* Is this model of the file a control?  Its group says so by the attribute `control`; in files of
 * programs that did not write it, it is the synthetic model called "control".  A model that is not
 * there is none. */
bool result_is_control(const rsd_store *store, const char *model);

#endif
