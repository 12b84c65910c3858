/* attach.c - a file that a keeper is given as a region: taken, or refused with an error.
 *
 * The input is the beginning of the file and, in its last bytes, the size that it has.  One that
 * is taken is complete, so that all its slots can be looked at.
 */
#include "../c/core.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

/* A whole region, to begin with. */
static struct store *pattern;

static off_t size_of_file(const uint8_t *data, size_t count)
{
    static const int64_t steps[] = {0, 0, 0, 1, -1, 16, -4096, INT64_MIN};
    int64_t step = count == 0 ? 0 : steps[data[count - 1] % 8];
    return step == INT64_MIN ? (off_t)count : (off_t)pattern->mapped_bytes + step;
}

static void look_around(struct store *store)
{
    CHECK(store->region->magic == REGION_MAGIC && store->region->layout == REGION_LAYOUT);
    uint64_t dead = 0;
    for (uint32_t i = 0; i < REGION_SLOTS; i += 511)
        dead += slot_dead(&store_slots(store)[i]);
    CHECK(dead <= REGION_SLOTS && store_arena_bytes(store) < store->mapped_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    if (pattern == NULL)
        pattern = new_test_store(1 << 16, 1 << 15);
    size_t changed = count < sizeof(struct region) ? count : sizeof(struct region);
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    CHECK(file >= 0 && ftruncate(file, size_of_file(data, count)) == 0);
    CHECK(pwrite(file, pattern->region, 256, 0) >= 0);
    /* What is 0 in the input stays as it is in a region. */
    for (size_t i = 0; i < changed; i++) {
        if (data[i] != 0)
            CHECK(pwrite(file, &data[i], 1, (off_t)i) == 1);
    }
    struct store *store;
    errno = 0;
    if (store_attach(file, &store) == STM_OK) {
        look_around(store);
        store_leave(store);
    } else {
        CHECK(errno != 0);
        close(file);
    }
    return 0;
}
