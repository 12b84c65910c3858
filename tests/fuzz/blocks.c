/* blocks.c - blocks of three threads, interleaved as the input says, against an oracle.
 *
 * The oracle keeps the whole store as of every commit.  A read must show the block's snapshot
 * with its own writes over it; a commit must find all that the block has read unchanged, and
 * adds to the newest values; a follower of the log must arrive at the same contents through
 * the bytes that a keeper would write; and what a dead thread has left open must not show.
 */
#include "replica.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

#define SEATS 3u
#define LEVELS 3u

/* What a block has done: its own values and what it has read, one copy for each level. */
struct level {
    struct content own[KEYS];
    bool written[KEYS];
    struct txn_savepoint savepoint; /* where the level begins */
};

struct thread {
    struct seat seat;
    bool open;
    uint32_t flags;
    bool read[KEYS];
    bool walked[VARIABLES];
    unsigned depth;
    struct level levels[LEVELS + 1];
};

struct store *store;
region_ref variables[VARIABLES];
struct content states[COMMITS + 2][KEYS];
static struct slot *reader; /* of the one who follows the log */
static struct thread threads[SEATS];

/* ---- the input --------------------------------------------------------------------------- */

static const uint8_t *at, *end;

static uint32_t next_below(uint32_t bound)
{
    return at == end ? 0 : *at++ % bound;
}

static struct content next_content(void)
{
    uint32_t drawn = next_below(40);
    if (drawn < 30)
        return (struct content){.kind = NUMBER, .number = (int64_t)drawn - 8};
    return (struct content){
        .kind = BYTES, .number = drawn, .length = drawn * drawn * LARGE / 1600 % LARGE};
}

/* ---- what is to be seen ------------------------------------------------------------------- */

/* What is there once a block's own value is put over it. */
static struct content over(struct content below, struct content own)
{
    if (own.kind != SUM)
        return own;
    int64_t before = below.kind == NUMBER ? below.number : 0;
    return (struct content){.kind = NUMBER, .number = before + own.number};
}

static struct content seen(const struct thread *thread, uint32_t number)
{
    const struct level *level = &thread->levels[thread->depth];
    struct content below = states[thread->seat.txn.snapshot][number];
    return level->written[number] ? over(below, level->own[number]) : below;
}

static bool is_sum(const struct thread *thread, uint32_t number)
{
    const struct level *level = &thread->levels[thread->depth];
    return level->written[number] && level->own[number].kind == SUM;
}

static void set_own(struct thread *thread, uint32_t number, struct content content)
{
    thread->levels[thread->depth].written[number] = true;
    thread->levels[thread->depth].own[number] = content;
}

/* ---- the ends of a block -------------------------------------------------------------------- */

static void leave(struct thread *thread)
{
    txn_end(&thread->seat.txn);
    thread->open = false;
}

/* Whatever may end an attempt ends it; true if it goes on. */
static bool goes_on(struct thread *thread, enum stm_status status)
{
    if (status == STM_OK)
        return true;
    CHECK(status == STM_CONFLICT || status == STM_STORE_FULL || status == STM_TOO_OLD);
    CHECK(status != STM_CONFLICT || !(thread->flags & (TXN_SERIAL | TXN_READ_ONLY)));
    leave(thread);
    return false;
}

static bool somebody_is_serial(void)
{
    bool serial = false;
    for (uint32_t i = 0; i < SEATS; i++)
        serial |= threads[i].open && threads[i].flags & TXN_SERIAL;
    return serial;
}

static void leave_level(struct thread *thread, bool undo)
{
    if (thread->depth == 0)
        return;
    struct level *inner = &thread->levels[thread->depth--];
    if (undo)
        txn_rollback(&thread->seat.txn, inner->savepoint);
    else
        txn_merge(&thread->seat.txn, inner->savepoint);
    if (!undo) {
        inner->savepoint = thread->levels[thread->depth].savepoint;
        thread->levels[thread->depth] = *inner;
    }
}

/* All that was read is still so, and the commit is the newest state. */
static void note_commit(struct thread *thread, uint64_t snapshot, uint64_t before)
{
    uint64_t ts = thread->seat.txn.committed;
    if (ts == 0)
        return;
    CHECK(ts == before + 1 && ts == newest(store));
    const struct level *level = &thread->levels[0];
    for (uint32_t i = 0; i < KEYS; i++) {
        struct content newest = states[before][i], then = states[snapshot][i];
        if (!(thread->flags & TXN_SNAPSHOT)) {
            CHECK(!thread->read[i] || same(newest, then));
            CHECK(!thread->walked[i % VARIABLES] || (newest.kind == NOTHING) == (then.kind == NOTHING));
        }
        CHECK(!(level->written[i] && level->own[i].kind == SUM && newest.kind == BYTES));
        states[ts][i] = level->written[i] ? over(newest, level->own[i]) : newest;
    }
}

static void commit(struct thread *thread)
{
    if (newest(store) > COMMITS) {
        leave(thread);
        return;
    }
    uint64_t before = newest(store), snapshot = thread->seat.txn.snapshot;
    while (thread->depth > 0)
        leave_level(thread, false);
    enum stm_status status = txn_commit(&thread->seat.txn, false, NO_DEADLINE);
    if (status == STM_BUSY) { /* nothing may come between this and the next try */
        CHECK(somebody_is_serial());
        leave(thread);
    } else if (goes_on(thread, status)) {
        note_commit(thread, snapshot, before);
        leave(thread);
    }
}

static void begin_block(struct thread *thread)
{
    static const uint32_t kinds[] = {0, 0, 0, TXN_READ_ONLY, TXN_SNAPSHOT, TXN_SERIAL};
    uint32_t flags = kinds[next_below(6)];
    for (uint32_t i = 0; i < SEATS; i++) {
        if (threads[i].open && threads[i].flags & TXN_SERIAL)
            flags &= ~(uint32_t)TXN_SERIAL;
    }
    begin(&thread->seat, flags);
    thread->open = true;
    thread->flags = flags;
    thread->depth = 0;
    memset(thread->read, 0, sizeof thread->read);
    memset(thread->walked, 0, sizeof thread->walked);
    memset(&thread->levels[0], 0, sizeof thread->levels[0]);
}

/* Its process is gone, and another thread has its place. */
static void die(struct thread *thread)
{
    if (thread->open && thread->flags & TXN_SERIAL)
        return;
    slot_abandon(thread->seat.slot);
    txn_free(&thread->seat.txn);
    slot_reap(store, NULL, false);
    *thread = (struct thread){.seat = {.store = store}};
    CHECK(slot_claim(store, 0, &thread->seat.slot) == STM_OK);
}

/* ---- steps within a block ----------------------------------------------------------------------- */

/* Looks a key up and compares it; the entry if the block goes on. */
static struct txn_entry *look_up(struct thread *thread, uint32_t number, bool read)
{
    struct txn *txn = &thread->seat.txn;
    struct key key = key_of(number);
    struct txn_value value;
    if (!goes_on(thread, txn_lookup(txn, &key, read, &value)))
        return NULL;
    struct content found = nothing;
    if (read)
        found = of_version(value.version);
    txn_read_done(txn);
    if (read) {
        struct content expected = seen(thread, number);
        CHECK(same(found, expected));
        /* Its own value is no news of the store; a sum is, as what it adds to is in it. */
        thread->read[number] |= !thread->levels[thread->depth].written[number] ||
                                is_sum(thread, number);
    }
    return value.entry;
}

static void put_key(struct thread *thread, uint32_t number, struct content content)
{
    uint8_t bytes[LARGE + CODEC_HEAD_MAX];
    struct txn_entry *entry = look_up(thread, number, next_below(3) == 0);
    if (entry == NULL)
        return;
    size_t length = encode(content, bytes);
    bool changes = is_sum(thread, number) || !same(content, seen(thread, number));
    /* Writing what is there is a read. */
    if (goes_on(thread, txn_put(&thread->seat.txn, entry, bytes, length, 0)) && changes)
        set_own(thread, number, content);
}

static void delete_key(struct thread *thread, uint32_t number)
{
    struct txn_entry *entry = look_up(thread, number, true);
    bool there = entry != NULL && seen(thread, number).kind != NOTHING;
    if (entry != NULL && goes_on(thread, txn_delete(&thread->seat.txn, entry)) && there)
        set_own(thread, number, nothing);
}

static void add_to(struct thread *thread, uint32_t number)
{
    int64_t n = (int64_t)next_below(200) - 100;
    bool added;
    struct txn_entry *entry = look_up(thread, number, false);
    if (entry == NULL)
        return;
    struct number more = {.integer = n};
    if (!goes_on(thread, txn_add(&thread->seat.txn, entry, more, &added)) || !added)
        return;
    struct level *level = &thread->levels[thread->depth];
    CHECK(is_sum(thread, number) || !level->written[number]);
    int64_t before = is_sum(thread, number) ? level->own[number].number : 0;
    set_own(thread, number, (struct content){.kind = SUM, .number = before + n});
}

static void count_keys(struct thread *thread, uint32_t variable)
{
    uint64_t found, expected = 0;
    if (!goes_on(thread, txn_size(&thread->seat.txn, variables[variable], &found)))
        return;
    for (uint32_t i = variable; i < KEYS; i += VARIABLES)
        expected += seen(thread, i).kind != NOTHING;
    CHECK(found == expected);
    thread->walked[variable] = true;
}

static void enter(struct thread *thread)
{
    if (thread->depth == LEVELS)
        return;
    thread->levels[thread->depth + 1] = thread->levels[thread->depth];
    thread->levels[++thread->depth].savepoint = txn_save(&thread->seat.txn);
}


/* ---- a whole input --------------------------------------------------------------------------------- */

/* What takes the commit lock. */
static void tend(uint32_t what)
{
    if (somebody_is_serial())
        return;
    if (what == 0) {
        CHECK(lock_patiently(store, reader) == STM_OK);
        history_sweep_all(store, reader, next_below(4) == 0);
        lock_release(store);
    } else if (!replica_follows()) {
        replica_follow(reader);
    } else if (what == 1) {
        replica_unfollow(reader);
    } else {
        replica_go_on(reader, (size_t)next_below(256) << 4);
    }
}

static void step(struct thread *thread)
{
    uint32_t what = next_below(16), number = next_below(KEYS);
    if (what < 3) {
        tend(what);
    } else if (what == 3 && number == 0) {
        die(thread);
    } else if (!thread->open) {
        begin_block(thread);
    } else if (what < 6) {
        look_up(thread, number, true);
    } else if (what < 9) {
        put_key(thread, number, next_content());
    } else if (what == 9) {
        delete_key(thread, number);
    } else if (what == 10) {
        add_to(thread, number);
    } else if (what == 11) {
        count_keys(thread, number % VARIABLES);
    } else if (what == 12) {
        enter(thread);
    } else if (what == 13) {
        leave_level(thread, number % 2);
    } else if (number > 0) {
        commit(thread);
    } else {
        leave(thread);
    }
}

static void begin_store(void)
{
    static const char *names[VARIABLES] = {"a", "b"};
    uint64_t bytes = (uint64_t)(next_below(4) + 1) << 16;
    store = new_test_store(bytes, bytes / (next_below(8) + 2));
    CHECK(slot_claim(store, 0, &reader) == STM_OK);
    for (uint32_t i = 0; i < VARIABLES; i++)
        CHECK(variable_open(store, reader, names[i], 1, 1, true, &variables[i]) == STM_OK);
    memset(states[newest(store)], 0, sizeof states[0]);
    for (uint32_t i = 0; i < SEATS; i++) {
        threads[i] = (struct thread){.seat = {.store = store}};
        CHECK(slot_claim(store, 0, &threads[i].seat.slot) == STM_OK);
    }
}

static void end_store(void)
{
    for (uint32_t i = 0; i < SEATS; i++) {
        if (threads[i].open)
            leave(&threads[i]);
        leave_seat(&threads[i].seat);
    }
    while (replica_go_on(reader, SIZE_MAX)) {
    }
    if (replica_follows())
        replica_unfollow(reader);
    slot_release(store, reader);
    store_leave(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    at = data;
    end = data + count;
    begin_store();
    while (at < end)
        step(&threads[next_below(SEATS)]);
    end_store();
    return 0;
}
