/* status.h - how every function of the core reports its outcome.
 *
 * Out-parameters are written only when the result is STM_OK.
 */
#ifndef STMPY_STATUS_H
#define STMPY_STATUS_H

enum stm_status {
    STM_OK = 0,
    STM_CONFLICT,       /* another commit came between: run the block again */
    STM_MOVED,          /* a function of commute must run again: see txn_newest */
    STM_BUSY,           /* the commit lock is held; ask again, ready to sleep */
    STM_INTERRUPTED,    /* a signal arrived while sleeping: look at it, ask again */
    STM_TIMED_OUT,      /* the deadline passed while sleeping */
    STM_STORE_FULL,     /* max_bytes is used up */
    STM_TOO_OLD,        /* the snapshot was given up for the history budget */
    STM_TOO_LARGE,      /* the transaction exceeds its limit of bytes */
    STM_NO_MEMORY,      /* the process, not the region, is out of memory */
    STM_NO_SLOT,        /* every slot of the region is in use */
    STM_FAILED,         /* the disk under the store takes no more writes */
    STM_UNKNOWN,        /* published, and nobody knows whether it is durable */
    STM_SYSTEM,         /* a system call failed; errno says which way */
};

/* Why a transaction had to run again; the order is that of the statistics. */
enum conflict_reason {
    CONFLICT_NONE,
    CONFLICT_READ,      /* found at commit: a key that was read has changed */
    CONFLICT_EARLY,     /* found while running: a key read has changed, and the block writes */
    CONFLICT_WRITE,     /* snapshot isolation: a key written here was committed by another */
    CONFLICT_STRUCTURE, /* keys were inserted or deleted under an iteration or len() */
    CONFLICT_GONE,      /* the cell of a deleted key was recycled meanwhile */
    CONFLICT_INJECTED,  /* a test asked for it */
    CONFLICT_REASONS,
};

#endif
