/* Signals that ask for an end: where they are handled, and where not. */
#include "cli/stop.h"
#include "test.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* A signal is handled once, so each case is a process of its own, which exits with 0. */
static void in_a_process(int (*body)(void))
{
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- a thread whose stack pointer stands where nothing may be written below it ---- */

enum { ROOM = 1 << 16, OWN = 1 << 9, UNTOUCHED = 0xa5 };

static ucontext_t outside, inside;
static _Atomic(uintptr_t) lowest; /* what it may use begins here; 0 before it computes */

static void compute(void)
{
    volatile char here = 0;
    lowest = (uintptr_t)&here - OWN;
    while (!stop_requested())
        here++;
}

static void *interrupt(void *unused)
{
    while (!lowest)
        usleep(100);
    kill(getpid(), SIGINT);
    return unused;
}

static int computes_elsewhere(void)
{
    pthread_t other;
    unsigned char *room =
        mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED || stop_install() || getcontext(&inside))
        return 2;
    memset(room, UNTOUCHED, ROOM);
    inside.uc_stack.ss_sp = room;
    inside.uc_stack.ss_size = ROOM;
    inside.uc_link = &outside;
    makecontext(&inside, compute, 0);
    if (pthread_create(&other, NULL, interrupt, NULL) || swapcontext(&outside, &inside) ||
        pthread_join(other, NULL))
        return 3;
    const size_t below = lowest - (uintptr_t)room;
    if (below > ROOM)
        return 4;
    for (size_t i = 0; i < below; i++)
        if (room[i] != UNTOUCHED)
            return 1;
    return stop_signal() == SIGINT ? 0 : 5;
}

static void leaves_alone_what_computes(void **state)
{
    (void)state;
    in_a_process(computes_elsewhere);
}

/* ---- every thread of a parallel region is one that computes ---- */

static int blocked_in_all(void)
{
    int open = 0;
    if (stop_install())
        return 2;
#pragma omp parallel num_threads(4) reduction(+ : open)
    {
        sigset_t set;
        pthread_sigmask(SIG_SETMASK, NULL, &set);
        open += !sigismember(&set, SIGINT) || !sigismember(&set, SIGTERM);
    }
    return open != 0;
}

static void blocks_in_every_thread(void **state)
{
    (void)state;
    in_a_process(blocked_in_all);
}

/* ---- what is started from here ---- */

static int child_is_open(void)
{
    sigset_t before, after;
    sigset_t now;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1); /* blocked by whoever started us */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (stop_install())
        return 2;
    stop_child_mask(&after);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    return sigismember(&after, SIGINT) || sigismember(&after, SIGTERM) ||
           !sigismember(&after, SIGUSR1) || !sigismember(&now, SIGINT);
}

static void children_are_not_blocked(void **state)
{
    (void)state;
    in_a_process(child_is_open);
}

/* ---- once to stop, again to kill ---- */

static void first_stops_second_kills(void **state)
{
    (void)state;
    const int signals[] = { SIGINT, SIGTERM };
    for (size_t i = 0; i < 2; i++) {
        int said[2], status;
        char byte;
        assert_int_equal(pipe(said), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (stop_install() || write(said[1], "i", 1) != 1)
                _exit(2);
            while (!stop_requested())
                usleep(100);
            if (stop_signal() != signals[i] || write(said[1], "s", 1) != 1)
                _exit(3);
            alarm(60); /* if nothing kills it, this does, and is told apart */
            for (;;)
                pause();
        }
        close(said[1]);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(read(said[0], &byte, 1), 1);
            assert_int_equal(byte, "is"[k]);
            assert_int_equal(kill(child, signals[i]), 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
        close(said[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_alone_what_computes),
        cmocka_unit_test(blocks_in_every_thread),
        cmocka_unit_test(children_are_not_blocked),
        cmocka_unit_test(first_stops_second_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
