/* blind.c - steps that write without reading, and the commit that settles them.
 */
#include "sim.h"

#define MOVES 2u /* races that functions lose until the lock is taken for them */

uint64_t decode_content(const struct version *version)
{
    struct number number;
    if (!number_read(version->payload, version_length(version), &number) || number.is_float)
        sim_fail("a value is none that was ever written");
    return (uint64_t)number.integer;
}

uint64_t commuted(uint64_t content)
{
    return 3 * (content == ABSENT ? 0 : content) + 1;
}

enum stm_status seat_add(struct seat *seat, unsigned key, uint64_t number, bool *blind)
{
    struct txn_entry *entry;
    enum stm_status status = seat_entry(seat, key, &entry);
    if (status != STM_OK)
        return status;
    return txn_add(&seat->txn, entry, (struct number){.integer = (int64_t)number}, blind);
}

enum stm_status seat_commute(struct seat *seat, unsigned key, bool *blind)
{
    struct txn *txn = &seat->txn;
    struct txn_entry *entry;
    struct txn_value from;
    uint8_t bytes[NUMBER_BYTES];
    enum stm_status status = seat_entry(seat, key, &entry);
    if (status != STM_OK)
        return status;
    *blind = txn_may_commute(txn, entry);
    if (!*blind)
        return STM_OK;
    struct key wanted = txn_entry_as_key(txn, entry);
    status = txn_lookup_entry(txn, &wanted, entry, false, &from);
    if (status != STM_OK)
        return status;
    uint64_t base = entry->pending != 0 ? entry->base : from.ts;
    uint64_t content = from.version == NULL ? ABSENT : decode_content(from.version);
    txn_read_done(txn);
    size_t length =
        number_write(bytes, (struct number){.integer = (int64_t)commuted(content)});
    return txn_put_commuted(txn, entry, base, bytes, length, 0);
}

/* How often the attempt has applied the function to a key. */
static uint64_t times_of(const struct txn_entry *entry, const struct own *own)
{
    for (unsigned key = 0; key < KEYS; key++) {
        uint64_t bytes = key_bytes(key);
        const struct seat *seat = &seats[FIBRES];
        if (entry->variable == seat->tables[VARIABLE_OF(key)] &&
            index_key(seat->store, entry->variable, (const uint8_t *)&bytes, sizeof bytes).order ==
                entry->order)
            return own->contents[key];
    }
    return 0;
}

static enum stm_status run_again(struct seat *seat, const struct own *own)
{
    struct txn *txn = &seat->txn;
    enum stm_status status = STM_OK;
    for (uint32_t i = 0; i < txn->count && status == STM_OK; i++) {
        struct txn_entry *entry = &txn->entries[i];
        struct txn_value newest;
        uint8_t bytes[NUMBER_BYTES];
        if (!txn_pending_is(txn, entry, VERSION_COMMUTED))
            continue;
        txn_newest(txn, entry, &newest);
        uint64_t content = newest.version == NULL ? ABSENT : decode_content(newest.version);
        txn_read_done(txn);
        if (newest.ts == entry->base)
            continue;
        for (uint64_t times = times_of(entry, own); times > 0; times--)
            content = commuted(content);
        size_t length = number_write(bytes, (struct number){.integer = (int64_t)content});
        status = txn_put_again(txn, entry, newest.ts, bytes, length, 0);
    }
    return status;
}

static enum stm_status commit_once(struct txn *txn)
{
    enum stm_status status = txn_commit(txn, false, 0);
    while (status == STM_BUSY || status == STM_INTERRUPTED)
        status = txn_commit(txn, true, NO_DEADLINE);
    if (status == STM_STORE_FULL) /* may be tried again when others have freed something */
        status = txn_commit(txn, true, NO_DEADLINE);
    return status;
}

static enum stm_status take_over(struct seat *seat)
{
    enum stm_status status;
    do
        status = lock_acquire_urgently(seat->store, seat->slot, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    return txn_become_serial(&seat->txn);
}

enum stm_status seat_commit(struct seat *seat, const struct own *own)
{
    enum stm_status status = commit_once(&seat->txn);
    for (unsigned moves = 1; status == STM_MOVED; moves++) {
        if (moves > MOVES)
            sim_fail("a function has moved under the lock");
        status = moves == MOVES ? take_over(seat) : STM_OK;
        if (status == STM_OK)
            status = run_again(seat, own);
        if (status == STM_OK)
            status = commit_once(&seat->txn);
    }
    return status;
}
