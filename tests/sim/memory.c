/* memory.c - shared accesses one by one, stores that are seen late, blocks that are live.
 *
 * Each fibre has a store buffer.  A relaxed store may become visible at any later moment,
 * in any order but that of one address; a release store after all before it; a sequentially
 * consistent store and every read-modify-write empty the buffer.  In half of the runs the
 * buffer is a queue, as on x86.
 *   arena_alloc and arena_free of the core are wrapped here: a map of the arena says which
 * block is live, freed memory is overwritten, and whoever touches it is caught.
 */
#include "depend.h"

enum stm_status core_arena_alloc(struct store *store, struct slot *slot, size_t bytes,
                                 region_ref *out);
void core_arena_free(struct store *store, struct slot *slot, region_ref ref, size_t bytes);
void core_arena_flush(struct store *store, struct slot *slot);

#define UNITS 65536u /* of 16 bytes: as much of the arena as is watched */
enum { FREE_UNIT = 0, INNER_UNIT = 1, FIRST_BLOCK = 16 };

static uint8_t *arena_start;
static uint8_t units[UNITS], kept_units[UNITS]; /* FIRST_BLOCK + class, INNER_UNIT, FREE_UNIT */
static uint32_t kept_count, high_unit;          /* units above were never used */
static bool main_in_arena;

static uint8_t class_code(size_t bytes)
{
    size_t rounded = arena_rounded(bytes);
    uint8_t code = FIRST_BLOCK;
    for (size_t step = 16; step < rounded && code < 255; code++)
        step = arena_rounded(step + 1);
    return code;
}

static void watch(struct store *store)
{
    run.region = store->region;
    arena_start = (uint8_t *)store->region + (store->mapped_bytes - store_arena_bytes(store));
    memset(units, FREE_UNIT, sizeof units);
    high_unit = kept_count = 0;
}

void memory_forget(void)
{
    static struct region nothing;
    arena_start = NULL;
    run.region = &nothing;
}

void memory_keep(void)
{
    memcpy(kept_units, units, high_unit);
    kept_count = high_unit;
}

void memory_reset(void)
{
    memcpy(units, kept_units, kept_count);
    memset(units + kept_count, FREE_UNIT, high_unit - kept_count);
    if (high_unit > kept_count)
        memset(arena_start + 16 * (size_t)kept_count, 0xdd, 16 * (size_t)(high_unit - kept_count));
    high_unit = kept_count;
}

static uint32_t unit_of(const void *address)
{
    size_t offset = (size_t)((const uint8_t *)address - arena_start);
    return (const uint8_t *)address < arena_start || offset / 16 >= UNITS ? UINT32_MAX
                                                                         : (uint32_t)(offset / 16);
}

static void check_live(const void *address, const char *where)
{
    uint32_t unit = arena_start == NULL ? UINT32_MAX : unit_of(address);
    bool arena = run.current != NULL ? run.current->in_arena : main_in_arena;
    if (unit != UINT32_MAX && units[unit] == FREE_UNIT && !arena)
        sim_fail("use of freed memory in %s", where);
    if ((size_t)((const uint8_t *)address - (const uint8_t *)run.region) < 16)
        sim_fail("use of block 0 in %s", where);
}

bool memory_is_block(region_ref ref, size_t bytes)
{
    uint32_t unit = unit_of((uint8_t *)run.region + ((size_t)ref << 4));
    return unit != UINT32_MAX && units[unit] == class_code(bytes);
}

static size_t code_bytes(uint8_t code)
{
    size_t bytes = 16;
    while (code-- > FIRST_BLOCK)
        bytes = arena_rounded(bytes + 1);
    return bytes;
}

uint64_t memory_live_bytes(void)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < high_unit; i++) {
        if (units[i] >= FIRST_BLOCK)
            bytes += code_bytes(units[i]);
    }
    return bytes;
}

uint64_t memory_live_blocks(void)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < high_unit; i++)
        blocks += units[i] >= FIRST_BLOCK;
    return blocks;
}

bool memory_is_free(region_ref ref)
{
    uint32_t unit = unit_of((uint8_t *)run.region + ((size_t)ref << 4));
    return unit != UINT32_MAX && units[unit] == FREE_UNIT;
}

/* ---- what a death leaves ---------------------------------------------------------------------- */

static uint64_t mix(uint64_t digest, const void *from, const void *to)
{
    const uint64_t *words = from;
    for (; words < (const uint64_t *)to; words++)
        digest = (digest ^ *words) * 0x9e3779b97f4a7c15u;
    return digest;
}

/* The buckets of waiters and the newest cells are atomics, of which the accesses are known. */
uint64_t memory_digest(const struct store *store)
{
    const struct region *region = store->region;
    const uint8_t *start = (const uint8_t *)region;
    uint64_t digest = mix(1, &region->index, start + offsetof(struct region, recent));
    digest = mix(digest, &region->log, start + offsetof(struct region, sites));
    for (uint32_t i = 0; i < FIBRES + 1; i++)
        digest = mix(digest, &store_slots(store)[i], &store_slots(store)[i].stats);
    return mix(digest, arena_start, arena_start + 16 * (size_t)high_unit);
}

/* ---- plain accesses ----------------------------------------------------------------------- */

static uint64_t get(const void *address, size_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, address, bytes);
    return value;
}

static void set(void *address, size_t bytes, uint64_t value)
{
    memcpy(address, &value, bytes);
}

/* ---- store buffers -------------------------------------------------------------------------- */

void memory_drain_one(struct fibre *fibre, unsigned place)
{
    struct buffered *entry = &fibre->buffer[place];
    depend_shown(fibre->number, entry);
    set(entry->address, entry->bytes, entry->value);
    fibre->buffered--;
    memmove(entry, entry + 1, (fibre->buffered - place) * sizeof *entry);
}

void memory_drain_all(struct fibre *fibre)
{
    while (fibre->buffered > 0)
        memory_drain_one(fibre, 0);
}

bool memory_can_drain(const struct fibre *fibre, unsigned place, bool in_order)
{
    const struct buffered *entry = &fibre->buffer[place];
    if (place > 0 && (in_order || entry->release))
        return false;
    for (unsigned i = 0; i < place; i++) {
        if (fibre->buffer[i].address == entry->address)
            return false;
    }
    return true;
}

/* Stores to this block must not come after what is done with it as a whole. */
static void drain_block(struct fibre *fibre, const void *block, size_t bytes)
{
    for (unsigned i = 0; fibre != NULL && i < fibre->buffered;) {
        const uint8_t *at = fibre->buffer[i].address;
        if (at >= (const uint8_t *)block && at < (const uint8_t *)block + bytes)
            memory_drain_one(fibre, i);
        else
            i++;
    }
}

static void drain_address(struct fibre *fibre, const void *address)
{
    drain_block(fibre, address, 1);
}

/* ---- the accesses of the core ----------------------------------------------------------------- */

static void touch(const void *address, size_t bytes, enum depend_kind kind)
{
    if (run.current != NULL)
        depend_access(run.current->number, address, bytes, kind);
}

static bool delaying;

void sim_delay(bool on);
void sim_delay(bool on)
{
    delaying = on;
}

uint64_t sim_load(const void *address, size_t bytes, const char *where)
{
    struct fibre *self = run.current;
    schedule_step(address, where);
    check_live(address, where);
    touch(address, bytes, DEPEND_READ);
    for (unsigned i = self != NULL ? self->buffered : 0; i > 0; i--) {
        if (self->buffer[i - 1].address == address)
            return self->buffer[i - 1].value;
    }
    return get(address, bytes);
}

/* Whether a store goes to the buffer.  If it can't be delayed there is nothing in it. */
static bool stays(const struct fibre *self, enum sim_order order)
{
    if (self == NULL || order == SIM_SEQ_CST)
        return false;
    return delaying || self->buffered > 0 || schedule_hold();
}

static void buffer_store(struct fibre *self, struct buffered store)
{
    store.held_from = delaying || self->buffered > 0 ? UINT32_MAX : depend_position();
    if (self->buffered == BUFFER)
        memory_drain_one(self, 0);
    self->buffer[self->buffered++] = store;
}

void sim_put(void *address, size_t bytes, uint64_t value, enum sim_order order, const char *where)
{
    struct fibre *self = run.current;
    if (self != NULL)
        self->stores = order != SIM_SEQ_CST;
    schedule_step(address, where);
    check_live(address, where);
    if (stays(self, order)) {
        buffer_store(self, (struct buffered){address, value, (uint8_t)bytes,
                                             order == SIM_RELEASE, UINT32_MAX});
    } else {
        if (self != NULL)
            memory_drain_all(self);
        set(address, bytes, value);
        touch(address, bytes, order == SIM_SEQ_CST ? DEPEND_FENCE : DEPEND_WRITE);
    }
    if (address == (void *)&run.region->clock)
        oracle_clock(value);
}

/* What a read-modify-write has in common: it acts on memory, after all stores before it. */
static uint64_t begin_rmw(void *address, size_t bytes, const char *where)
{
    schedule_step(address, where);
    check_live(address, where);
    if (run.current != NULL)
        memory_drain_all(run.current);
    touch(address, bytes, DEPEND_FENCE);
    return get(address, bytes);
}

uint64_t sim_exchange(void *address, size_t bytes, uint64_t value, const char *where)
{
    uint64_t old = begin_rmw(address, bytes, where);
    set(address, bytes, value);
    return old;
}

uint64_t sim_add(void *address, size_t bytes, uint64_t value, const char *where)
{
    uint64_t old = begin_rmw(address, bytes, where);
    set(address, bytes, old + value);
    return old;
}

uint64_t sim_or(void *address, size_t bytes, uint64_t value, const char *where)
{
    uint64_t old = begin_rmw(address, bytes, where);
    set(address, bytes, old | value);
    return old;
}

bool sim_cas(void *address, size_t bytes, void *expected, uint64_t desired, const char *where)
{
    uint64_t old = begin_rmw(address, bytes, where);
    bool equal = old == get(expected, bytes);
    if (equal)
        set(address, bytes, desired);
    else
        set(expected, bytes, old);
    return equal;
}

void sim_bump(void *address, size_t bytes, uint64_t value)
{
    check_live(address, "bump_relaxed");
    drain_address(run.current, address);
    touch(address, bytes, DEPEND_WRITE);
    set(address, bytes, get(address, bytes) + value);
}

void sim_pause(const char *where)
{
    schedule_pause(where);
}

/* ---- the arena, watched --------------------------------------------------------------------- */

void memory_enter_arena(bool inside)
{
    *(run.current != NULL ? &run.current->in_arena : &main_in_arena) = inside;
}

static void mark(region_ref ref, size_t bytes, uint8_t code)
{
    uint32_t unit = unit_of((uint8_t *)run.region + ((size_t)ref << 4));
    uint32_t count = (uint32_t)(arena_rounded(bytes) / 16);
    if (unit == UINT32_MAX || unit + count > UNITS)
        sim_fail("the simulator watches too little of the arena");
    memset(units + unit, code == FREE_UNIT ? FREE_UNIT : INNER_UNIT, count);
    units[unit] = code;
    if (unit + count > high_unit)
        high_unit = unit + count;
}

enum stm_status arena_alloc(struct store *store, struct slot *slot, size_t bytes, region_ref *out)
{
    if (run.current != NULL && schedule_full())
        return STM_STORE_FULL;
    if (run.region != store->region)
        watch(store);
    memory_enter_arena(true);
    enum stm_status status = core_arena_alloc(store, slot, bytes, out);
    memory_enter_arena(false);
    if (status != STM_OK)
        return status;
    void *block = store_at(store, *out);
    uint32_t unit = unit_of(block);
    for (uint32_t i = 0; i < arena_rounded(bytes) / 16; i++) {
        if (unit + i < UNITS && units[unit + i] != FREE_UNIT)
            sim_fail("a block that is in use was allocated again");
    }
    drain_block(run.current, block, arena_rounded(bytes));
    touch(block, arena_rounded(bytes), DEPEND_WRITE);
    memset(block, 0xa5, arena_rounded(bytes));
    mark(*out, bytes, class_code(bytes));
    return STM_OK;
}

void arena_free(struct store *store, struct slot *slot, region_ref ref, size_t bytes)
{
    if (!memory_is_block(ref, bytes))
        sim_fail("a block was freed that is not in use, or has another size");
    void *block = store_at(store, ref);
    drain_block(run.current, block, arena_rounded(bytes));
    touch(block, arena_rounded(bytes), DEPEND_WRITE);
    mark(ref, bytes, FREE_UNIT);
    memset(block, 0xdd, arena_rounded(bytes));
    memory_enter_arena(true);
    core_arena_free(store, slot, ref, bytes);
    memory_enter_arena(false);
}

void arena_flush(struct store *store, struct slot *slot)
{
    memory_enter_arena(true);
    core_arena_flush(store, slot);
    memory_enter_arena(false);
}

