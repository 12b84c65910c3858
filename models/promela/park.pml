/* park.pml - registering, marking, sleeping: a second opinion on models/park.py.
 *
 * Two threads wait until a key was put, one puts both keys.  Everybody must come to an end:
 * spin reports a thread that sleeps for ever as an invalid end state.  Broken twins:
 * -DPARK_UNCHECKED, -DRESET_LAST, -DNO_MARK, -DNO_FUTEX_WAKE, -DWAKE_BEFORE_MARK,
 * -DSLEEP_UNCOMPARED.
 */
bit lock;
bit put_key[2];        /* what was committed */
bit node[2];           /* thread t waits for its key, t */
bit wake[2];           /* futex words */
bit asleep[2];         /* in the kernel */

inline lock_acquire()
{
    atomic { lock == 0 -> lock = 1 }
}

inline futex_wake(who)
{
    asleep[who] = 0
}

proctype waiter(byte me)
{
    bit snapshot = put_key[me];
    do
    :: snapshot -> break                    /* the block has what it wants */
    :: else ->
        lock_acquire();                     /* wait_watch */
        if
#ifndef PARK_UNCHECKED
        :: put_key[me] != snapshot -> lock = 0
        :: else ->
#else
        :: true ->
#endif
#ifndef RESET_LAST
            wake[me] = 0;
#endif
            node[me] = 1;
            lock = 0;
#ifdef RESET_LAST
            wake[me] = 0;
#endif
            do                              /* wait_sleep */
            :: wake[me] -> break
            :: else ->
#ifdef SLEEP_UNCOMPARED
                asleep[me] = 1;
#else
                atomic {                    /* platform_futex_wait compares in the kernel */
                    if
                    :: wake[me] == 0 -> asleep[me] = 1
                    :: else
                    fi
                };
#endif
                asleep[me] == 0
            od;
            lock_acquire();                 /* wait_unregister */
            node[me] = 0;
            lock = 0
        fi;
        snapshot = put_key[me]
    od
}

proctype putter()
{
    byte k = 0;
    bit owed;
    do
    :: k < 2 ->
        lock_acquire();
        owed = 0;
        if                                  /* wait_collect */
        :: node[k] && !wake[k] ->
#ifdef WAKE_BEFORE_MARK
            futex_wake(k);
#endif
#ifndef NO_MARK
            wake[k] = 1;
#endif
            owed = 1
        :: else
        fi;
        put_key[k] = 1;                     /* publish */
        lock = 0;                           /* lock_release */
#if !defined(NO_FUTEX_WAKE) && !defined(WAKE_BEFORE_MARK)
        if                                  /* wait_wake */
        :: owed -> futex_wake(k)
        :: else
        fi;
#endif
        k++
    :: else -> break
    od
}

init
{
    atomic {
        run waiter(0);
        run waiter(1);
        run putter()
    }
}
