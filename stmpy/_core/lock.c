/* lock.c - the futex word of the commit lock.
 *
 *     word = 0                                          free
 *     word = generation << 14 | (slot + 1) << 1 | waiters   owned
 *
 * Invariant: who sets the word from free to its own name owns the lock until it stores
 * free.  A waiter sets the waiters bit before it sleeps and whoever releases looks at the
 * bit in the same exchange, so nobody sleeps on a free lock: one sleeper is woken, and
 * takes the lock with the bit, or sets it anew, or wakes the next one as it gives up.  A
 * dead owner is found by its process; only the waiter whose compare-and-swap replaces that
 * very name takes over, and the generation keeps a slot that was claimed anew from looking
 * like its dead predecessor.
 * What the dead owner left is repaired under the lock before anybody uses it.
 */
#include "lock.h"

#include "recover.h"
#include "trace.h"

#define LOCK_WAITERS 1u
#define SPINS SCALED(25, 2)
#define PAUSES SCALED(4, 1) /* between two looks: each takes the line from who commits */
#define OWNER_CHECK_NS 20000000u /* how long a sleeper trusts that the owner is alive */
#define HELP_NS 100000000u       /* how long a sleeper stands by for the lock of a dead owner */

static uint32_t lock_name(const struct store *store, const struct slot *slot)
{
    return slot->generation << 14 | (slot_number(store, slot) + 1) << 1;
}

static struct slot *lock_owner(const struct store *store, uint32_t word)
{
    return &store_slots(store)[(word >> 1 & 0x1fff) - 1];
}

bool lock_owned_by(struct store *store, const struct slot *slot)
{
    uint32_t word = load_acquire(&store->region->lock); /* Pairs with take. */
    return word != 0 && lock_owner(store, word) == slot;
}

static bool take(struct store *store, uint32_t mine)
{
    uint32_t expected = 0;
    shared_u32 *word = &store->region->lock;
    if (PLANTED(TAKE_UNCOMPARED))
        return load_relaxed(word) == 0 && (put_release(word, mine), true);
    /* Pairs with lock_release: what the last owner wrote is seen. */
    bool taken = cas_acq_rel(word, &expected, mine);
    TRACE(NULL, "take", 0, taken);
    return taken;
}

static bool must_let_pass(const struct store *store, const struct slot *slot)
{
    uint32_t urgent = load_relaxed(&store->region->urgent);
    return urgent != 0 && urgent != slot_number(store, slot) + 1;
}

enum stm_status lock_try(struct store *store, struct slot *slot)
{
    uint32_t mine = lock_name(store, slot);
    for (int spin = 0; spin < SPINS; spin++) {
        /* The first time without a look: that would fetch the line for reading only. */
        bool free = spin == 0 || load_relaxed(&store->region->lock) == 0;
        if (free && !must_let_pass(store, slot) && take(store, mine)) {
            recover_unfinished(store);
            return STM_OK;
        }
        for (int pause = 0; pause < PAUSES; pause++)
            platform_pause();
    }
    return STM_BUSY;
}

/* Takes the lock from an owner whose process has ended. */
static bool take_over(struct store *store, struct slot *slot, uint32_t word)
{
    if (word == 0 || !(slot_dead(lock_owner(store, word)) || PLANTED(TAKE_FROM_LIVING)))
        return false;
    uint32_t mine = lock_name(store, slot) | LOCK_WAITERS;
    if (PLANTED(TAKE_OVER_UNCOMPARED))
        return put_release(&store->region->lock, mine), true;
    /* Pairs with the dead owner's last stores, which its death made visible. */
    return cas_acq_rel(&store->region->lock, &word, mine);
}

void lock_withdraw(struct store *store, struct slot *slot)
{
    shared_u32 *urgent = &store->region->urgent;
    uint32_t mine = slot_number(store, slot) + 1;
    /* Pairs with must_let_pass. */
    if (load_relaxed(urgent) != mine || !cas_acq_rel(urgent, &mine, 0))
        return;
    TRACE(slot, "lock_withdraw", 0, 0);
    if (PLANTED(WITHDRAW_SILENT))
        return;
    platform_futex_wake(urgent, INT32_MAX);
    TRACE(slot, "lock_withdraw.wake", 0, 0);
}

/* An urgent slot whose process has ended must not hold up the others. */
static void forget_dead_urgent(struct store *store)
{
    uint32_t urgent = load_relaxed(&store->region->urgent);
    if (urgent != 0 && slot_dead(&store_slots(store)[urgent - 1]) && !PLANTED(DEAD_URGENT))
        lock_withdraw(store, &store_slots(store)[urgent - 1]);
}

static uint64_t nap(uint64_t now, uint64_t deadline)
{
    uint64_t left = deadline - now;
    return left < OWNER_CHECK_NS ? left : OWNER_CHECK_NS;
}

/* Sleeps until the urgent block has got the lock. */
static enum platform_wait wait_to_pass(struct store *store, struct slot *slot, uint64_t ns)
{
    uint32_t urgent = load_relaxed(&store->region->urgent);
    if (urgent == 0 || urgent == slot_number(store, slot) + 1)
        return PLATFORM_WOKEN;
    return platform_futex_wait(&store->region->urgent, urgent, ns);
}

static enum platform_wait wait_for_owner(struct store *store, uint64_t ns)
{
    shared_u32 *word = &store->region->lock;
    uint32_t seen = load_relaxed(word);
    TRACE(NULL, "wait_for_owner", 0, (seen != 0) + (seen & LOCK_WAITERS));
    if (seen == 0)
        return PLATFORM_WOKEN;
    if (!(seen & LOCK_WAITERS) && !PLANTED(NO_WAITERS_BIT)) {
        /* Pairs with the exchange in lock_release, which then wakes us. */
        bool set = cas_acq_rel(word, &seen, seen | LOCK_WAITERS);
        TRACE(NULL, "wait_for_owner.set", 0, set);
        if (!set)
            return PLATFORM_WOKEN;
        seen |= LOCK_WAITERS;
    }
    return platform_futex_wait(word, seen, ns);
}

/* One block at a time is urgent; others announce themselves when it has got through.  Pairs
 * with must_let_pass, which may see it late: that only costs time. */
static void announce(struct store *store, struct slot *slot)
{
    uint32_t expected = 0;
    bool first = load_relaxed(&store->region->urgent) == 0 &&
                 cas_acq_rel(&store->region->urgent, &expected, slot_number(store, slot) + 1);
    TRACE(slot, "announce", 0, first);
}

/* Who leaves without the lock has perhaps used up the wake-up that another sleeper needs. */
static enum stm_status give_up(struct store *store, bool slept, enum stm_status status)
{
    if (slept)
        platform_futex_wake(&store->region->lock, 1);
    TRACE(NULL, "give_up", 0, status == STM_TIMED_OUT);
    return status;
}

static enum stm_status wait_to_acquire(struct store *store, struct slot *slot,
                                       uint64_t deadline_ns, bool urgently)
{
    uint32_t mine = lock_name(store, slot);
    bool slept = false;
    for (;;) {
        if (urgently)
            announce(store, slot);
        bool passing = must_let_pass(store, slot);
        TRACE(slot, "must_let_pass", 0, passing);
        if (!passing && take(store, mine))
            return STM_OK;
        uint64_t now = platform_now_ns();
        if (now >= deadline_ns)
            return give_up(store, slept, STM_TIMED_OUT);
        enum platform_wait woken = passing ? wait_to_pass(store, slot, nap(now, deadline_ns))
                                           : wait_for_owner(store, nap(now, deadline_ns));
        TRACE(slot, "acquire.woken", 0, woken);
        /* Others may sleep as we did, so from now on we own the lock with the bit set. */
        mine |= PLANTED(BIT_FORGOTTEN) ? 0 : LOCK_WAITERS;
        slept = true;
        if (woken == PLATFORM_INTERRUPTED)
            return give_up(store, slept, STM_INTERRUPTED);
        if (woken == PLATFORM_TIMED_OUT) {
            forget_dead_urgent(store);
            /* A signal may have come to another thread: the caller looks now and then. */
            if (take_over(store, slot, load_relaxed(&store->region->lock)))
                return STM_OK;
            bool over = platform_now_ns() >= deadline_ns;
            return give_up(store, slept, over ? STM_TIMED_OUT : STM_INTERRUPTED);
        }
    }
}

static enum stm_status acquire(struct store *store, struct slot *slot, uint64_t deadline_ns,
                               bool urgently)
{
    show_relaxed(&slot->sleep, SLEEP_LOCK);
    enum stm_status status = wait_to_acquire(store, slot, deadline_ns, urgently);
    show_relaxed(&slot->sleep, SLEEP_NOT);
    return status;
}

enum stm_status lock_acquire(struct store *store, struct slot *slot, uint64_t deadline_ns)
{
    enum stm_status status = acquire(store, slot, deadline_ns, false);
    if (status == STM_OK && !PLANTED(NO_RECOVERY))
        recover_unfinished(store);
    if (status == STM_OK)
        TRACE(slot, "lock_acquire", 0, 0);
    return status;
}

enum stm_status lock_acquire_urgently(struct store *store, struct slot *slot, uint64_t deadline_ns)
{
    enum stm_status status = acquire(store, slot, deadline_ns, true);
    lock_withdraw(store, slot);
    if (status == STM_OK)
        recover_unfinished(store);
    return status;
}

void lock_release(struct store *store)
{
    shared_u32 *word = &store->region->lock;
    /* Pairs with the compare-and-swaps that take the lock. */
    bool waiters = (exchange_acq_rel(word, 0) & LOCK_WAITERS) != 0;
    TRACE(NULL, "lock_release", 0, waiters);
    if (!waiters)
        return;
    /* The first sleeper might have to let an urgent one pass that sleeps behind it. */
    bool urgent = load_relaxed(&store->region->urgent) != 0 && !PLANTED(WAKE_ONE);
    TRACE(NULL, "lock_release.look", 0, urgent);
    platform_futex_wake(word, urgent ? INT32_MAX : 1);
    TRACE(NULL, "lock_release.wake", 0, 0);
}

void lock_help(struct store *store, struct slot *slot)
{
    bool owned = load_relaxed(&store->region->lock) != 0;
    if (owned && lock_acquire(store, slot, platform_now_ns() + HELP_NS) == STM_OK)
        lock_release(store);
    else
        TRACE(slot, owned ? "lock_help.leave" : "lock_help.free", 0, 0);
}
