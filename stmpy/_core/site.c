/* site.c - a table of names that only grows.
 *
 * Invariant: an entry belongs to whoever sets its hash, and is complete once `ready` is
 * set.  Safe because nobody looks at the rest before that.  If its owner dies in between
 * it stays unused; if two threads bring the same name at once it may get two numbers, and
 * who reads the statistics adds up what has the same name.
 */
#include "site.h"

#include <string.h>

/* Fowler, Noll and Vo's FNV-1a. */
static uint64_t hash_of(const char *name, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3u;
    return hash != 0 ? hash : 1;
}

static bool is_named(struct site_name *site, const char *name, uint32_t length)
{
    /* Pairs with fill: the text is complete. */
    return load_acquire(&site->ready) && site->length == length &&
           memcmp(site->text, name, length) == 0;
}

static void fill(struct site_name *site, const char *name, uint32_t length)
{
    site->length = length;
    memcpy(site->text, name, length);
    put_release(&site->ready, 1); /* Pairs with is_named. */
}

uint32_t site_number(struct store *store, const char *name, size_t length)
{
    uint64_t hash = hash_of(name, length);
    uint32_t kept = length < SITE_TEXT ? (uint32_t)length : SITE_TEXT;
    for (uint32_t i = 0; i < REGION_SITES - 1; i++) {
        uint32_t number = 1 + (uint32_t)((hash + i) % (REGION_SITES - 1));
        struct site_name *site = &store->region->sites[number];
        uint64_t found = load_relaxed(&site->hash);
        if (found == 0 && cas_acq_rel(&site->hash, &found, hash)) {
            fill(site, name, kept);
            return number;
        }
        if (found == hash && is_named(site, name, kept))
            return number;
    }
    return 0;
}

bool site_text(const struct store *store, uint32_t number, const uint8_t **text, size_t *length)
{
    const struct site_name *site = &store->region->sites[number];
    if (number == 0 || !load_acquire(&site->ready)) /* Pairs with fill. */
        return false;
    *text = site->text;
    *length = site->length;
    return true;
}
