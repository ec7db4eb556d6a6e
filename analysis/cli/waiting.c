/* Starting again with threads that wait asleep. */
#include "cli/waiting.h"

#include <stdlib.h>
#include <unistd.h>

void waiting_settle(char **argv)
{
    char self[4096];
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT"))
        return;
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || setenv("OMP_WAIT_POLICY", "passive", 1) != 0)
        return;
    self[n] = 0;
    execv(self, argv);
}
