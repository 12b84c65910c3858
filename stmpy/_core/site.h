/* site.h - the names of blocks of code, for statistics.
 *
 * A version names the block that wrote it, and counters are kept per block, by a number
 * that the region gives each name.  Numbers are never taken back.
 */
#ifndef STMPY_SITE_H
#define STMPY_SITE_H

#include "store.h"

/* The number of a name, UTF-8 of any length, which is cut to SITE_TEXT bytes; given to it
 * now if it has none.  0 when there is no room for further names. */
uint32_t site_number(struct store *store, const char *name, size_t length);

/* The name with that number, not ended by a zero; false for number 0. */
bool site_text(const struct store *store, uint32_t number, const uint8_t **text, size_t *length);

#endif
