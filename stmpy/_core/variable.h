/* variable.h - named variables and the list of the keys of each.
 */
#ifndef STMPY_VARIABLE_H
#define STMPY_VARIABLE_H

#include "lock.h"

#define VARIABLE_NAME_LIMIT 255u /* bytes of UTF-8 */

/* The variable of this name, made if there is none.  Variables are never taken away, so a
 * ref stays good.  Takes the commit lock: STM_BUSY unless `may_sleep`. */
enum stm_status variable_open(struct store *store, struct slot *slot, const char *name,
                              uint32_t length, uint32_t kind, bool may_sleep, region_ref *out);

/* The variable of this name or 0; without the lock. */
region_ref variable_find(const struct store *store, const char *name, uint32_t length);

/* Appends a cell to the list of its variable.  Needs the commit lock. */
void variable_append(struct store *store, region_ref cell);

/* Takes a cell out of the list of its variable.  Needs the commit lock. */
void variable_remove(struct store *store, region_ref cell);

/* Makes the list's backward links agree with its forward links.  Needs the commit lock. */
void variable_repair(struct store *store, region_ref variable);

#endif
