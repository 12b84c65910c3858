/* bank.h - blocks whose sum is known, for threads and processes that may be killed.
 *
 * Accounts 0 to ACCOUNTS - 1 hold money that is moved about; a second range of keys comes
 * and goes, always in pairs: whoever walks the variable must find either both or none.
 */
#ifndef TEST_BANK_H
#define TEST_BANK_H

#include "core.h"

#define ACCOUNTS 24u
#define BALANCE 1000u
#define PAIRS 8u
#define PAIR_KEY(pair, half) (1000u + 2 * (pair) + (half))
#define COUNTER_KEY(worker) (5000u + (worker))

struct tally {
    uint64_t keys, money, pairs[PAIRS][2];
};

static bool add_key(void *context, const uint8_t *key, uint32_t length,
                    const struct version *version)
{
    struct tally *tally = context;
    uint64_t number, content;
    CHECK(length == 8 && version_length(version) == 8);
    memcpy(&number, key, 8);
    memcpy(&content, version->payload, 8);
    tally->keys++;
    if (number < ACCOUNTS)
        tally->money += content;
    else if (number >= PAIR_KEY(0, 0) && number < PAIR_KEY(PAIRS, 0))
        tally->pairs[(number - 1000) / 2][number % 2] = content;
    return true;
}

static inline void fill_bank(struct seat *seat)
{
    for (uint64_t i = 0; i < ACCOUNTS; i++)
        set_alone(seat, i, BALANCE);
}

/* One look at the whole variable. */
static inline enum stm_status audit(struct seat *seat)
{
    struct tally tally = {0};
    uint64_t count;
    enum stm_status status = txn_walk(&seat->txn, seat->variable, true, add_key, &tally);
    if (status == STM_OK)
        status = txn_size(&seat->txn, seat->variable, &count);
    if (status != STM_OK)
        return status;
    CHECK(tally.money == (uint64_t)ACCOUNTS * BALANCE && tally.keys == count);
    for (unsigned i = 0; i < PAIRS; i++)
        CHECK(tally.pairs[i][0] == tally.pairs[i][1]);
    return STM_OK;
}

static inline enum stm_status transfer(struct seat *seat, uint64_t *state)
{
    uint64_t from = draw_below(state, ACCOUNTS), to = draw_below(state, ACCOUNTS), money, other;
    enum stm_status status = get(seat, from, &money);
    if (status == STM_OK)
        status = get(seat, to, &other);
    if (status != STM_OK || from == to || money == 0)
        return status;
    uint64_t amount = 1 + draw_below(state, money);
    status = put(seat, from, money - amount);
    return status == STM_OK ? put(seat, to, other + amount) : status;
}

/* Both keys of a pair appear with the same content, or both go. */
static inline enum stm_status flip_pair(struct seat *seat, uint64_t *state)
{
    uint64_t pair = draw_below(state, PAIRS), content;
    enum stm_status status = get(seat, PAIR_KEY(pair, 0), &content);
    bool there = content != ABSENT;
    uint64_t fresh = 1 + draw_below(state, 1000000);
    for (uint64_t half = 0; half < 2 && status == STM_OK; half++)
        status = there ? del(seat, PAIR_KEY(pair, half)) : put(seat, PAIR_KEY(pair, half), fresh);
    return status;
}

static inline enum stm_status count_up(struct seat *seat, uint64_t worker)
{
    uint64_t content;
    enum stm_status status = get(seat, COUNTER_KEY(worker), &content);
    return status != STM_OK ? status
                            : put(seat, COUNTER_KEY(worker), content == ABSENT ? 1 : content + 1);
}

enum bank_work { AUDIT, AUDIT_AND_WRITE, TRANSFER, FLIP, WORKS };

static inline enum stm_status do_work(struct seat *seat, enum bank_work work, uint64_t *state)
{
    enum stm_status status;
    switch (work) {
    case AUDIT:
        return audit(seat);
    case AUDIT_AND_WRITE:
        status = audit(seat);
        return status != STM_OK ? status : transfer(seat, state);
    case FLIP:
        return flip_pair(seat, state);
    default:
        return transfer(seat, state);
    }
}

/* A random block of this worker, run until it commits; each writing one is counted. */
static inline void run_block(struct seat *seat, uint64_t worker, uint64_t *state)
{
    enum bank_work work = draw_below(state, 16) < 2 ? (enum bank_work)draw_below(state, 2)
                          : draw_below(state, 2) ? TRANSFER : FLIP;
    for (unsigned attempt = 0;; attempt++) {
        uint64_t again = *state; /* every attempt draws the same */
        begin(seat, attempt > 20 ? TXN_SERIAL : work == AUDIT ? TXN_READ_ONLY : 0);
        enum stm_status status = do_work(seat, work, &again);
        if (status == STM_OK && work != AUDIT)
            status = count_up(seat, worker);
        if (status == STM_OK)
            status = commit_patiently(&seat->txn);
        CHECK(status == STM_OK || status == STM_CONFLICT || status == STM_TOO_OLD);
        txn_end(&seat->txn);
        if (status == STM_OK)
            break;
    }
    (void)draw(state);
}

#endif
