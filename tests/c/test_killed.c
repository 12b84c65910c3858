/* test_killed.c - processes killed at random moments: what they committed stays, whole.
 *
 * Children run blocks of the bank and write down what they know to be committed: the
 * number of their counter before and after each block.  The parent kills them at moments
 * that are drawn, starts others in their place, and audits.
 */
#include "bank.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 3
#define KILLS REPEAT(400)

static struct store *store;
static _Atomic uint64_t *done; /* blocks that each worker knows to be committed, shared */

static void child(uint64_t worker, uint64_t seed)
{
    uint64_t state = seed;
    struct seat seat = take_seat(store);
    for (;;) {
        uint64_t before, after;
        begin(&seat, TXN_READ_ONLY);
        before = read_key(&seat, COUNTER_KEY(worker));
        txn_end(&seat.txn);
        run_block(&seat, worker, &state);
        begin(&seat, TXN_READ_ONLY);
        after = read_key(&seat, COUNTER_KEY(worker));
        txn_end(&seat.txn);
        before = before == ABSENT ? 0 : before;
        after = after == ABSENT ? 0 : after;
        CHECK(after == before || after == before + 1);
        atomic_store_explicit(&done[worker], after, memory_order_release);
    }
}

static pid_t spawn(uint64_t worker, uint64_t seed)
{
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        /* A parent that fails leaves no children behind. */
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        if (getppid() != parent)
            _exit(0);
        child(worker, seed);
        _exit(0);
    }
    return pid;
}

static void kill_and_reap(pid_t pid)
{
    int status;
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Everything committed is there: the audit passes, no counter has gone back. */
static void look(struct seat *seat, uint64_t known[CHILDREN])
{
    for (uint64_t i = 0; i < CHILDREN; i++)
        known[i] = atomic_load_explicit(&done[i], memory_order_acquire);
    begin(seat, TXN_READ_ONLY);
    enum stm_status status = audit(seat);
    CHECK(status == STM_OK || status == STM_TOO_OLD);
    for (uint64_t i = 0; i < CHILDREN && status == STM_OK; i++) {
        uint64_t content;
        status = get(seat, COUNTER_KEY(i), &content);
        if (status == STM_OK)
            CHECK((content == ABSENT ? 0 : content) >= known[i]);
    }
    txn_end(&seat->txn);
    if (status == STM_OK) { /* a commit must get through, whoever died with the lock */
        uint64_t state = known[0];
        run_block(seat, CHILDREN, &state);
    }
}

/* Whoever died, no block is free twice. */
static void check_free_lists(const struct seat *seat)
{
    size_t units = store->mapped_bytes / 16;
    uint8_t *met = calloc(units, 1);
    CHECK(met != NULL);
    for (unsigned class = 0; class < ARENA_CLASSES; class++) {
        region_ref batch = (region_ref)load_relaxed(&store->region->arena.stacks[class]);
        region_ref block = load_relaxed(&seat->slot->magazines[class].head);
        while (block != 0 || batch != 0) {
            if (block == 0) {
                block = batch;
                batch = load_relaxed(&store_chunk(store, batch)->batch);
            }
            CHECK(block < units && !met[block]);
            met[block] = 1;
            block = load_relaxed(&store_chunk(store, block)->link);
        }
    }
    free(met);
}

int main(void)
{
    test_begin();
    uint64_t state = test_seed, known[CHILDREN];
    pid_t pids[CHILDREN];
    store = new_test_store((uint64_t)32 << 20, 1 << 20);
    done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(done != MAP_FAILED);
    struct seat seat = take_seat(store);
    fill_bank(&seat);
    for (uint64_t i = 0; i < CHILDREN; i++)
        pids[i] = spawn(i, draw(&state));
    for (int i = 0; i < KILLS; i++) {
        /* The moment of death is what is drawn here; nothing waits for it to come. */
        struct timespec moment = {0, (long)draw_below(&state, 6000000)};
        nanosleep(&moment, NULL);
        uint64_t victim = draw_below(&state, CHILDREN);
        kill_and_reap(pids[victim]);
        look(&seat, known);
        pids[victim] = spawn(victim, draw(&state));
    }
    for (int i = 0; i < CHILDREN; i++)
        kill_and_reap(pids[i]);
    look(&seat, known);
    for (uint64_t i = 0; i < COUNTER_KEY(CHILDREN + 1); i++)
        set_alone(&seat, i, ABSENT);
    sweep_everything(&seat);
    CHECK(load_relaxed(&store->region->history_bytes) == 0);
    CHECK(count_claimed(store) == 1 && store->region->index.cells < 16);
    check_free_lists(&seat);
    leave_seat(&seat);
    store_release(store);
    return 0;
}
