/* txn.h - one transaction of one thread: its snapshot, what it read, what it wrote.
 *
 * A `struct txn` belongs to one thread and is used for one attempt after another.  Reads
 * go against one snapshot; writes are encoded into versions that nobody sees until
 * txn_commit publishes all of them.  The binding keeps a decoded object per entry.
 */
#ifndef STMPY_TXN_H
#define STMPY_TXN_H

#include "index.h"
#include "number.h"

#define TXN_BYTES_LIMIT ((size_t)64 << 20) /* of values written by one block */

enum txn_flags {
    TXN_READ_ONLY = 1, /* no read set is kept: the snapshot alone is enough */
    TXN_SNAPSHOT = 2,  /* snapshot isolation: only what was written is validated */
    TXN_SERIAL = 4,    /* holds the commit lock from begin to end: cannot conflict */
};

enum entry_flags {
    ENTRY_READ = 1,      /* the value at the snapshot was used: validate it */
    ENTRY_LIVE = 2,      /* the key was there at the snapshot */
    ENTRY_STRUCTURE = 4, /* the structure cell of the variable, not a key */
    ENTRY_MARK = 8,      /* for the binding: the object may have been changed in place */
    ENTRY_ENSURED = 16,  /* validate it under snapshot isolation as well */
};

#define ENTRY_START 12u /* bytes of a value that an entry remembers */

struct txn_entry {
    uint32_t order;      /* as in struct key */
    region_ref variable;
    region_ref cell;     /* Borrowed from the region, or Owned while fresh; 0: none yet */
    region_ref seen;     /* version at the snapshot; 0: absent */
    uint32_t pending;    /* 1 + place in the slot's array of pending versions; 0: not written */
    uint32_t key_offset; /* in txn.keys */
    uint32_t key_length; /* bytes */
    uint32_t flags;      /* enum entry_flags */
    uint32_t seen_length;             /* bytes of the value at the snapshot */
    uint8_t seen_start[ENTRY_START];  /* its first bytes */
    uint64_t base;       /* commit number of the value that a function was given; 0: none */
    void *object;        /* Owned by the binding */
};

/* The value of a key as the transaction sees it now. */
struct txn_value {
    const struct version *version; /* NULL: the key is absent */
    struct txn_entry *entry;       /* NULL in a read-only transaction */
    uint64_t ts;                   /* commit number of a committed version, 0 for own writes */
};

struct txn_undo {
    uint32_t entry;   /* place of the entry that was written */
    uint32_t pending; /* what its `pending` was before */
};

/* Where a nested block began. */
struct txn_savepoint {
    uint32_t undo;    /* length of the undo log */
    uint32_t pending; /* length of the pending array */
    uint32_t outer;   /* `level_pending` of the enclosing level */
};

/* Who won a conflict; for messages and statistics. */
struct txn_conflict {
    enum conflict_reason reason;
    uint32_t entry; /* place of the entry that was lost; UINT32_MAX if unknown */
    uint32_t site;  /* site of the commit that won, 0 if unknown */
};

struct txn {
    struct store *store;    /* Borrowed */
    struct slot *slot;      /* Borrowed */
    uint64_t snapshot;      /* NO_SNAPSHOT while no transaction runs */
    uint64_t committed;     /* commit number of the last commit, 0 if it wrote nothing */
    uint64_t depends_on;    /* no later commit has made anything of what was read */
    uint32_t flags;         /* enum txn_flags */
    uint32_t site;          /* number of the block's name; goes into the versions written */
    struct site_stats *counters; /* Borrowed from the slot: those of the site */
    uint64_t began;         /* platform_ticks at the start of the attempt; 0: not taken */
    bool stale;             /* has read a value that was superseded already */
    bool reads_own;         /* has looked at what it has written, since the binding cleared it */
    bool moved;             /* a function of commute has had a value that is not the newest */
    bool prepared;          /* txn_commit has made the structure versions */
    uint32_t levels;        /* savepoints open */
    uint32_t level_pending; /* pending versions from here on belong to the innermost level */
    size_t bytes;           /* of payload in all pending versions */
    struct txn_conflict conflict;

    struct txn_entry *entries; /* Owned */
    uint32_t count, room;
    uint32_t *table;           /* Owned: open addressing over entries, by order; 1 + place */
    uint32_t table_size;       /* a power of two, or 0: see txn_set.c */
    uint64_t met;              /* one bit of each entry's order: what has none is no entry */
    uint8_t *keys;             /* Owned: the keys of all entries */
    uint32_t keys_length, keys_room;
    struct txn_undo *undo;     /* Owned */
    uint32_t undo_length, undo_room;
};

/* ---- life ---------------------------------------------------------------------------- */

/* Starts a transaction.  With TXN_SERIAL the caller holds the commit lock. */
void txn_begin(struct txn *txn, struct store *store, struct slot *slot, uint32_t flags);

/* Publishes everything at once.  STM_BUSY if the commit lock is held and `may_sleep` is
 * false: call again, detached from the interpreter, with true.  STM_MOVED if a function of
 * commute must run again: see txn_newest.  After STM_OK and STM_CONFLICT only txn_end may
 * follow; after any other status the transaction goes on. */
enum stm_status txn_commit(struct txn *txn, bool may_sleep, uint64_t deadline_ns);

/* Makes what is left of the transaction serial; the caller has taken the commit lock.  Gives
 * it back with STM_CONFLICT if something that was read has changed. */
enum stm_status txn_become_serial(struct txn *txn);

/* Ends the transaction; without effect unless txn_commit returned STM_OK.  Gives the
 * commit lock back in serial mode.  Objects of entries are the binding's to drop before. */
void txn_end(struct txn *txn);

/* Frees the memory of the process that the transaction used.  No transaction runs. */
void txn_free(struct txn *txn);

/* ---- reading and writing --------------------------------------------------------------- */

/* Looks a key up at the snapshot, own writes included, and adds it to the read set if
 * `read`.  After STM_OK the version's bytes are valid until txn_read_done, which must
 * be called before anything else is done with this slot. */
enum stm_status txn_lookup(struct txn *txn, const struct key *key, bool read,
                           struct txn_value *out);
void txn_read_done(struct txn *txn);

/* Looks up and reads as many of the keys, from the first on, as txn_lookup would find without
 * further ado (txn_many.c).  Returns how many, with the version of each, or NULL.  Their entries
 * are the last of the transaction, in the same order, if it keeps any.  The versions' bytes are
 * valid until txn_read_done, which must be called in any case. */
uint32_t txn_lookup_many(struct txn *txn, const struct key *keys, uint32_t count,
                         const struct version **out);

/* Writes a value.  `entry` comes from txn_lookup.  Writing what is there already is a read. */
enum stm_status txn_put(struct txn *txn, struct txn_entry *entry, const uint8_t *payload,
                        size_t length, uint32_t version_flags);

/* Deletes a key that the transaction sees; nothing if it is absent. */
enum stm_status txn_delete(struct txn *txn, struct txn_entry *entry);

/* Adds a number to whatever the key holds when the block commits; 0 where it is absent.
 * `entry` comes from txn_lookup without `read`.  Not `added` if the block depends on the
 * value already, or if the sum is none for the core: read the key and write it then. */
enum stm_status txn_add(struct txn *txn, struct txn_entry *entry, struct number number,
                        bool *added);

/* Whether a function of the key's value can still be left out of the read set. */
bool txn_may_commute(const struct txn *txn, const struct txn_entry *entry);

/* Writes what a function made of the value of commit `base` (0: of its absence). */
enum stm_status txn_put_commuted(struct txn *txn, struct txn_entry *entry, uint64_t base,
                                 const uint8_t *payload, size_t length,
                                 uint32_t version_flags);

/* After STM_MOVED, for each key that was commuted: looks up the newest value, as txn_lookup
 * does.  Where its `ts` is not the entry's `base`, the functions run again, and what they
 * make of it is written with txn_put_again; then the commit is tried again. */
void txn_newest(struct txn *txn, const struct txn_entry *entry, struct txn_value *out);
enum stm_status txn_put_again(struct txn *txn, struct txn_entry *entry, uint64_t base,
                              const uint8_t *payload, size_t length, uint32_t version_flags);

/* The version an entry now stands for; NULL if the key is absent.  For own writes at any
 * time, else within a read operation. */
const struct version *txn_current(const struct txn *txn, const struct txn_entry *entry);

/* The number of live keys of a variable. */
enum stm_status txn_size(struct txn *txn, region_ref variable, uint64_t *out);

/* Calls `visit` for every live key of the variable: those committed, in order of insertion,
 * then the transaction's own.  `visit` only copies: it runs within a read operation, and
 * returns false to stop with STM_NO_MEMORY.  The keys join the read set if `values`;
 * that no other key is there always does. */
typedef bool (*txn_visit)(void *context, const uint8_t *key, uint32_t length,
                          const struct version *version);
enum stm_status txn_walk(struct txn *txn, region_ref variable, bool values, txn_visit visit,
                         void *context);

/* ---- looking (txn_look.c) --------------------------------------------------------------- */

/* Calls `glimpse` for what the transaction sees now, as it is; nothing joins the read set.
 * `entry` is the transaction's own, or NULL.  `glimpse` only copies: it runs within a read
 * operation, and returns false when it has enough. */
typedef bool (*txn_glimpse)(void *context, const struct key *key, const struct version *version,
                            const struct txn_entry *entry);
enum stm_status txn_look_at(const struct txn *txn, const struct key *key, txn_glimpse glimpse,
                            void *context);

/* The same for some keys of a variable, of which it counts all. */
enum stm_status txn_look(const struct txn *txn, region_ref variable, txn_glimpse glimpse,
                         void *context, uint64_t *count);

static inline const uint8_t *txn_entry_key(const struct txn *txn, const struct txn_entry *entry)
{
    return txn->keys + entry->key_offset;
}

static inline struct key txn_entry_as_key(const struct txn *txn, const struct txn_entry *entry)
{
    return (struct key){.variable = entry->variable,
                        .order = entry->order,
                        .length = entry->key_length,
                        .bytes = txn_entry_key(txn, entry)};
}

/* ---- nesting --------------------------------------------------------------------------- */

struct txn_savepoint txn_save(struct txn *txn);
void txn_merge(struct txn *txn, struct txn_savepoint savepoint);
/* Undoes the writes since the savepoint; what was read stays in the read set. */
void txn_rollback(struct txn *txn, struct txn_savepoint savepoint);

/* ---- between the files of the room ------------------------------------------------------ */

/* The entry of a key that the transaction has met; NULL for others, and if it keeps no read
 * set.  Entries move when the next one is added. */
struct txn_entry *txn_set_find(const struct txn *txn, const struct key *key);
/* As txn_lookup, for a caller that knows what txn_set_find gives. */
enum stm_status txn_lookup_entry(struct txn *txn, const struct key *key,
                                 struct txn_entry *entry, bool read, struct txn_value *out);
struct txn_entry *txn_set_structure(const struct txn *txn, region_ref variable);
/* The entry of the key that a cell stands for, also if it read the key as absent. */
struct txn_entry *txn_set_by_cell(const struct txn *txn, region_ref cell);
enum stm_status txn_set_add(struct txn *txn, const struct key *key, uint32_t flags,
                            struct txn_entry **out);
void txn_set_clear(struct txn *txn);

/* STM_OK if the transaction may write: what it has read is still the newest. */
enum stm_status txn_check_writable(struct txn *txn);

/* Makes a key that was added to or commuted one that was read and written.  STM_CONFLICT if
 * its value at the snapshot does not allow it. */
enum stm_status txn_settle_read(struct txn *txn, struct txn_entry *entry);
/* The same for all such keys of a variable. */
enum stm_status txn_settle_variable(struct txn *txn, region_ref variable);

/* Under the commit lock, with the newest version of the key, or NULL: whether what was
 * written without reading can be settled on it; if not, fills txn.conflict or sets
 * txn.moved.  And settles it. */
bool txn_check_unsettled(struct txn *txn, struct txn_entry *entry, const struct version *head);
void txn_settle_version(struct txn *txn, const struct version *head, struct version *version);

/* Puts a new, unpublished version with room for `length` bytes into the write set. */
enum stm_status txn_pending_add(struct txn *txn, struct txn_entry *entry, size_t length,
                                uint32_t version_flags, struct version **out);

/* Notes the version that the snapshot shows of the entry's key, or 0.  Within a read
 * operation. */
void txn_entry_see(const struct txn *txn, struct txn_entry *entry, region_ref version);

/* True if nothing that the entry stands for was committed after the snapshot.  Within a
 * read operation or under the commit lock.  Fills txn.conflict otherwise. */
bool txn_entry_unchanged(struct txn *txn, const struct txn_entry *entry, uint64_t snapshot);

/* The same of everything that was read.  Under the commit lock. */
bool txn_reads_unchanged(struct txn *txn);

/* Notes that the snapshot shows this version, or 0: a key that is absent may have been deleted
 * by any commit up to the snapshot.  Within a read operation. */
static inline void txn_depend(struct txn *txn, region_ref version, uint64_t snapshot)
{
    uint64_t ts =
        version == 0 ? snapshot : load_relaxed(&store_version(txn->store, version)->ts);
    if (ts > txn->depends_on)
        txn->depends_on = ts;
}

/* The order under which entries of this cell are kept. */
uint32_t txn_cell_order(const struct cell *cell);

/* Moves the snapshot to the newest commit if all reads stay valid. */
enum stm_status txn_extend(struct txn *txn);

/* Adds the change in the number of live keys to the write set, once per variable. */
enum stm_status txn_prepare_structures(struct txn *txn);

static inline struct pending *txn_pending(const struct txn *txn)
{
    return store_at(txn->store, load_relaxed(&txn->slot->pending_block));
}

/* Whether the key was written with a version that has one of these flags. */
static inline bool txn_pending_is(const struct txn *txn, const struct txn_entry *entry,
                                  uint32_t version_flags)
{
    return entry->pending != 0 &&
           store_version(txn->store, txn_pending(txn)[entry->pending - 1].version)->shape &
               version_flags;
}

/* Whether the key will be there after this transaction. */
static inline bool txn_live(const struct txn *txn, const struct txn_entry *entry)
{
    if (entry->pending == 0)
        return (entry->flags & ENTRY_LIVE) != 0;
    return version_live(store_version(txn->store, txn_pending(txn)[entry->pending - 1].version));
}

#endif
