/* world.c - a region before, during and after one schedule.
 *
 * The region of a scenario is made once and its bytes are kept; each run starts from them.
 * After a run the main program, which never dies, takes the lock, sweeps, and looks: every
 * key has the value that the oracle says, nothing old is left, and each block of the arena
 * is either free in one list or reachable.
 */
#include "sim.h"

#define MAX_BYTES (512u << 10)

static const struct scenario *scenario;
static struct store *store;
static struct {
    uint8_t *header, *slots, *arena;
    size_t header_bytes, slots_bytes, arena_bytes;
    uint64_t contents[KEYS];
} kept;
static struct seat kept_seats[FIBRES + 1];
struct block drawn_blocks[FIBRES][BLOCKS];

const struct scenario *world_scenario(void)
{
    return scenario;
}

static uint8_t *arena_of(const struct store *of)
{
    return (uint8_t *)of->region + (of->mapped_bytes - store_arena_bytes(of));
}

/* ---- before ----------------------------------------------------------------------------------- */

static void set_alone(struct seat *seat, unsigned key, uint64_t content)
{
    txn_begin(&seat->txn, seat->store, seat->slot, 0);
    enum stm_status status =
        content == ABSENT ? seat_delete(seat, key) : seat_put(seat, key, content);
    if (status == STM_OK)
        status = txn_commit(&seat->txn, true, NO_DEADLINE);
    txn_end(&seat->txn);
    if (status != STM_OK)
        sim_fail("the scenario cannot be set up");
}

static void take_seat(unsigned number)
{
    struct seat *seat = &seats[number];
    *seat = (struct seat){.store = store};
    run.acting = number;
    if (slot_claim(store, 0, &seat->slot) != STM_OK ||
        variable_open(store, seat->slot, "x", 1, 0, true, &seat->tables[0]) != STM_OK ||
        variable_open(store, seat->slot, "y", 1, 0, true, &seat->tables[1]) != STM_OK)
        sim_fail("no seat");
    run.acting = FIBRES;
}

static uint8_t *copy_of(const void *bytes, size_t count)
{
    uint8_t *copy = malloc(count);
    memcpy(copy, bytes, count);
    return copy;
}

static void keep(void)
{
    kept.header_bytes = sizeof *store->region;
    kept.slots_bytes = (FIBRES + 2) * sizeof(struct slot);
    kept.arena_bytes = (size_t)((uint8_t *)store->region +
                                load_relaxed(&store->region->arena.top) - arena_of(store));
    kept.header = copy_of(store->region, kept.header_bytes);
    kept.slots = copy_of(store_slots(store), kept.slots_bytes);
    kept.arena = copy_of(arena_of(store), kept.arena_bytes);
    memory_keep();
    memcpy(kept_seats, seats, sizeof seats);
}

static void set_up(void)
{
    const struct scenario *which = scenario;
    uint64_t history = which->history_bytes ? which->history_bytes : 1 << 20;
    uint64_t max = which->max_bytes ? which->max_bytes : MAX_BYTES;
    if (store_open("", max, history, &store) != STM_OK)
        sim_fail("no store");
    memset(seats, 0, sizeof seats);
    take_seat(FIBRES);
    for (unsigned i = 0; i < which->fibres && !which->claims; i++)
        take_seat(i);
    struct seat *main_seat = &seats[FIBRES];
    for (unsigned i = 0; i < KEYS; i++) {
        kept.contents[i] = ABSENT;
        if ((which->live | which->tombs) >> i & 1)
            set_alone(main_seat, i, 7);
        if (which->tombs >> i & 1)
            set_alone(main_seat, i, ABSENT);
        if (which->live >> i & 1)
            kept.contents[i] = 7;
    }
    txn_free(&main_seat->txn);
    keep();
}


/* Memory of the process that the last run's transactions used. */
static void free_transactions(void)
{
    for (unsigned i = 0; i <= FIBRES; i++)
        txn_free(&seats[i].txn);
}

void world_close(void)
{
    free_transactions();
    free(kept.header);
    free(kept.slots);
    free(kept.arena);
    store_release(store);
    memory_forget();
}

static void reset(void)
{
    free_transactions();
    memcpy(seats, kept_seats, sizeof seats);
    memory_reset();
    memcpy(store->region, kept.header, kept.header_bytes);
    memcpy(store_slots(store), kept.slots, kept.slots_bytes);
    memcpy(arena_of(store), kept.arena, kept.arena_bytes);
    run.steps = run.sleeps = run.now_ns = run.timeouts = run.allocations = 0;
    run.deaths = run.event_count = run.point_count = 0;
    run.failure = NULL;
    run.redundant = false;
    run.current = NULL;
    oracle_reset(kept.contents);
    follow_reset();
}

/* ---- during ------------------------------------------------------------------------------------- */

static void live(unsigned number)
{
    if (scenario->claims) {
        struct seat *seat = &seats[number];
        *seat = kept_seats[FIBRES];
        seat->slot = NULL;
        if (slot_claim(store, 0, &seat->slot) != STM_OK)
            sim_fail("no slot");
        for (unsigned i = 0; i < number; i++) {
            if (seats[i].slot == seat->slot && run.fibres[i].state != FIBRE_DEAD)
                sim_fail("fibres %u and %u have one slot", i, number);
        }
    }
    for (unsigned i = 0; i < BLOCKS && drawn_blocks[number][i].ops[0].kind != END; i++)
        block_run(number, &drawn_blocks[number][i]);
    if (scenario->claims) {
        struct slot *slot = seats[number].slot;
        seats[number].slot = NULL;
        slot_release(store, slot);
    }
}

static struct op draw_op(uint64_t *state, unsigned *levels)
{
    static const enum op_kind kinds[] = {GET, GET, GET, PUT, PUT, PUT, PUT_7, DEL,
                                         DEL, SIZE, WALK, SAVE, MERGE, UNDO,
                                         ADD, ADD, COMMUTE};
    enum op_kind kind = kinds[draw(state) % (sizeof kinds / sizeof *kinds)];
    if ((kind == MERGE || kind == UNDO) && *levels == 0)
        kind = SAVE;
    if (kind == SAVE && *levels == 2)
        kind = UNDO;
    *levels += kind == SAVE;
    *levels -= kind == MERGE || kind == UNDO;
    return (struct op){kind, (unsigned)(draw(state) % 7 / 2)};
}

static void draw_block(uint64_t *state, struct block *block)
{
    static const uint32_t flags[] = {0, 0, 0, 0, TXN_SNAPSHOT, TXN_SERIAL};
    unsigned levels = 0, count = 0, wanted = 1 + (unsigned)(draw(state) % 5);
    memset(block, 0, sizeof *block);
    if (draw(state) % 8 == 0) {
        block->ops[0].kind = draw(state) % 2 && scenario->history_bytes ? EVICT : SWEEP;
        return;
    }
    block->flags = flags[draw(state) % 6];
    while (count < wanted)
        block->ops[count++] = draw_op(state, &levels);
    while (levels-- > 0)
        block->ops[count++] = (struct op){draw(state) % 2 ? MERGE : UNDO, 0};
    for (unsigned i = 0; i < count && draw(state) % 5 == 0; i++)
        block->flags = TXN_READ_ONLY;
    for (unsigned i = 0; i < count && block->flags == TXN_READ_ONLY; i++) {
        if (block->ops[i].kind > GET && block->ops[i].kind != SIZE && block->ops[i].kind != WALK)
            block->ops[i] = (struct op){GET, i % 3};
    }
}

static void prepare_blocks(uint64_t seed)
{
    memcpy(drawn_blocks, scenario->blocks, sizeof drawn_blocks);
    uint64_t state = ~seed;
    for (unsigned i = 0; i < scenario->fibres && scenario->random; i++) {
        unsigned count = 1 + (unsigned)(draw(&state) % BLOCKS);
        for (unsigned j = 0; j < count; j++)
            draw_block(&state, &drawn_blocks[i][j]);
    }
}

static void check(void)
{
    check_world(store);
}

static bool finish_run(void)
{
    fibres_start(scenario->fibres, live);
    fibres_run();
    return sim_guard(check);
}

bool world_run_seed(uint64_t seed)
{
    reset();
    prepare_blocks(seed);
    schedule_seed(seed, scenario->fibres, &scenario->options);
    return finish_run();
}

bool world_open(const struct scenario *which)
{
    scenario = which;
    memset(&run, 0, sizeof run);
    run.acting = FIBRES;
    memory_forget();
    if (!sim_guard(set_up))
        return false;
    /* How long the runs are; the same every time, so that a seed says everything. */
    schedule_learn(1000, 20);
    for (uint64_t seed = 0; seed < 50; seed++) {
        world_run_seed(~seed);
        schedule_learn(run.steps, run.allocations);
    }
    return true;
}

/* The blocks are those of the last run by seed. */
bool world_run_script(const struct event *events, const struct step *steps, uint32_t count,
                      bool points)
{
    reset();
    if (!scenario->random)
        prepare_blocks(0);
    schedule_script(events, steps, count, points);
    return finish_run();
}
