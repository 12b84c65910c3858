/* py_keys.h - from the object of a key to its bytes, its hash and its entry.
 *
 * A program uses the same few objects as keys again and again, and `tv[k] += 1` the same
 * one twice in a row.  Each thread remembers those it used lately, so that such a key is
 * encoded and hashed once, and looked up in the read set once per attempt.
 */
#ifndef STMPY_PY_KEYS_H
#define STMPY_PY_KEYS_H

#include "py_var.h"

/* The bytes of a key while it is in use. */
struct encoded_key {
    struct key key;
    struct known_key *known; /* Borrowed until Python code may run; NULL if not remembered */
    struct codec_buf buf;    /* what key.bytes points to if it isn't known */
};

/* Encodes a key; 0, or -1 with EncodeError.  Give it to keys_free in both cases. */
int keys_encode(struct thread_context *context, struct var *var, PyObject *object,
                struct encoded_key *out);

/* Which of the keys that a thread remembers a batch of many has made use of. */
struct keys_used {
    uint64_t places[KNOWN_KEYS / 64];
};

/* The same for one key of a batch, which are appended to one buffer.  It points there unless the
 * thread remembers it, in which case it has a hint; what is used stays until the batch is done. */
int keys_append(struct thread_context *context, struct var *var, PyObject *object,
                struct codec_buf *buf, struct keys_used *used, struct key *out);

static inline void keys_free(struct encoded_key *key)
{
    codec_buf_free(&key->buf);
}

/* As txn_set_find. */
static inline struct txn_entry *keys_entry(struct thread_context *context,
                                           const struct encoded_key *key)
{
    struct txn *txn = &context->txn;
    const struct known_key *known = key->known;
    if (known != NULL && known->attempt == context->attempts_begun)
        return &txn->entries[known->place];
    return txn_set_find(txn, &key->key);
}

/* Remembers the entry for the rest of the attempt; NULL is no entry. */
static inline void keys_note_entry(struct thread_context *context, const struct encoded_key *key,
                                   const struct txn_entry *entry)
{
    if (key->known == NULL || entry == NULL)
        return;
    key->known->attempt = context->attempts_begun;
    key->known->place = (uint32_t)(entry - context->txn.entries);
}

#endif
