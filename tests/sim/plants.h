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
    X(BURIED_BASE, "nor does it matter that the key is gone with its cell")                  \
    X(BLIND_SERIAL, "a block that becomes serial does not check what it has read")           \
    X(SUM_SURVIVES, "what a dead block has settled is added to, though it never committed") \
    X(LOG_UNSETTLED, "the log holds the number in place of the sum")                         \
    X(NO_TAG, "the stacks of free batches have no tag")

#define PLANT_ENTRY(name, what) PLANT_##name,
enum plant { NO_PLANT, PLANTS(PLANT_ENTRY) PLANT_COUNT };
#undef PLANT_ENTRY

extern enum plant planted;
#define PLANTED(name) (planted == PLANT_##name)

#endif
