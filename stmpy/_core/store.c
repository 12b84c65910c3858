/* store.c - making regions, and the list of those this process has mapped.
 *
 * Invariant: a store in the list has at least one handle.  The list is the only state of
 * the process that is not in a region; a mutex guards it, which is never held while
 * anything else is waited for and is made anew in the child after a fork.
 */
#include "store.h"

#include "arena.h"
#include "index.h"
#include "log.h"
#include "trace.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store *registry;     /* Protected by registry_lock */
static uint64_t next_store_number; /* Protected by registry_lock */

static void before_fork(void)
{
    pthread_mutex_lock(&registry_lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&registry_lock);
}

__attribute__((constructor)) static void survive_fork(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

static size_t fixed_bytes(void)
{
    size_t header = (sizeof(struct region) + 4095) / 4096 * 4096;
    return (header + REGION_SLOTS * sizeof(struct slot) + 4095) / 4096 * 4096;
}

uint64_t store_arena_bytes(const struct store *store)
{
    return store->mapped_bytes - fixed_bytes();
}

/* Creates the file, sized but empty, and maps it. */
static enum stm_status map_region(struct store *store, const char *name)
{
    store->file = memfd_create(name[0] ? name : "stmpy", MFD_CLOEXEC);
    if (store->file < 0)
        return STM_SYSTEM;
    void *memory = MAP_FAILED;
    if (ftruncate(store->file, (off_t)store->mapped_bytes) == 0)
        memory = mmap(NULL, store->mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                      store->file, 0);
    if (memory == MAP_FAILED) {
        int reason = errno;
        close(store->file);
        errno = reason;
        return STM_SYSTEM;
    }
    store->region = memory;
    return STM_OK;
}

static void unmap_region(struct store *store)
{
    munmap(store->region, store->mapped_bytes);
    close(store->file);
    for (int i = 0; i < 2; i++) {
        if (store->lifeline[i] >= 0)
            close(store->lifeline[i]);
    }
    free(store);
}

static enum stm_status fill_region(struct store *store, uint64_t history_bytes)
{
    struct region *region = store->region;
    region->magic = REGION_MAGIC;
    region->layout = REGION_LAYOUT;
    region->slot_bytes = sizeof(struct slot);
    region->bytes = store->mapped_bytes;
    region->history_limit = history_bytes;
    region->log.limit = history_bytes / 2;
    region->opened_ns = platform_now_ns();
    region->tick_scale = platform_tick_scale();
    memcpy(region->name, store->name, sizeof region->name);
    if (!platform_random(region->hash_seed, sizeof region->hash_seed) ||
        !platform_random(region->id, sizeof region->id))
        return STM_SYSTEM;
    put_relaxed(&region->clock, 1);
    put_relaxed(&region->epoch, 1);
    put_relaxed(&region->arena.top, fixed_bytes());
    struct slot *slot;
    enum stm_status status = slot_claim(store, 0, &slot);
    if (status != STM_OK)
        return status;
    status = index_init(store, slot);
    slot_release(store, slot);
    return status;
}

static enum stm_status new_store(const char *name, uint64_t max_bytes, uint64_t history_bytes,
                                 struct store **out)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return STM_NO_MEMORY;
    store->mapped_bytes = fixed_bytes() + (size_t)max_bytes;
    store->lifeline[0] = store->lifeline[1] = -1;
    strncpy(store->name, name, sizeof store->name - 1);
    /* A switch to measure with: what statistics cost beyond plain counts. */
    const char *counted = getenv("STMPY_STATISTICS");
    store->counted = counted == NULL || strcmp(counted, "off") != 0;
    enum stm_status status = map_region(store, name);
    if (status != STM_OK) {
        free(store);
        return status;
    }
    status = fill_region(store, history_bytes);
    if (status != STM_OK) {
        unmap_region(store);
        return status;
    }
    *out = store;
    return STM_OK;
}

/* Puts a new store into the list, with the registry locked. */
static void list_store(struct store *store)
{
    store->number = ++next_store_number;
    store->next = registry;
    registry = store;
}

static struct store *find_named(const char *name)
{
    struct store *store = name[0] ? registry : NULL;
    while (store != NULL &&
           (strcmp(store->name, name) != 0 || store_over(store)))
        store = store->next;
    return store;
}

enum stm_status store_open(const char *name, uint64_t max_bytes, uint64_t history_bytes,
                           struct store **out)
{
    enum stm_status status = STM_OK;
    pthread_mutex_lock(&registry_lock);
    struct store *store = find_named(name);
    if (store == NULL) {
        status = new_store(name, max_bytes, history_bytes, &store);
        if (status == STM_OK) {
            list_store(store);
            /* The default store is the process's own: it outlives who made it. */
            store->handles = store->users = strcmp(name, "default") == 0;
        }
    }
    if (status == STM_OK) {
        store->handles++;
        store->users++;
        *out = store;
    }
    pthread_mutex_unlock(&registry_lock);
    return status;
}

enum stm_status store_tie(struct store *store)
{
    enum stm_status status = STM_OK;
    pthread_mutex_lock(&registry_lock);
    if (store->lifeline[0] < 0 && pipe2(store->lifeline, O_CLOEXEC) < 0) {
        store->lifeline[0] = store->lifeline[1] = -1;
        status = STM_SYSTEM;
    }
    pthread_mutex_unlock(&registry_lock);
    return status;
}

static bool valid_region(const struct region *region, size_t bytes)
{
    return bytes > fixed_bytes() && region->magic == REGION_MAGIC &&
           region->layout == REGION_LAYOUT && region->slot_bytes == sizeof(struct slot) &&
           region->bytes == bytes;
}

enum stm_status store_attach(int file, struct store **out)
{
    struct stat stat;
    if (fstat(file, &stat) < 0)
        return STM_SYSTEM;
    size_t bytes = (size_t)stat.st_size;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED)
        return STM_SYSTEM;
    struct store *store = valid_region(memory, bytes) ? calloc(1, sizeof *store) : NULL;
    if (store == NULL) {
        munmap(memory, bytes);
        errno = EINVAL;
        return STM_SYSTEM;
    }
    *store = (struct store){
        .region = memory, .mapped_bytes = bytes, .file = file, .lifeline = {-1, -1},
        .handles = 1, .users = 1};
    pthread_mutex_lock(&registry_lock);
    list_store(store);
    pthread_mutex_unlock(&registry_lock);
    *out = store;
    return STM_OK;
}

struct store *store_find(uint64_t number)
{
    pthread_mutex_lock(&registry_lock);
    struct store *store = registry;
    while (store != NULL && (store->number != number || load_relaxed(&store->dropped)))
        store = store->next;
    if (store != NULL) {
        store->handles++;
        store->users++;
    }
    pthread_mutex_unlock(&registry_lock);
    return store;
}

void store_keep(struct store *store)
{
    pthread_mutex_lock(&registry_lock);
    store->handles++;
    pthread_mutex_unlock(&registry_lock);
}

void store_leave(struct store *store)
{
    pthread_mutex_lock(&registry_lock);
    bool last = --store->users == 0;
    if (last)
        put_release(&store->dropped, 1); /* Pairs with store_over. */
    pthread_mutex_unlock(&registry_lock);
    if (last && store->region->durable.opener == platform_process_id())
        store_close(store); /* its keeper may go, and the path be opened again */
    store_release(store);
}

void store_release(struct store *store)
{
    pthread_mutex_lock(&registry_lock);
    bool last = --store->handles == 0;
    for (struct store **link = &registry; last && *link != NULL; link = &(*link)->next) {
        if (*link == store) {
            *link = store->next;
            break;
        }
    }
    pthread_mutex_unlock(&registry_lock);
    if (last)
        unmap_region(store);
}

void store_close(struct store *store)
{
    put_release(&store->region->closed, 1); /* Pairs with the binding's check at begin. */
    TRACE(NULL, "store_close", 0, 0);
    wait_wake_all(store);
    log_rouse_all(store);
}

void store_each(void (*visit)(struct store *store, void *context), void *context)
{
    pthread_mutex_lock(&registry_lock);
    for (struct store *store = registry; store != NULL; store = store->next)
        visit(store, context);
    pthread_mutex_unlock(&registry_lock);
}
