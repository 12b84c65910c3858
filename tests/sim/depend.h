/* depend.h - what each step touches, and which schedules need not be run.
 */
#ifndef DEPEND_H
#define DEPEND_H

#include "sim.h"

enum depend_kind { DEPEND_READ, DEPEND_WRITE, DEPEND_FENCE /* writes, with an empty buffer */ };

struct access {
    uintptr_t from, to;
    uint8_t fibre; /* or FIBRES + fibre: its store buffer */
    uint8_t kind;  /* enum depend_kind */
};

/* What a fibre touches from one point to the next. */
#define STEP_ACCESSES 40u
#define STEP_UNKNOWN UINT32_MAX
struct step {
    uint32_t count;
    struct access accesses[STEP_ACCESSES];
};

/* From here on, or no longer, it is noted who uses which address, run by run. */
void depend_learn(bool on);
/* Whether two fibres use the address and one writes to it; how many such there are. */
bool depend_shared(const void *address);
uint32_t depend_shared_count(void);
/* Whether runs are broken off that others stand for. */
void depend_reduce(bool on);
void depend_reset(bool on);
/* Accesses so far, and those that write. */
uint32_t depend_position(void);
uint32_t depend_writes(void);
void depend_access(unsigned fibre, const void *address, size_t bytes, enum depend_kind kind);
/* The step of the fibre that made the access `from`. */
void depend_step_at(uint32_t from, uint32_t until, struct step *out);
/* The fibre is pre-empted before the step, and goes on. */
void depend_rest(unsigned fibre, uint32_t from, const struct step *step);
void depend_go_on(unsigned fibre);
/* A store of the fibre becomes visible. */
void depend_shown(unsigned fibre, const struct buffered *store);
/* What others may do while a fibre rests; each set has a bit for some addresses. */
#define REACH_BITS 16384u
struct reach {
    uint64_t read[REACH_BITS / 64], written[REACH_BITS / 64];
};
/* Adds what they did in the run just over, while the step of the same place had to wait. */
void depend_reach(const struct step *steps, struct reach *reaches);
/* Whether the step depends on something of it. */
bool depend_reaches(const struct reach *reach, const struct step *step);
/* Whether it was redundant to let the fibre go on, or its held store become visible, at that
 * moment of the run. */
bool depend_redundant(unsigned fibre, uint32_t at);
bool depend_unseen(unsigned fibre, const struct held *held, uint32_t at);

#endif
