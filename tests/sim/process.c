/* process.c - platform.h for the fibres: each is a process with one thread.
 */
#include "depend.h"

#define FIRST_PID 100u
#define MAIN_PID 1u

static uint64_t word_value(const shared_u32 *word)
{
    uint32_t value;
    memcpy(&value, (const void *)word, sizeof value);
    return value;
}

enum platform_wait platform_futex_wait(shared_u32 *word, uint32_t expected, uint64_t timeout_ns)
{
    struct fibre *self = run.current;
    if (self == NULL) { /* everybody else has ended */
        run.now_ns += timeout_ns;
        return word_value(word) == expected ? PLATFORM_TIMED_OUT : PLATFORM_WOKEN;
    }
    schedule_step(word, "platform_futex_wait");
    memory_drain_all(self);
    bool sleeps = word_value(word) == expected;
    depend_access(self->number, word, sizeof *word, DEPEND_FENCE);
    if (!sleeps)
        return PLATFORM_WOKEN;
    self->word = word;
    self->asleep_since = ++run.sleeps;
    self->deadline_ns = run.now_ns + timeout_ns;
    fibre_block(FIBRE_WAITING);
    return self->woken;
}

static struct fibre *first_sleeper(const void *word)
{
    struct fibre *first = NULL;
    for (unsigned i = 0; i < run.count; i++) {
        struct fibre *fibre = &run.fibres[i];
        if (fibre->state == FIBRE_WAITING && fibre->word == word &&
            (first == NULL || fibre->asleep_since < first->asleep_since))
            first = fibre;
    }
    return first;
}

void platform_futex_wake(shared_u32 *word, int count)
{
    if (run.current != NULL) {
        schedule_step(word, "platform_futex_wake");
        memory_drain_all(run.current);
        depend_access(run.current->number, word, sizeof *word, DEPEND_FENCE);
    }
    for (struct fibre *fibre; count > 0 && (fibre = first_sleeper(word)) != NULL; count--) {
        fibre->state = FIBRE_READY;
        fibre->woken = PLATFORM_WOKEN;
    }
}

uint64_t platform_now_ns(void)
{
    return ++run.now_ns;
}

uint64_t platform_tick_scale(void)
{
    return (uint64_t)1 << 32;
}

uint32_t platform_process_id(void)
{
    if (run.current != NULL)
        return FIRST_PID + run.current->number;
    return run.acting < FIBRES ? FIRST_PID + run.acting : MAIN_PID;
}

uint32_t platform_process_start(uint32_t pid)
{
    return pid * 3;
}

bool platform_process_alive(uint32_t pid, uint32_t start)
{
    if (pid == MAIN_PID)
        return true;
    if (pid < FIRST_PID || pid >= FIRST_PID + FIBRES)
        sim_fail("a process %u was asked for that never was", pid);
    if (run.current != NULL)
        depend_access(run.current->number, &run.fibres[pid - FIRST_PID].state,
                      sizeof(enum fibre_state), DEPEND_READ);
    return (start == 0 || start == pid * 3) && run.fibres[pid - FIRST_PID].state != FIBRE_DEAD;
}

uint64_t platform_thread_id(void)
{
    return platform_process_id();
}

bool platform_random(void *out, size_t bytes)
{
    memset(out, 0x5a, bytes);
    return true;
}
