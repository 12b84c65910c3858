/* platform.c - Linux under platform.h.  A simulation has a file of its own instead.
 *
 * Invariant: nothing here keeps state that changes, so any thread of any process may call
 * it at any moment, also between fork and exec.
 */
#include "platform.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum platform_wait platform_futex_wait(shared_u32 *word, uint32_t expected, uint64_t timeout_ns)
{
    struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / 1000000000u),
        .tv_nsec = (long)(timeout_ns % 1000000000u),
    };
    long result = syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, NULL, 0);
    if (result == 0 || errno == EAGAIN)
        return PLATFORM_WOKEN;
    return errno == EINTR ? PLATFORM_INTERRUPTED : PLATFORM_TIMED_OUT;
}

void platform_futex_wake(shared_u32 *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

uint64_t platform_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t loaded_ticks, loaded_ns; /* Immutable once the library is loaded */

__attribute__((constructor)) static void note_load(void)
{
    loaded_ns = platform_now_ns();
    loaded_ticks = platform_ticks();
}

#define SCALE_NS 1000000u /* shorter than this, the time between two readings counts too much */

uint64_t platform_tick_scale(void)
{
    uint64_t ns, ticks;
    do {
        ns = platform_now_ns() - loaded_ns;
        ticks = platform_ticks() - loaded_ticks;
    } while (ns < SCALE_NS);
    return ticks == 0 ? 0 : (uint64_t)(((unsigned __int128)ns << 32) / ticks);
}

uint32_t platform_process_id(void)
{
    return (uint32_t)getpid();
}

uint64_t platform_thread_id(void)
{
    return (uint64_t)syscall(SYS_gettid);
}

struct process_stat {
    char state;
    long threads;
    uint64_t start;
};

/* Reads /proc/PID/stat.  The command name may hold any bytes, so the fields are
 * counted from the last closing parenthesis. */
static bool read_stat(uint32_t pid, struct process_stat *out)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    char *field = strrchr(text, ')');
    if (field == NULL || field[1] == '\0')
        return false;
    field += 2;
    out->state = *field;
    out->threads = 0;
    out->start = 0;
    /* Field 3 is the state; 20 the number of threads; 22 the start time. */
    for (int number = 4; number <= 22; number++) {
        field = strchr(field, ' ');
        if (field == NULL)
            return false;
        field++;
        if (number == 20)
            out->threads = strtol(field, NULL, 10);
        if (number == 22)
            out->start = strtoull(field, NULL, 10);
    }
    return true;
}

uint32_t platform_process_start(uint32_t pid)
{
    struct process_stat stat;
    return read_stat(pid, &stat) ? (uint32_t)stat.start : 0;
}

bool platform_process_alive(uint32_t pid, uint32_t start)
{
    struct process_stat stat;
    if (!read_stat(pid, &stat)) {
        /* Without /proc only the id can be asked for. */
        return access("/proc/self/stat", R_OK) != 0;
    }
    if (start != 0 && (uint32_t)stat.start != start)
        return false;
    /* A zombie with other threads left is a process whose first thread has ended. */
    bool ended = stat.state == 'Z' || stat.state == 'X' || stat.state == 'x';
    return !ended || stat.threads > 1;
}

bool platform_random(void *out, size_t bytes)
{
    return getrandom(out, bytes, 0) == (ssize_t)bytes;
}
