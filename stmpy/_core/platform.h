/* platform.h - the one door to atomics, time, sleeping threads and processes.
 *
 * Everything in the core that another thread can observe passes through here, so that a
 * test build (STMPY_SIM) can put a scheduler in its place and decide who runs between any
 * two shared accesses.  Memory orders are part of the names; the place that uses one says
 * what it pairs with.
 */
#ifndef STMPY_PLATFORM_H
#define STMPY_PLATFORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint16_t shared_u16;
typedef _Atomic uint32_t shared_u32;
typedef _Atomic uint64_t shared_u64;

/* SCALED is a bound that a simulation makes small, so that short runs reach it; PLANTED is
 * a bug that a simulation turns on, to show that it would be found. */
#ifdef STMPY_SIM
#define SCALED(normal, simulated) (simulated)
#include "plants.h"
#include "platform_sim.h"
#else
#define SCALED(normal, simulated) (normal)
#ifdef STMPY_PLANTS
#include "plants.h"
#else
#define PLANTED(name) false
#endif

#define load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define load_seq_cst(p) atomic_load_explicit((p), memory_order_seq_cst)
#define put_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define put_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define put_seq_cst(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)
#define exchange_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define add_relaxed(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define or_acq_rel(p, v) atomic_fetch_or_explicit((p), (v), memory_order_acq_rel)
#define cas_acq_rel(p, expected, desired)                                                  \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_acq_rel, \
                                            memory_order_acquire)

/* A counter that one thread writes and others may read at any time: a plain add
 * without a locked instruction. */
#define bump_relaxed(p, n)                                                   \
    atomic_store_explicit((p),                                               \
                          atomic_load_explicit((p), memory_order_relaxed) + (n), \
                          memory_order_relaxed)

/* A word that shows others what this thread does: nothing in the core depends on it. */
#define show_relaxed(p, v) put_relaxed(p, v)

/* Tells the processor that this is a wait loop. */
static inline void platform_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__("yield" ::: "memory");
#endif
}

/* The processor's own clock: a third of the time that platform_now_ns takes.  Differences
 * between two processors may be off, also below zero. */
static inline uint64_t platform_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    uint64_t platform_now_ns(void);
    return platform_now_ns();
#endif
}

#endif /* STMPY_SIM */

enum platform_wait {
    PLATFORM_WOKEN,       /* woken, or the word had changed already */
    PLATFORM_TIMED_OUT,   /* the time is up */
    PLATFORM_INTERRUPTED, /* a signal arrived in this thread */
};

/* Sleeps while *word == expected, at most `timeout_ns` nanoseconds.  The word may
 * lie in memory shared between processes.  May wake for no reason. */
enum platform_wait platform_futex_wait(shared_u32 *word, uint32_t expected, uint64_t timeout_ns);

/* Wakes up to `count` threads that sleep on the word, in any process. */
void platform_futex_wake(shared_u32 *word, int count);

/* Nanoseconds of a clock that never goes back. */
uint64_t platform_now_ns(void);

/* Nanoseconds per tick, times 2^32.  Takes up to a millisecond: it is measured. */
uint64_t platform_tick_scale(void);

/* This process, as other processes sharing a region know it. */
uint32_t platform_process_id(void);

/* The start time of a process in the kernel's ticks, its lower bits; 0 if it can't be
 * known.  With the id it names a process even after the id was given to another one. */
uint32_t platform_process_start(uint32_t pid);

/* False once the process has ended, also when nobody has collected its exit yet. */
bool platform_process_alive(uint32_t pid, uint32_t start);

/* An id of the calling thread that is unique on this machine while it lives. */
uint64_t platform_thread_id(void);

/* Fills `out` with bytes nobody can guess; false if the system has none. */
bool platform_random(void *out, size_t bytes);

#endif
