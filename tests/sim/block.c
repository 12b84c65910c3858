/* block.c - runs the blocks of a scenario against the core, as the binding would.
 */
#include "sim.h"

#define SERIAL_AFTER 3u
#define ATTEMPTS 60u
#define LEVELS 3u

struct seat seats[FIBRES + 1];

struct frame {
    unsigned fibre;
    struct seat *seat;
    struct own own;               /* what this attempt has written */
    struct own saved[LEVELS];     /* and had written when a nested block began */
    struct txn_savepoint savepoints[LEVELS];
    unsigned levels;
    unsigned counter;             /* makes every value different */
    bool awaiting;                /* the attempt ended in a wait */
};

static struct frame frames[FIBRES];

uint64_t key_bytes(unsigned key)
{
    return 0x1111111111111111u * (key + 1);
}

static struct key make_key(struct seat *seat, unsigned number, const uint64_t *bytes)
{
    struct key key = index_key(seat->store, seat->tables[VARIABLE_OF(number)],
                               (const uint8_t *)bytes, sizeof *bytes);
    key.hint = &seat->hints[number];
    return key;
}

enum stm_status seat_get(struct seat *seat, unsigned key, uint64_t *out)
{
    uint64_t bytes = key_bytes(key);
    struct key wanted = make_key(seat, key, &bytes);
    struct txn_value value;
    enum stm_status status = txn_lookup(&seat->txn, &wanted, true, &value);
    if (status != STM_OK)
        return status;
    *out = ABSENT;
    if (value.version != NULL)
        *out = decode_content(value.version);
    txn_read_done(&seat->txn);
    return STM_OK;
}

enum stm_status seat_entry(struct seat *seat, unsigned key, struct txn_entry **out)
{
    uint64_t bytes = key_bytes(key);
    struct key wanted = make_key(seat, key, &bytes);
    struct txn_value value;
    enum stm_status status = txn_lookup(&seat->txn, &wanted, false, &value);
    if (status != STM_OK)
        return status;
    txn_read_done(&seat->txn);
    *out = value.entry;
    return STM_OK;
}

enum stm_status seat_put(struct seat *seat, unsigned key, uint64_t content)
{
    struct txn_entry *entry;
    uint8_t bytes[NUMBER_BYTES];
    size_t length = number_write(bytes, (struct number){.integer = (int64_t)content});
    enum stm_status status = seat_entry(seat, key, &entry);
    return status != STM_OK ? status : txn_put(&seat->txn, entry, bytes, length, 0);
}

enum stm_status seat_delete(struct seat *seat, unsigned key)
{
    struct txn_entry *entry;
    enum stm_status status = seat_entry(seat, key, &entry);
    return status != STM_OK ? status : txn_delete(&seat->txn, entry);
}

static bool collect(void *context, const uint8_t *key, uint32_t length,
                    const struct version *version)
{
    uint64_t *contents = context, bytes;
    memcpy(&bytes, key, sizeof bytes);
    unsigned number = (unsigned)(bytes / 0x1111111111111111u) - 1;
    if (length != sizeof bytes || number >= KEYS || bytes != key_bytes(number))
        sim_fail("a walk meets a key that never was");
    if (contents[number] != ABSENT)
        sim_fail("a walk meets key %u twice", number);
    contents[number] = decode_content(version);
    return true;
}

enum stm_status seat_walk(struct seat *seat, unsigned variable, uint64_t contents[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++)
        contents[i] = ABSENT;
    return txn_walk(&seat->txn, seat->tables[variable], true, collect, contents);
}

/* ---- single steps ----------------------------------------------------------------------------- */

static void own_write(struct own *own, unsigned key, uint64_t content)
{
    own->written |= 1u << key;
    own->added &= ~(1u << key);
    own->commuted &= ~(1u << key);
    own->contents[key] = content;
}

/* What was written without reading and then read is an ordinary write from then on. */
static void note_read(struct frame *frame, unsigned key, uint64_t content)
{
    if ((frame->own.added | frame->own.commuted) >> key & 1)
        own_write(&frame->own, key, content);
}

/* Writing what is there already is a read of it. */
static void note_write(struct frame *frame, unsigned key, uint64_t content)
{
    uint64_t bytes = key_bytes(key);
    struct key wanted = make_key(frame->seat, key, &bytes);
    if (txn_set_find(&frame->seat->txn, &wanted)->pending == 0) {
        oracle_get(frame->fibre, key, content);
        return;
    }
    own_write(&frame->own, key, content);
}

static enum stm_status do_write(struct frame *frame, unsigned key, uint64_t content)
{
    enum stm_status status =
        content == ABSENT ? seat_delete(frame->seat, key) : seat_put(frame->seat, key, content);
    if (status == STM_OK)
        note_write(frame, key, content);
    return status;
}

static enum stm_status do_read(struct frame *frame, struct op op)
{
    struct txn *txn = &frame->seat->txn;
    unsigned variable = VARIABLE_OF(op.key);
    uint64_t contents[KEYS];
    enum stm_status status;
    switch (op.kind) {
    case SIZE:
        status = txn_size(txn, frame->seat->tables[variable], &contents[0]);
        if (status == STM_OK)
            oracle_size(frame->fibre, variable, contents[0]);
        return status;
    case WALK:
        status = seat_walk(frame->seat, variable, contents);
        if (status == STM_OK)
            oracle_walk(frame->fibre, variable, contents);
        for (unsigned i = 0; i < KEYS && status == STM_OK; i++) {
            if (VARIABLE_OF(i) == variable)
                note_read(frame, i, contents[i]);
        }
        return status;
    default:
        status = seat_get(frame->seat, op.key, &contents[0]);
        if (status == STM_OK) {
            oracle_get(frame->fibre, op.key, contents[0]);
            note_read(frame, op.key, contents[0]);
        }
        frame->awaiting = status == STM_OK && op.kind == AWAIT && contents[0] == ABSENT;
        return status;
    }
}

/* Adds, or applies the function, blindly or by reading and writing. */
static enum stm_status do_blind(struct frame *frame, struct op op)
{
    struct own *own = &frame->own;
    uint64_t number = (uint64_t)++frame->counter << 20, content;
    unsigned bit = 1u << op.key;
    bool blind, adds = op.kind == ADD;
    enum stm_status status = adds ? seat_add(frame->seat, op.key, number, &blind)
                                  : seat_commute(frame->seat, op.key, &blind);
    if (status != STM_OK)
        return status;
    if (blind) {
        uint64_t before = (own->added | own->commuted) & bit ? own->contents[op.key] : 0;
        own->written |= bit;
        *(adds ? &own->added : &own->commuted) |= bit;
        own->contents[op.key] = before + (adds ? number : 1);
        return STM_OK;
    }
    status = seat_get(frame->seat, op.key, &content);
    if (status != STM_OK)
        return status;
    oracle_get(frame->fibre, op.key, content);
    content = adds ? (content == ABSENT ? 0 : content) + number : commuted(content);
    return do_write(frame, op.key, content);
}

/* Sweeps everything, or gives the oldest snapshot up as well. */
static void do_sweep(struct frame *frame, bool evict)
{
    struct seat *seat = frame->seat;
    enum stm_status status;
    do
        status = lock_acquire(seat->store, seat->slot, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    history_sweep_all(seat->store, seat->slot, evict);
    lock_release(seat->store);
}

/* Takes blocks of the arena and gives them back. */
static void do_churn(struct frame *frame, unsigned count)
{
    region_ref blocks[KEYS];
    for (unsigned i = 0; i < count; i++) {
        if (arena_alloc(frame->seat->store, frame->seat->slot, 64, &blocks[i]) != STM_OK)
            count = i;
    }
    for (unsigned i = 0; i < count; i++)
        arena_free(frame->seat->store, frame->seat->slot, blocks[i], 64);
}

static enum stm_status do_op(struct frame *frame, struct op op)
{
    struct txn *txn = &frame->seat->txn;
    switch (op.kind) {
    case PUT:
        return do_write(frame, op.key, ++frame->counter << 8 | frame->fibre << 4 | op.key);
    case PUT_7:
        return do_write(frame, op.key, 7);
    case DEL:
        return do_write(frame, op.key, ABSENT);
    case ADD:
    case COMMUTE:
        return do_blind(frame, op);
    case SAVE:
        frame->saved[frame->levels] = frame->own;
        frame->savepoints[frame->levels++] = txn_save(txn);
        return STM_OK;
    case MERGE:
        txn_merge(txn, frame->savepoints[--frame->levels]);
        return STM_OK;
    case UNDO:
        frame->own = frame->saved[--frame->levels];
        txn_rollback(txn, frame->savepoints[frame->levels]);
        return STM_OK;
    default:
        return do_read(frame, op);
    }
}

/* ---- attempts ----------------------------------------------------------------------------------- */

static void begin(struct frame *frame, uint32_t flags)
{
    struct seat *seat = frame->seat;
    enum stm_status status = STM_OK;
    frame->own = (struct own){0};
    frame->levels = 0;
    frame->awaiting = false;
    if (flags & TXN_SERIAL) {
        do
            status = lock_acquire_urgently(seat->store, seat->slot, NO_DEADLINE);
        while (status == STM_INTERRUPTED);
    }
    oracle_begin(frame->fibre, &seat->txn, &frame->own);
    txn_begin(&seat->txn, seat->store, seat->slot, flags);
}

/* Sleeps until something that the attempt has read changes; true if it has already. */
static void sleep_on_reads(struct frame *frame)
{
    struct seat *seat = frame->seat;
    enum stm_status status;
    do
        status = wait_register(&seat->txn, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    txn_end(&seat->txn);
    if (status != STM_OK)
        return;
    do
        status = wait_sleep(seat->store, seat->slot, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    wait_unregister(seat->store, seat->slot);
}

/* True once the block has committed. */
static bool attempt(struct frame *frame, const struct block *block, uint32_t flags)
{
    struct txn *txn = &frame->seat->txn;
    enum stm_status status = STM_OK;
    begin(frame, flags);
    for (unsigned i = 0; i < OPS && block->ops[i].kind != END && status == STM_OK; i++) {
        status = do_op(frame, block->ops[i]);
        if (frame->awaiting)
            break;
    }
    uint64_t snapshot = txn->snapshot;
    if (status == STM_OK && !frame->awaiting)
        status = seat_commit(frame->seat, &frame->own);
    if (status == STM_CONFLICT && flags & TXN_SERIAL)
        sim_fail("a serial block conflicts");
    if (status == STM_CONFLICT && flags & TXN_READ_ONLY)
        sim_fail("a read-only block conflicts");
    if (status == STM_CONFLICT)
        stats_count_conflict(txn);
    oracle_end(frame->fibre, frame->awaiting ? STM_CONFLICT : status, snapshot);
    if (frame->awaiting) {
        sleep_on_reads(frame);
        return false;
    }
    txn_end(txn);
    return status == STM_OK;
}

static void do_open(struct frame *frame)
{
    region_ref first, again;
    struct seat *seat = frame->seat;
    enum stm_status status;
    do
        status = variable_open(seat->store, seat->slot, "new", 3, 0, true, &first);
    while (status == STM_INTERRUPTED);
    if (status == STM_OK && (variable_open(seat->store, seat->slot, "new", 3, 0, true, &again) !=
                                 STM_OK || again != first))
        sim_fail("a variable is there twice");
}

/* Reads a key, leaves a waiter and looks again: who sees another value must see the mark. */
static void do_observe(struct frame *frame, unsigned key)
{
    struct seat *seat = frame->seat;
    uint64_t before, now;
    region_ref waiter;
    txn_begin(&seat->txn, seat->store, seat->slot, 0);
    enum stm_status status = seat_get(seat, key, &before);
    if (status == STM_OK) {
        do
            status = wait_watch(&seat->txn, seat->slot, NO_DEADLINE, &waiter);
        while (status == STM_INTERRUPTED);
    }
    txn_end(&seat->txn);
    for (int looks = 3; status == STM_OK && looks > 0; looks--) {
        txn_begin(&seat->txn, seat->store, seat->slot, TXN_READ_ONLY);
        bool changed = seat_get(seat, key, &now) == STM_OK && now != before;
        txn_end(&seat->txn);
        if (changed && !wait_marked(seat->store, waiter))
            sim_fail("a change was seen before its mark");
    }
    wait_unregister(seat->store, seat->slot);
}

/* What threads do between blocks. */
static bool run_other(struct frame *frame, struct op op)
{
    switch (op.kind) {
    case SWEEP:
    case EVICT:
        do_sweep(frame, op.kind == EVICT);
        return true;
    case CHURN:
        do_churn(frame, op.key);
        return true;
    case OPEN:
        do_open(frame);
        return true;
    case FOLLOW:
        follow_begin(frame->fibre, frame->seat, op.key != 0);
        return true;
    case READ:
        follow_read(frame->fibre, frame->seat, op.key);
        return true;
    case NEXT:
        follow_await(frame->fibre, frame->seat);
        return true;
    case REAP:
        slot_reap(frame->seat->store, NULL, false);
        return true;
    case OBSERVE:
        do_observe(frame, op.key);
        return true;
    default:
        return false;
    }
}

void block_run(unsigned fibre, const struct block *block)
{
    struct frame *frame = &frames[fibre];
    frame->fibre = fibre;
    frame->seat = &seats[fibre];
    if (run_other(frame, block->ops[0]))
        return;
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        bool serial = i >= SERIAL_AFTER && !(block->flags & TXN_READ_ONLY);
        if (attempt(frame, block, serial ? TXN_SERIAL : block->flags))
            return;
    }
    sim_fail("a block has lost %u times", ATTEMPTS);
}
