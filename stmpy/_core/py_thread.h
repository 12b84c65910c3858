/* py_thread.h - what a thread has open in one interpreter.
 *
 * A thread that works for several interpreters has a context in each.  The context holds
 * the thread's slots, one per store it has used, and its one transaction.
 */
#ifndef STMPY_PY_THREAD_H
#define STMPY_PY_THREAD_H

#include "py_state.h"
#include "txn.h"

struct attachment {
    struct store *store; /* Owned: one handle */
    struct slot *slot;   /* Owned */
};

struct site;
struct atomic;
struct hub;
struct _PyInterpreterFrame;

/* One level of nesting; the first is the outermost block. */
struct level {
    struct atomic *owner;           /* Borrowed, or NULL for a function call */
    struct txn_savepoint savepoint; /* of nested levels */
    bool read_only;                 /* writes are refused here and further in */
    Py_ssize_t hooks;               /* length of on_commit where it began */
    Py_ssize_t commutes;            /* length of commutes likewise */
    PyObject *held;                 /* Owned: objects of the enclosing levels, or NULL */
    uint64_t outer_deadline_ns;     /* of the level around it */
};

#define BLOCK_LEVELS 64

struct block_options {
    struct store *store;   /* Borrowed: an attachment of the thread holds it */
    uint32_t txn_flags;    /* enum txn_flags, TXN_SERIAL where it must not run twice */
    uint64_t timeout_ns;   /* 0: none */
    uint32_t max_attempts; /* 0: no limit */
    struct hub *hub;       /* Borrowed: retry() leaves a waiter there and ends the call; or NULL */
    bool observes;         /* only reads, and leaves a waiter when it is done */
    uint32_t site;         /* number of the block's name, or 0 */
};

/* The outermost block of a thread, over all its attempts. */
struct block {
    struct block_options options;
    uint64_t deadline_ns;   /* of the innermost level; NO_DEADLINE: none */
    uint64_t own_deadline_ns; /* of the block */
    uint64_t nested_since_ns; /* when it first met a level with a timeout, or 0 */
    bool serial;            /* the attempt runs where it cannot lose */
    uint32_t attempt;       /* from 1 */
    uint32_t losses;        /* attempts that ended in a conflict */
    uint32_t choosing;      /* or_else calls that a retry() ends in first */
    bool retrying;          /* doomed by retry(): wait before running again */
    uint64_t wake_ns;       /* retry(until=...): wait no longer than that; NO_DEADLINE: no limit */
    bool doomed;            /* a conflict was found: only running again can follow */
    bool parked;            /* ended without an outcome: a waiter of the hub takes over */
    region_ref waiter;      /* what was left with the hub, or 0 */
    bool committed;         /* the commit is done; what is left is to leave */
    PyObject *error;        /* Owned: to be raised when the block is left, or NULL */
    uint32_t marked;        /* entries whose object may have been changed in place */
    struct site *site;      /* Borrowed from the code object; NULL in a call */
    struct _PyInterpreterFrame *frame;  /* Borrowed: the frame of the with statement */
    PyObject *on_commit;    /* Owned: list of functions to call after a commit, or NULL */
    PyObject *on_abort;     /* Owned: likewise after the block was undone */
    PyObject *commutes;     /* Owned: list of (place of the entry, function), or NULL */
    PyObject *saved;        /* Owned: list of what names were bound to at entry, or NULL */
    bool unbound;           /* one was not, and a re-run could be noticed by it */
};

#define CACHE_ENTRIES 512u

/* A version, for ever: of its place, its commit number and its store no other has all three. */
struct cache_key {
    uint64_t ts;    /* 0: its value is not kept */
    uint64_t store;
    region_ref version;
};

/* A decoded immutable value, by the version it was decoded from. */
struct cached {
    struct cache_key key;
    PyObject *object; /* Owned */
};

#define KNOWN_KEYS 1024u
#define KNOWN_KEY_BYTES 40u

/* A key that was used lately; see py_keys.h. */
struct known_key {
    PyObject *object;    /* Owned: an exact str or small int; NULL: unused */
    uint64_t store;      /* number of the store */
    uint64_t attempt;    /* in which the key has the entry at `place` */
    uint32_t place;
    region_ref variable;
    uint32_t order;      /* as in struct key */
    uint32_t length;     /* bytes */
    struct index_hint hint;
    uint8_t bytes[KNOWN_KEY_BYTES];
};

struct thread_context {
    struct module_state *state;   /* Borrowed: this struct goes before the module does */
    uint64_t thread;              /* Immutable */
    uint64_t number;              /* Immutable: no other context of the process has it */
    bool abandoned;               /* the object of the open block has died in another thread */
    bool ended;                   /* Protected by the registry: the thread is gone */
    struct thread_context *next;  /* Protected by the registry */
    struct attachment *attachments; /* Owned */
    uint32_t attached, attachment_room;
    struct txn txn;
    uint64_t attempts_begun;      /* tells one attempt from another */
    uint64_t random;              /* state of the generator for backing off */
    struct block block;           /* meaningful while depth > 0 */
    uint32_t depth;               /* open levels */
    struct level levels[BLOCK_LEVELS];
    struct cached *cache;         /* Owned: CACHE_ENTRIES, or NULL until needed */
    struct known_key *keys;       /* Owned: KNOWN_KEYS, or NULL until needed */
    struct atomic *spare;         /* Owned: room for an object of the next block, or NULL */
};

/* glibc keeps room beside the threads for a few variables of libraries that are loaded
 * later: read from there, this one costs no call. */
#ifdef __GLIBC__
#define THREAD_FAST __attribute__((tls_model("initial-exec")))
#else
#define THREAD_FAST
#endif

struct thread_known {
    uint64_t serial;
    struct thread_context *context;
};
extern THREAD_FAST _Thread_local struct thread_known thread_known;

/* The slow half of thread_here. */
struct thread_context *thread_find(struct module_state *state);

/* The calling thread's context in the interpreter of this module, if it was the last one that
 * the thread has used; else NULL. */
static inline struct thread_context *thread_last(const struct module_state *state)
{
    return thread_known.serial == state->serial ? thread_known.context : NULL;
}

/* The calling thread's context in the interpreter of this module; NULL with an
 * exception. */
static inline struct thread_context *thread_here(struct module_state *state)
{
    if (__builtin_expect(thread_known.serial == state->serial, 1))
        return thread_known.context;
    return thread_find(state);
}

/* How often this process and those before it have forked: what was made at another number
 * belongs to a parent. */
uint32_t thread_forks(void);

/* True if the context is still that of the calling thread: false in the child of a fork
 * that was made since. */
static inline bool thread_still(const struct thread_context *context)
{
    return thread_last(context->state) == context;
}

/* Runs signal handlers while the thread waits in the middle of a block or a commit.  They get
 * a context of their own, as if in another thread, so that blocks in them are blocks of
 * their own.  -1 with the exception that a handler raised. */
int thread_check_signals(struct thread_context *context);

/* The object that opened a level of the context with this number dies in another thread;
 * the block is undone when its own thread comes back to it. */
void thread_abandon(struct module_state *state, uint64_t number, const struct atomic *owner);

/* The thread's slot in a store, claimed at first use; NULL with an exception. */
struct slot *thread_slot(struct thread_context *context, struct store *store);

/* A slot in a store for this interpreter, for slot_release; NULL with an exception. */
struct slot *thread_claim_slot(struct module_state *state, struct store *store);

/* Whether the thread with this id waits for a change and a commit has made one.  For a hook,
 * which keeps that thread from going on meanwhile. */
bool thread_woken(struct module_state *state, uint64_t thread);

/* Releases everything that threads hold for this module. */
void thread_forget_module(struct module_state *state);

#endif
