/* Private to src/quantizers: NormalFloat's levels, for quantizers that round to them in an order of
 * their own. */
#ifndef RSD_QUANTIZERS_NF_H
#define RSD_QUANTIZERS_NF_H

#include <stdint.h>

/* Level of a code, in [-1, 1]; bits 2, 3 or 4. */
float rsd_nf_level(int bits, uint8_t code);

/* Code of the nearest level; a midpoint goes down. */
uint8_t rsd_nf_code(int bits, float x);

#endif
