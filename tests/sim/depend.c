/* depend.c - which schedules are worth running: those that order dependent steps anew.
 *
 * A step is what a fibre does from one point to the next: an access to an address that two
 * fibres use, and whatever it does then that is nobody else's business.  Two steps depend
 * on each other if both touch the same memory, and one of them writes.
 *   A fibre that was pre-empted and goes on before anybody has done what its next step
 * depends on could have taken that step first: the schedule that pre-empts it one point
 * later does the same to everybody and costs no more.  Such a run is redundant and is broken
 * off.  Of schedules that are the same, the one with the latest pre-emptions is left; it
 * exists, as every exchange makes a schedule smaller in the order in which going on comes
 * before switching.  Likewise a store that is held back, unless somebody else has touched
 * the address meanwhile.
 *   What the others can do meanwhile is the same whenever they are let in, until the fibre
 * does what it depends on: so most redundant runs are foreseen, by what was reached before.
 *   (Persistent and sleep sets: Godefroid, 1996; with a bound: Coons, Musuvathi and
 * McKinley, 2013.  Accesses that are no atomics go with the atomics, as there are no races.)
 */
#include "depend.h"

#define ACCESSES 16384u
#define RESTS 64u

/* A fibre waits before a step that was its turn, from one access of the run to another. */
struct rest {
    unsigned fibre;
    uint32_t from, until;
    const struct step *step;
};

static struct access accesses[ACCESSES];
static uint32_t count;
static struct rest rests[RESTS];
static uint32_t rest_count;
static uint32_t writes;
static bool seeing, noting, reducing = true;

/* ---- which addresses matter ------------------------------------------------------------------- */

#define SEEN (1u << 17)
#define WORD 4u
static struct seen {
    uintptr_t word; /* 0: free */
    uint8_t fibres;
    bool written;
} seen[SEEN];
static uint32_t shared_count;

void depend_learn(bool on)
{
    if (on)
        memset(seen, 0, sizeof seen);
    shared_count = on ? 0 : shared_count;
    seeing = on;
}

static struct seen *seen_at(uintptr_t word)
{
    size_t place = word * 2654435761u % SEEN;
    while (seen[place].word != 0 && seen[place].word != word)
        place = (place + 1) % SEEN;
    return &seen[place];
}

static bool is_shared(const struct seen *there)
{
    return there->written && (there->fibres & (there->fibres - 1)) != 0;
}

static void see(uintptr_t word, unsigned fibre, bool written)
{
    struct seen *there = seen_at(word);
    bool before = is_shared(there);
    there->word = word;
    there->fibres |= (uint8_t)(1u << fibre);
    there->written |= written;
    shared_count += is_shared(there) != before;
}

bool depend_shared(const void *address)
{
    return is_shared(seen_at((uintptr_t)address / WORD));
}

uint32_t depend_shared_count(void)
{
    return shared_count;
}

/* ---- the accesses of a run ---------------------------------------------------------------------- */

void depend_reduce(bool on)
{
    reducing = on;
}

void depend_reset(bool on)
{
    noting = on;
    count = rest_count = writes = 0;
}

uint32_t depend_position(void)
{
    return count;
}

uint32_t depend_writes(void)
{
    return writes;
}

void depend_access(unsigned fibre, const void *address, size_t bytes, enum depend_kind kind)
{
    uintptr_t from = (uintptr_t)address, to = from + bytes;
    for (uintptr_t word = from / WORD; seeing && word <= (to - 1) / WORD; word++)
        see(word, fibre % FIBRES, kind != DEPEND_READ);
    if (!noting)
        return;
    if (count == ACCESSES)
        sim_fail("the simulator remembers too few accesses");
    writes += kind != DEPEND_READ;
    accesses[count++] = (struct access){from, to, (uint8_t)fibre, (uint8_t)kind};
}

void depend_step_at(uint32_t from, uint32_t until, struct step *out)
{
    unsigned fibre = accesses[from].fibre % FIBRES;
    out->count = 0;
    for (; from < until && from < count && accesses[from].fibre % FIBRES == fibre; from++) {
        if (out->count == STEP_ACCESSES) {
            out->count = STEP_UNKNOWN;
            return;
        }
        out->accesses[out->count++] = accesses[from];
    }
}

/* A buffer that is emptied is a fibre of its own: it is in the way of fences alone. */
static bool depends(const struct access *mine, const struct access *other, unsigned fibre)
{
    if (other->fibre % FIBRES == fibre)
        return other->fibre != mine->fibre && mine->kind == DEPEND_FENCE;
    return mine->from < other->to && other->from < mine->to &&
           (mine->kind != DEPEND_READ || other->kind != DEPEND_READ);
}

static bool in_the_way(const struct rest *rest, uint32_t until)
{
    if (rest->step->count == STEP_UNKNOWN)
        return true;
    for (uint32_t i = 0; i < rest->step->count; i++) {
        for (uint32_t j = rest->from; j < until; j++) {
            if (depends(&rest->step->accesses[i], &accesses[j], rest->fibre))
                return true;
        }
    }
    return false;
}

void depend_rest(unsigned fibre, uint32_t from, const struct step *step)
{
    if (noting && reducing && rest_count < RESTS)
        rests[rest_count++] = (struct rest){fibre, from, UINT32_MAX, step};
}

void depend_go_on(unsigned fibre)
{
    for (uint32_t i = 0; i < rest_count; i++) {
        struct rest *rest = &rests[i];
        if (rest->fibre != fibre || rest->until != UINT32_MAX)
            continue;
        rest->until = count;
        if (!in_the_way(rest, count))
            sim_stop();
    }
}

bool depend_redundant(unsigned fibre, uint32_t at)
{
    for (uint32_t i = 0; i < rest_count; i++) {
        const struct rest *rest = &rests[i];
        if (rest->fibre == fibre && rest->from <= at && at < rest->until)
            return !in_the_way(rest, at);
    }
    return false;
}

bool depend_unseen(unsigned fibre, const struct held *held, uint32_t at)
{
    uintptr_t address = (uintptr_t)held->address;
    if (!noting || !reducing || held->stores == 0 || held->from == UINT32_MAX)
        return false;
    for (uint32_t i = held->from; i < at; i++) {
        const struct access *access = &accesses[i];
        if (access->fibre % FIBRES != fibre && access->from <= address && address < access->to)
            return false;
    }
    return true;
}

void depend_shown(unsigned fibre, const struct buffered *store)
{
    struct held held = {1, store->held_from, store->address};
    if (depend_unseen(fibre, &held, count))
        sim_stop();
    depend_access(FIBRES + fibre, store->address, store->bytes, DEPEND_WRITE);
}

/* ---- what others can do while a fibre rests ----------------------------------------------------- */

static uint32_t bit_of(uintptr_t word)
{
    return (uint32_t)(word * 0x9e3779b97f4a7c15u >> 40) % REACH_BITS;
}

static void reach_access(struct reach *reach, const struct access *access)
{
    uint64_t *set = access->kind == DEPEND_READ ? reach->read : reach->written;
    for (uintptr_t word = access->from / WORD; word <= (access->to - 1) / WORD; word++)
        set[bit_of(word) / 64] |= (uint64_t)1 << bit_of(word) % 64;
}

void depend_reach(const struct step *steps, struct reach *reaches)
{
    for (uint32_t i = 0; i < rest_count; i++) {
        const struct rest *rest = &rests[i];
        uint32_t until = rest->until < count ? rest->until : count;
        for (uint32_t j = rest->from; j < until; j++)
            reach_access(&reaches[rest->step - steps], &accesses[j]);
    }
}

static bool has(const uint64_t *set, uintptr_t word)
{
    return set[bit_of(word) / 64] >> bit_of(word) % 64 & 1;
}

bool depend_reaches(const struct reach *reach, const struct step *step)
{
    if (step->count == STEP_UNKNOWN || !reducing)
        return true;
    for (uint32_t i = 0; i < step->count; i++) {
        const struct access *access = &step->accesses[i];
        for (uintptr_t word = access->from / WORD; word <= (access->to - 1) / WORD; word++) {
            if (has(reach->written, word) ||
                (access->kind != DEPEND_READ && has(reach->read, word)))
                return true;
        }
    }
    return false;
}
