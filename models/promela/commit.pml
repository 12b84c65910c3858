/* commit.pml - begin, read, check, link, publish: a second opinion on models/commit.py.
 *
 * Each thread reads both keys at one snapshot and writes one of them.  A version is its
 * commit number; `shown` is the state after each commit.  Broken twins: -DNO_CHECK,
 * -DNO_LOCK, -DREAD_NEWEST, -DPUBLISH_BEFORE_LINK.
 */
#ifndef TRANSACTIONS
#define TRANSACTIONS 2
#endif

byte clock;
bit lock;
byte x[2];                 /* newest version of each key */
byte older[14];            /* of key k and version ts, at 2 * ts + k: the version before it */
byte shown[14];            /* of key k after commit ts, at 2 * ts + k */

inline visible(k, result)
{
    result = x[k];
#ifndef READ_NEWEST
    do
    :: result > snapshot -> result = older[2 * result + k]
    :: else -> break
    od
#endif
}

inline link_version(ts)
{
    d_step {
        older[2 * (ts) + w] = x[w];
        x[w] = (ts)
    }
}

inline publish()
{
    atomic {
        /* Strict serialisability: what was read is what the last commit left. */
        assert(shown[2 * clock] == seen[0] && shown[2 * clock + 1] == seen[1]);
        shown[2 * (clock + 1) + w] = clock + 1;
        shown[2 * (clock + 1) + 1 - w] = shown[2 * clock + 1 - w];
        clock++
    }
}

proctype thread()
{
    byte left = TRANSACTIONS, snapshot, w;
    byte seen[2];
    do
    :: left > 0 ->
        snapshot = clock;               /* txn_begin */
        visible(0, seen[0]);            /* txn_lookup */
        visible(1, seen[1]);
        /* Opacity: also what will not commit has read one state. */
        assert(shown[2 * snapshot] == seen[0] && shown[2 * snapshot + 1] == seen[1]);
        if
        :: w = 0
        :: w = 1
        fi;
#ifndef NO_LOCK
        atomic { lock == 0 -> lock = 1 } /* lock_acquire */
#endif
        if                               /* commit_locked */
#ifdef NO_CHECK
        :: true ->
#else
        :: x[0] <= snapshot && x[1] <= snapshot ->
#endif
#ifdef PUBLISH_BEFORE_LINK
            publish();
            link_version(clock);
#else
            link_version(clock + 1);
            publish();
#endif
            left--
#ifndef NO_CHECK
        :: else
#endif
        fi;
        lock = 0                         /* lock_release */
    :: else -> break
    od
}

init
{
    atomic {
        run thread();
        run thread();
        run thread()
    }
}
