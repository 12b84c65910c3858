/* program.c - runs blocks on the core in three threads, and prints what was recorded.
 *
 *     replay [PLANT] < plans
 *
 * Every line of the input is one run on a store of its own; tests/replay/driver.py writes
 * it:
 *
 *     xy 0 0 rxpy,pxpy / vxvy / py
 *
 * the keys that are there at first, or -; 1 for snapshot isolation; 1 to read so many keys
 * more that the read set is checked outside the lock; then the blocks of each thread.  An
 * operation is v, r, p, s, d or u (view, read, put, put the same, delete, undo) and a key x
 * or y, or n for the number of keys.  Other blocks are w (wait until one of these keys
 * changes), o and z (read and write the key, z serially, o serially after a conflict) and c
 * (close the store); they may have a deadline.  PLANT is a bug of tests/sim/plants.h.
 *   For each run a line "run", with the clock, the count of cells noted before and the slot
 * of the first thread, is followed by the events, and "end".
 */
#include "core.h"
#include "events.h"
#include "wait.h"

#include <ctype.h>
#include <pthread.h>
#include <sched.h>

#define THREADS 3u
#define BLOCKS 8u
#define OPS 8u
#define PADS 17u /* one more than the core checks under the lock alone */
#define STORE_BYTES (1u << 20)

enum plant planted;

struct block {
    char kinds[OPS + 1];
    uint64_t keys[OPS];
};

static struct {
    bool present[2], snapshot, padded;
    struct block blocks[THREADS][BLOCKS];
    uint32_t counts[THREADS];
} plan;

static struct store *store;
static struct seat seats[THREADS];
static uint64_t orders[3];      /* of x, y and n */
static pthread_barrier_t start;
static _Thread_local uint64_t dice;

/* ---- reading the plan ------------------------------------------------------------------- */

static void read_block(const char *text, struct block *block)
{
    uint32_t count = 0;
    for (; islower(text[0]) && count < OPS; text += 2) {
        block->kinds[count] = text[0];
        block->keys[count++] = text[1] == 'n' ? 2 : (uint64_t)(text[1] - 'x');
    }
    block->kinds[count] = '\0';
}

static void read_plan(char *line)
{
    memset(&plan, 0, sizeof plan);
    char *rest;
    const char *present = strtok_r(line, " ", &rest);
    plan.present[0] = strchr(present, 'x') != NULL;
    plan.present[1] = strchr(present, 'y') != NULL;
    plan.snapshot = strtok_r(NULL, " ", &rest)[0] == '1';
    plan.padded = strtok_r(NULL, " ", &rest)[0] == '1';
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        char *inner, *part = strtok_r(NULL, "/\n", &rest);
        for (char *text = strtok_r(part, ", ", &inner); text != NULL;
             text = strtok_r(NULL, ", ", &inner)) {
            CHECK(plan.counts[thread] < BLOCKS);
            read_block(text, &plan.blocks[thread][plan.counts[thread]++]);
        }
    }
}

/* ---- running the blocks ------------------------------------------------------------------ */

/* Runs are short, so threads give the processor away now and then in the middle of them. */
static void pause_now_and_then(void)
{
    if (draw_below(&dice, 4) == 0)
        sched_yield();
    for (uint64_t i = draw_below(&dice, 300); i > 200; i--)
        platform_pause();
}

static enum stm_status put_same(struct seat *seat, uint64_t number)
{
    struct key key = number_key(seat, &number);
    struct txn_value value;
    enum stm_status status = txn_lookup(&seat->txn, &key, false, &value);
    if (status != STM_OK)
        return status;
    uint64_t content = number;
    if (value.version != NULL)
        memcpy(&content, value.version->payload, sizeof content);
    txn_read_done(&seat->txn);
    return txn_put(&seat->txn, value.entry, (const uint8_t *)&content, sizeof content, 0);
}

static enum stm_status run_op(struct seat *seat, char kind, uint64_t key)
{
    static _Atomic uint64_t contents = 100;
    uint64_t ignored;
    switch (kind) {
    case 'p':
        return put(seat, key, atomic_fetch_add_explicit(&contents, 1, memory_order_relaxed));
    case 's':
        return put_same(seat, key);
    case 'd':
        return del(seat, key);
    default:
        return key == 2 ? txn_size(&seat->txn, seat->variable, &ignored)
                        : get(seat, key, &ignored);
    }
}

/* The operations of one attempt; the last ones only fill the read set. */
static enum stm_status run_ops(struct seat *seat, const struct block *block)
{
    enum stm_status status = STM_OK;
    struct txn_savepoint savepoint = txn_save(&seat->txn);
    for (uint32_t i = 0; block->kinds[i] != '\0' && status == STM_OK; i++) {
        if (block->kinds[i] == 'u')
            txn_rollback(&seat->txn, savepoint);
        else
            status = run_op(seat, block->kinds[i], block->keys[i]);
        if (status == STM_OK)
            TRACE(seat->slot, "did", (uint32_t)orders[block->keys[i]], (uint64_t)block->kinds[i]);
    }
    uint64_t ignored;
    for (uint32_t i = 0; plan.padded && i < PADS && status == STM_OK; i++)
        status = get(seat, 100 + i, &ignored);
    return status;
}

static void run_block(struct seat *seat, const struct block *block)
{
    bool views = block->kinds[0] == 'v';
    uint32_t flags = views ? TXN_READ_ONLY : plan.snapshot ? TXN_SNAPSHOT : 0;
    enum stm_status status;
    do {
        begin(seat, flags);
        status = run_ops(seat, block);
        if (status == STM_OK)
            status = commit_patiently(&seat->txn);
        txn_end(&seat->txn);
    } while (status == STM_CONFLICT);
    CHECK(status == STM_OK);
}

/* ---- blocks that wait, and serial ones ------------------------------------------------------ */

static uint64_t draw_deadline(uint64_t most_ns)
{
    return platform_now_ns() + draw_below(&dice, most_ns);
}

/* Reads the keys of the block, and is registered for them if they are still so. */
static enum stm_status look_and_register(struct seat *seat, const struct block *block)
{
    uint64_t ignored;
    enum stm_status status = STM_OK;
    begin(seat, 0);
    for (uint32_t i = 0; block->kinds[i] != '\0' && status == STM_OK; i++)
        status = get(seat, block->keys[i], &ignored);
    while (status == STM_OK && (status = wait_register(&seat->txn, NO_DEADLINE)) == STM_INTERRUPTED)
        status = STM_OK;
    txn_end(&seat->txn);
    return status;
}

static void run_waiting(struct seat *seat, const struct block *block)
{
    enum stm_status status;
    while ((status = look_and_register(seat, block)) == STM_CONFLICT) {
    }
    CHECK(status == STM_OK);
    uint64_t deadline = draw_deadline(3000000);
    while ((status = wait_sleep(store, seat->slot, deadline)) == STM_INTERRUPTED) {
    }
    CHECK(status == STM_OK || status == STM_TIMED_OUT);
    wait_unregister(store, seat->slot);
}

/* Commits, if the deadline lets it; false if it was lost to another. */
static bool read_and_write(struct seat *seat, uint64_t key, bool serially, uint64_t deadline)
{
    uint64_t content;
    enum stm_status status = STM_OK;
    while (serially &&
           (status = lock_acquire_urgently(store, seat->slot, deadline)) == STM_INTERRUPTED) {
    }
    if (status == STM_TIMED_OUT)
        return true;
    do { /* anew if a conflict shows before the commit, which the model has not */
        txn_begin(&seat->txn, store, seat->slot, serially ? TXN_SERIAL : 0);
        status = get(seat, key, &content);
        if (status == STM_OK)
            status = put(seat, key, content + 1);
        if (status != STM_OK)
            txn_end(&seat->txn);
    } while (status == STM_CONFLICT && !serially);
    CHECK(status == STM_OK);
    while ((status = txn_commit(&seat->txn, true, deadline)) == STM_INTERRUPTED) {
    }
    txn_end(&seat->txn);
    return status != STM_CONFLICT;
}

static void run_locking(struct seat *seat, uint64_t key, bool serially)
{
    uint64_t deadline = draw_below(&dice, 3) == 0 ? draw_deadline(300000) : NO_DEADLINE;
    TRACE(seat->slot, "block", 0, serially);
    if (!read_and_write(seat, key, serially, deadline))
        read_and_write(seat, key, true, deadline);
}

static void run_any(struct seat *seat, const struct block *block)
{
    switch (block->kinds[0]) {
    case 'w':
        run_waiting(seat, block);
        break;
    case 'o':
    case 'z':
        run_locking(seat, block->keys[0], block->kinds[0] == 'z');
        break;
    case 'c':
        store_close(store);
        break;
    default:
        run_block(seat, block);
    }
    TRACE(seat->slot, "done", 0, 0);
}

static void *live(void *argument)
{
    uint32_t thread = (uint32_t)(uintptr_t)argument;
    events_own(seats[thread].slot);
    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < plan.counts[thread]; i++) {
        if (load_acquire(&store->region->closed) == 0) /* Pairs with store_close. */
            run_any(&seats[thread], &plan.blocks[thread][i]);
    }
    return NULL;
}

static void *begin_thread(void *argument)
{
    dice = test_seed ^ (uint64_t)(uintptr_t)argument << 32 ^ platform_now_ns();
    return live(argument);
}

/* ---- one run ------------------------------------------------------------------------------ */

static const char *key_name(uint32_t order)
{
    static const char *const names[] = {"x", "y", "n"};
    for (uint32_t i = 0; i < 3; i++) {
        if (order == orders[i])
            return names[i];
    }
    return "-";
}

static void set_up(void)
{
    store = new_test_store(STORE_BYTES, STORE_BYTES);
    struct seat first = take_seat(store);
    for (uint32_t i = 0; i < THREADS; i++)
        seats[i] = take_seat(store);
    for (uint64_t key = 0; key < 2; key++) {
        orders[key] = number_key(&first, &key).order;
        if (plan.present[key])
            set_alone(&first, key, key);
    }
    region_ref structure = store_variable(store, first.variable)->structure;
    orders[2] = txn_cell_order(store_cell(store, structure));
    txn_free(&first.txn);
}

static void run_plan(void)
{
    set_up();
    printf("run %llu %llu %u\n", (unsigned long long)load_relaxed(&store->region->clock),
           (unsigned long long)load_relaxed(&store->region->recent_count),
           slot_number(store, seats[0].slot));
    pthread_t threads[THREADS];
    events_start(pause_now_and_then);
    for (uint32_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, begin_thread, (void *)(uintptr_t)i) == 0);
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    events_print(seats[0].slot, key_name);
    printf("end\n");
    for (uint32_t i = 0; i < THREADS; i++)
        leave_seat(&seats[i]);
    store_release(store);
}

static void ignore(void)
{
}

int main(int argc, char **argv)
{
#define PLANT_NAME(name, what) #name,
    static const char *const names[] = {"", PLANTS(PLANT_NAME)};
    test_begin();
    events_start(ignore);
    for (uint32_t i = 1; argc > 1 && i < PLANT_COUNT; i++) {
        if (strcmp(argv[1], names[i]) == 0)
            planted = (enum plant)i;
    }
    if (argc > 1 && planted == NO_PLANT) {
        fprintf(stderr, "%s: no such plant\n", argv[1]);
        return 2;
    }
    pthread_barrier_init(&start, NULL, THREADS);
    char line[512];
    while (fgets(line, sizeof line, stdin) != NULL) {
        read_plan(line);
        events_start(ignore);
        run_plan();
    }
    return 0;
}
