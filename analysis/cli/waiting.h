/* Threads that wait asleep.
 *
 * An idle thread of OpenMP spins before it sleeps, by default long enough to take the processor
 * from whoever else has work: beside two busy loops a pass over a small model took four times as
 * long.  The library reads the environment when it is loaded, before main() can say anything, so
 * the program is started a second time with OMP_WAIT_POLICY=passive. */
#ifndef RSD_WAITING_H
#define RSD_WAITING_H

/* First thing in main.  Comes back where nothing is to be done: OMP_WAIT_POLICY or GOMP_SPINCOUNT
 * is set, by the user or by the first start, or the program cannot be started again. */
void waiting_settle(char **argv);

#endif
