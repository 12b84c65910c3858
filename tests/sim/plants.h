/* plants.h - bugs that are planted in the real C, one at a time, for the simulator to find.
 *
 * PLANTED(name) is false in every other build, and the compiler leaves the bug out.
 */
#ifndef PLANTS_H
#define PLANTS_H

#define PLANTS(X)                                                                            \
    X(SKIP_VALIDATION, "a commit does not check what was read")                              \
    X(CHECK_OUTSIDE_ONLY, "nor what was committed since the check outside the lock")         \
    X(CLOCK_BEFORE_LAST_LINK, "the clock is stored before the last version is linked")       \
    X(PUBLISH_BEFORE_LINK, "a version is linked before it knows the older one")              \
    X(RELAXED_HEAD, "a version is linked by a relaxed store")                                \
    X(FREE_EARLY, "a version is freed one snapshot early")                                   \
    X(NO_EVICTED_CHECK, "a reader does not look whether it was given up after its walk")     \
    X(FORGET_EVICTED, "a snapshot that was given up does not hold back what it stands on")   \
    X(NO_LIMBO, "what is cut out of a chain is freed at once")                               \
    X(SHORT_GRACE, "limbo waits two epochs too few")                                         \
    X(LATE_READING, "a read operation announces itself without waiting for the store")       \
    X(LATE_SNAPSHOT, "a snapshot is registered without waiting for the store")               \
    X(NO_CLOCK_RECHECK, "a snapshot is registered and the clock not read again")             \
    X(NO_TXN_EPOCH, "a transaction does not hold back the cells that it remembers")          \
    X(READY_EARLY, "a bucket counts before it is in the list")                               \
    X(HINT_DURING_REMOVAL, "where a cell was is remembered while it is being removed")       \
    X(DEAD_IGNORED, "a write goes to a cell that was buried")                                \
    X(LOST_TOMBSTONE, "a tombstone is taken away while older versions are needed")           \
    X(BLIND_INSERT, "an insertion does not look whether the key has come meanwhile")         \
    X(EXTEND_AGAINST_NEW, "an extension checks against the new snapshot")                    \
    X(EXTEND_UNREGISTERED, "an extension does not register the new snapshot")                \
    X(EXTEND_UNSEEN, "an extension keeps what was looked up and not read")                   \
    X(TENTATIVE_ABSENCE, "a tombstone that is not published counts as absence")              \
    X(COUNT_AT_SNAPSHOT, "the number of keys is taken before the other's insertion")         \
    X(GATHER_LOSES, "what was left over is lost when more is taken over")                    \
    X(KEEP_DIRTY, "recovery queues every cell anew and keeps the old queues as well")        \
    X(NO_WAITERS_BIT, "a sleeper does not say that it sleeps on the lock")                   \
    X(WAKE_ONE, "the first sleeper is woken though it lets an urgent one pass")              \
    X(PARK_UNCHECKED, "a block parks without checking what it has read")                     \
    X(MARK_AFTER_CLOCK, "who waits is marked when others can see the commit already")        \
    X(FORGET_LINKING, "recovery does not undo a commit that was cut off")                    \
    X(CLEAR_LINKING_FIRST, "recovery is over before it has begun: its own death loses the rest") \
    X(KEEP_URGENT, "a slot is given back and stays the next to take the lock")               \
    X(COUNT_TWICE, "a commit that was tried again counts its insertions again")              \
    X(LIST_LAST, "a key can be found before it can be walked to")                            \
    X(FREE_BEFORE_COUNTING, "a pending version is freed before it is off the record")        \
    X(CLAIM_UNCOMPARED, "a slot is claimed without comparing")                               \
    X(LOG_BEFORE_CLOCK, "a record is in the log before the commit point")                    \
    X(LOG_FREE_EARLY, "the log is freed up to the fastest follower")                         \
    X(LOG_FORGET, "recovery does not log a commit that was published")                       \
    X(LOG_KEEP_UNPUBLISHED, "recovery logs a commit that was not published")                 \
    X(ADD_AT_SNAPSHOT, "a number is added to the value before the other's addition")         \
    X(DELTA_AS_VALUE, "a number is committed in place of the sum")                           \
    X(INSERTED_TWICE, "an addition to a key that came meanwhile counts as its insertion")    \
    X(ADD_NOT_READ, "reading what was added to does not join the read set")                  \
    X(OLD_BASE, "a function given the value of an older snapshot counts as read")            \
    X(MOVED_IGNORED, "what a function made of an older value is committed")                  \
    X(BURIED_LIVE, "a key is counted as there that is gone with its cell")                  \
    X(BLIND_SERIAL, "a block that becomes serial does not check what it has read")           \
    X(SUM_SURVIVES, "what a dead block has settled is added to, though it never committed") \
    X(LOG_UNSETTLED, "the log holds the number in place of the sum")                         \
    X(LATE_COUNT, "what was committed is counted after the check outside the lock")          \
    X(NOTE_BEFORE_LINK, "a cell counts as committed before it is linked")                    \
    X(BLANK_IGNORED, "newest cells that nobody has written down are trusted")                 \
    X(RECENT_UNBOUNDED, "the newest cells are trusted although they have gone round")        \
    X(SNAPSHOT_UNCHECKED, "a write under snapshot isolation ignores what came since")        \
    X(LIVENESS_UNCHECKED, "nor whether the key has come or gone, which is counted anew")     \
    X(LINKING_LATE, "a commit says that it links when it has linked")                        \
    X(CLEAR_BEFORE_CLOCK, "and that it is over before its commit point")                     \
    X(CLEAR_BEFORE_COUNT, "or before its pending array is empty")                            \
    X(FOLLOW_UNSEEN, "a commit does not look again whether somebody follows")                \
    X(DEAD_UNCHANGED, "a cell that was buried counts as unchanged")                          \
    X(SEEN_AFTER_EVICTION, "what was seen is trusted although the snapshot was given up")    \
    X(WEAK_UNSAID, "a block does not say that it runs under snapshot isolation")             \
    X(TS_UNSET, "a version that is not linked has the number of the first commit")           \
    X(KEEP_SNAPSHOT, "a slot is given back and still holds its snapshot")                    \
    X(REAP_UNFINISHED, "a dead slot is given back before its commit is undone")              \
    X(REAP_UNFORGOTTEN, "a dead slot is given back while it is still waited for")            \
    X(CLOCK_UNSTORED, "who looks at the slots does not wait until its clock is seen")        \
    X(ONLY_OLDEST, "versions are kept for the oldest snapshot alone")                        \
    X(CELLS_BY_TXN, "cells wait for transactions, and not for reads without one")            \
    X(TAKE_UNCOMPARED, "the lock is taken without comparing")                                \
    X(TAKE_FROM_LIVING, "a sleeper takes the lock from an owner that is alive")              \
    X(TAKE_OVER_UNCOMPARED, "two sleepers take it over from one that is dead")               \
    X(WITHDRAW_SILENT, "who was let pass wakes nobody")                                      \
    X(DEAD_URGENT, "who died stays the next to take the lock")                               \
    X(BIT_FORGOTTEN, "who has slept takes the lock without the bit of those who sleep on")   \
    X(NO_RECOVERY, "who takes the lock does not mend what the dead left")                    \
    X(LATE_RESET, "the wake word is reset when commits can find who waits")                  \
    X(LATE_RECORD, "a waiter is on record after its nodes are linked")                       \
    X(UNLINK_UNSOUGHT, "a node is taken out as if it were the first of its bucket")          \
    X(WAITING_UNCOUNTED, "commits do not know that somebody waits")                          \
    X(FREE_BEFORE_POP, "a waiter is freed before it is off the record")                      \
    X(NO_WAKE_UP, "who waits is marked and not woken")                                       \
    X(WAKE_BEFORE_MARK, "a sleeper is woken before its word is set")                         \
    X(PUBLISHED_KEPT, "recovery frees what a whole commit has published")                    \
    X(BYTES_KEPT, "nor counts the history anew")                                             \
    X(SWEEP_UNSAID, "a sweep does not say that it edits lists")                              \
    X(LIMBO_FREE_FIRST, "limbo frees a block before it is off the record")                   \
    X(WEAK_IGNORED, "a cell goes while blocks under snapshot isolation need to see that it came")\
    X(LOG_STAMP_LATE, "a record gets its number after the commit point")                     \
    X(LOG_KEEP_END, "the log forgets its first part before its last")                        \
    X(LOG_READ_UNSEEN, "the log is freed under a slow watcher that reads")                   \
    X(LOG_READ_LATE, "a watcher says that it reads without waiting for the store")           \
    X(LOG_SILENT, "a follower is not woken for a new record")                                \
    X(LOG_TWICE, "recovery appends a record that is in the log")                             \
    X(ROOM_SILENT, "who makes room wakes nobody")                                            \
    X(PASSED_KEPT, "a new keeper goes on where the dead one thought it was")                 \
    X(LOG_UNREAPED, "who died following holds the log for ever")                             \
    X(REAP_UNCOMPARED, "two give back the slot of the same dead thread")                     \
    X(FORGET_FIRST, "recovery takes a version off the record before it is unlinked")         \
    X(RETIRE_FIRST, "or gives it away while it is on the record")                            \
    X(REAP_WAITING, "a slot is given back without the lock while it is waited for")          \
    X(NO_TAG, "the stacks of free batches have no tag")

#define PLANT_ENTRY(name, what) PLANT_##name,
enum plant { NO_PLANT, PLANTS(PLANT_ENTRY) PLANT_COUNT };
#undef PLANT_ENTRY

extern enum plant planted;
#define PLANTED(name) (planted == PLANT_##name)

#endif
