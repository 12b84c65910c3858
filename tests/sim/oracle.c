/* oracle.c - the sequential map by commit number, and what each attempt must have seen.
 *
 * Opacity: whatever an attempt read, committed or not, is the map at its snapshot with its
 * own writes on top.  Strict serialisability: what a committed one read is also the map
 * just before its commit number; and no snapshot is older than the clock at its beginning.
 */
#include "depend.h"

#define COMMITS 256u
#define READS 24u

struct reading {
    enum op_kind kind;
    unsigned key;            /* or variable */
    uint64_t contents[KEYS]; /* of one key in [0] or of all; or the count in [0] */
    struct own own;          /* what the attempt had written by then */
};

struct attempt {
    struct txn *txn;
    const struct own *own;
    uint64_t clock; /* at its beginning */
    unsigned count;
    struct reading reads[READS];
};

static uint64_t maps[COMMITS][KEYS]; /* maps[clock - first_clock] */
static int owners[COMMITS];          /* fibre that made it */
static unsigned written[COMMITS];    /* keys that it wrote */
static uint64_t first_clock, last_clock;
static struct attempt attempts[FIBRES];

const uint64_t *oracle_map(uint64_t clock)
{
    if (clock < first_clock || clock > last_clock)
        sim_fail("commit number %llu: the clock has been from %llu to %llu",
                 (unsigned long long)clock, (unsigned long long)first_clock,
                 (unsigned long long)last_clock);
    return maps[clock - first_clock];
}

void oracle_reset(const uint64_t contents[KEYS])
{
    first_clock = last_clock = load_relaxed(&run.region->clock);
    memcpy(maps[0], contents, sizeof maps[0]);
    owners[0] = -1;
    memset(attempts, 0, sizeof attempts);
}

const uint64_t *oracle_final(void)
{
    return maps[last_clock - first_clock];
}

uint64_t oracle_clock_now(void)
{
    return last_clock;
}

/* The key after the attempt, which may depend on what it was before. */
static uint64_t written_over(const struct own *own, unsigned key, uint64_t before)
{
    uint64_t content = own->contents[key];
    if (own->added >> key & 1)
        return (before == ABSENT ? 0 : before) + content;
    if (!(own->commuted >> key & 1))
        return content;
    for (; content > 0; content--)
        before = commuted(before);
    return before;
}

static void lay_over(uint64_t contents[KEYS], const struct own *own)
{
    for (unsigned i = 0; i < KEYS; i++) {
        if (own->written >> i & 1)
            contents[i] = written_over(own, i, contents[i]);
    }
}

void oracle_clock(uint64_t clock)
{
    if (run.current == NULL || clock == last_clock)
        return;
    if (clock != last_clock + 1 || clock - first_clock >= COMMITS)
        sim_fail("the clock goes from %llu to %llu", (unsigned long long)last_clock,
                 (unsigned long long)clock);
    uint64_t *next = maps[clock - first_clock];
    memcpy(next, oracle_final(), sizeof maps[0]);
    lay_over(next, attempts[run.current->number].own);
    owners[clock - first_clock] = (int)run.current->number;
    written[clock - first_clock] = attempts[run.current->number].own->written;
    last_clock = clock;
}

void oracle_begin(unsigned fibre, struct txn *txn, const struct own *own)
{
    attempts[fibre].txn = txn;
    attempts[fibre].own = own;
    attempts[fibre].count = 0;
    depend_access(fibre, (const void *)&run.region->clock, sizeof(uint64_t), DEPEND_READ);
    memcpy(&attempts[fibre].clock, (const void *)&run.region->clock, sizeof(uint64_t));
}

static struct reading *add(unsigned fibre, enum op_kind kind)
{
    struct attempt *attempt = &attempts[fibre];
    struct reading *reading = &attempt->reads[attempt->count++];
    reading->kind = kind;
    reading->own = *attempt->own;
    return reading;
}

void oracle_get(unsigned fibre, unsigned key, uint64_t content)
{
    struct reading *reading = add(fibre, GET);
    reading->key = key;
    reading->contents[0] = content;
}

void oracle_size(unsigned fibre, unsigned variable, uint64_t count)
{
    struct reading *reading = add(fibre, SIZE);
    reading->key = variable;
    reading->contents[0] = count;
}

void oracle_walk(unsigned fibre, unsigned variable, const uint64_t contents[KEYS])
{
    struct reading *reading = add(fibre, WALK);
    reading->key = variable;
    memcpy(reading->contents, contents, sizeof maps[0]);
}

void oracle_keep_variable(uint64_t contents[KEYS], unsigned variable)
{
    for (unsigned i = 0; i < KEYS; i++) {
        if (VARIABLE_OF(i) != variable)
            contents[i] = ABSENT;
    }
}

uint64_t oracle_count(const uint64_t contents[KEYS])
{
    uint64_t live = 0;
    for (unsigned i = 0; i < KEYS; i++)
        live += contents[i] != ABSENT;
    return live;
}

static bool agrees(const struct reading *reading, const uint64_t *map)
{
    uint64_t contents[KEYS];
    memcpy(contents, map, sizeof contents);
    lay_over(contents, &reading->own);
    if (reading->kind == GET)
        return contents[reading->key] == reading->contents[0];
    oracle_keep_variable(contents, reading->key);
    switch (reading->kind) {
    case SIZE:
        return oracle_count(contents) == reading->contents[0];
    default:
        return memcmp(contents, reading->contents, sizeof contents) == 0;
    }
}

static void check_reads(const struct attempt *attempt, uint64_t clock, const char *property)
{
    const uint64_t *map = oracle_map(clock);
    for (unsigned i = 0; i < attempt->count; i++) {
        const struct reading *reading = &attempt->reads[i];
        if (!agrees(reading, map))
            sim_fail("%s: read %u (%s%u) gave %llx, not what was there at %llu", property, i,
                     reading->kind == GET ? "key " : reading->kind == SIZE ? "size " : "walk ",
                     reading->key, (unsigned long long)reading->contents[0],
                     (unsigned long long)clock);
    }
}

/* First committer wins: nobody else wrote the keys between the snapshot and the commit, not
 * even what was there. */
static void check_no_lost_update(const struct attempt *attempt, uint64_t snapshot,
                                 uint64_t committed)
{
    const struct own *own = attempt->own;
    unsigned mine = own->written & ~own->added & ~own->commuted;
    for (uint64_t clock = snapshot + 1; clock < committed; clock++) {
        if (mine & written[clock - first_clock])
            sim_fail("lost update: of keys %x, written by commit %llu after %llu",
                     mine & written[clock - first_clock], (unsigned long long)clock,
                     (unsigned long long)snapshot);
    }
}

void oracle_end(unsigned fibre, enum stm_status status, uint64_t snapshot)
{
    const struct attempt *attempt = &attempts[fibre];
    const struct txn *txn = attempt->txn;
    uint64_t committed = status == STM_OK ? txn->committed : 0;
    if (committed != 0) {
        if (committed - first_clock >= COMMITS || committed > last_clock ||
            owners[committed - first_clock] != (int)fibre)
            sim_fail("commit number %llu is another's", (unsigned long long)committed);
        if (committed <= attempt->clock)
            sim_fail("committed in the past");
    }
    if (snapshot < attempt->clock)
        sim_fail("real time: snapshot %llu, begun at %llu", (unsigned long long)snapshot,
                 (unsigned long long)attempt->clock);
    check_reads(attempt, snapshot, "opacity");
    if (status == STM_OK && committed == 0 && attempt->own->written != 0)
        sim_fail("a block that wrote has committed without a number");
    if (committed != 0 && !(txn->flags & TXN_SNAPSHOT))
        check_reads(attempt, committed - 1, "serialisability");
    if (committed != 0 && txn->flags & TXN_SNAPSHOT)
        check_no_lost_update(attempt, snapshot, committed);
}
