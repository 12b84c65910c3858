/* bell.h - a thread that turns wake words into a file descriptor.
 *
 * An event loop sleeps on file descriptors, so one thread per loop sleeps on the wake word
 * of a slot for it, and adds to an eventfd whenever the word was set.  The thread knows no
 * Python: isolated interpreters allow no daemon threads, and this one needs none of their
 * locks.
 */
#ifndef STMPY_BELL_H
#define STMPY_BELL_H

#include "slot.h"

struct bell;

/* Starts the thread.  The slot and the store stay until bell_close. */
enum stm_status bell_open(struct store *store, struct slot *slot, struct bell **out);

/* Becomes readable when the wake word was set, or the store is closed. */
int bell_file(const struct bell *bell);

/* Ends the thread and closes the file. */
void bell_close(struct bell *bell);

/* In the child of a fork, which has the file but not the thread. */
void bell_forget(struct bell *bell);

#endif
