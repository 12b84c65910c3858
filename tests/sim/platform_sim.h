/* platform_sim.h - the names of platform.h with a scheduler behind them.
 *
 * A build with STMPY_SIM includes this instead of the atomics.  Logical threads are fibres
 * of one thread: between any two shared accesses another one may run, a process may die,
 * and a store may stay invisible to the others as long as its memory order allows.
 */
#ifndef PLATFORM_SIM_H
#define PLATFORM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_order { SIM_RELAXED, SIM_RELEASE, SIM_SEQ_CST };

uint64_t sim_load(const void *address, size_t bytes, const char *where);
void sim_put(void *address, size_t bytes, uint64_t value, enum sim_order order, const char *where);
uint64_t sim_exchange(void *address, size_t bytes, uint64_t value, const char *where);
uint64_t sim_add(void *address, size_t bytes, uint64_t value, const char *where);
uint64_t sim_or(void *address, size_t bytes, uint64_t value, const char *where);
bool sim_cas(void *address, size_t bytes, void *expected, uint64_t desired, const char *where);
void sim_bump(void *address, size_t bytes, uint64_t value);
void sim_pause(const char *where);

#define SIM_VALUE(p, result) ((__typeof__(+*(p)))(result))
#define load_relaxed(p) SIM_VALUE(p, sim_load((p), sizeof *(p), __func__))
#define load_acquire(p) load_relaxed(p)
#define load_seq_cst(p) load_relaxed(p)
#define put_relaxed(p, v) sim_put((p), sizeof *(p), (v), SIM_RELAXED, __func__)
#define put_release(p, v) sim_put((p), sizeof *(p), (v), SIM_RELEASE, __func__)
#define put_seq_cst(p, v) sim_put((p), sizeof *(p), (v), SIM_SEQ_CST, __func__)
#define exchange_acq_rel(p, v) SIM_VALUE(p, sim_exchange((p), sizeof *(p), (v), __func__))
#define add_relaxed(p, v) SIM_VALUE(p, sim_add((p), sizeof *(p), (v), __func__))
#define or_acq_rel(p, v) SIM_VALUE(p, sim_or((p), sizeof *(p), (v), __func__))
#define cas_acq_rel(p, expected, desired) \
    sim_cas((p), sizeof *(p), (expected), (desired), __func__)
#define bump_relaxed(p, n) sim_bump((p), sizeof *(p), (n))
#define show_relaxed(p, v) ((void)(*(p) = (v)))
#define platform_pause() sim_pause(__func__)
#define platform_ticks() 0u

#endif
