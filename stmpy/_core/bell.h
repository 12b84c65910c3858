/* bell.h - a thread that turns wake words into a file descriptor.
 *
 * An event loop sleeps on file descriptors, so a thread sleeps on the wake word of a slot
 * for it, or on that of a follower of the log, and adds to an eventfd whenever the word was
 * set.  The thread knows no Python: isolated interpreters allow no daemon threads, and this
 * one needs none of their locks.
 */
#ifndef STMPY_BELL_H
#define STMPY_BELL_H

#include "log.h"

struct bell;

/* Starts the thread.  What it is given stays until bell_close; `follower` may be NULL. */
enum stm_status bell_open(struct store *store, struct slot *slot, struct follower *follower,
                          struct bell **out);

/* Becomes readable when the slot's wake word was set; or, once after each bell_arm, when the
 * follower has something to read; or when the store is closed. */
int bell_file(const struct bell *bell);
void bell_arm(struct bell *bell);

/* Ends the thread and closes the file. */
void bell_close(struct bell *bell);

/* In the child of a fork, which has the file but not the thread. */
void bell_forget(struct bell *bell);

#endif
