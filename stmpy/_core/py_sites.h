/* py_sites.h - the with statements of a code object, analysed once.
 */
#ifndef STMPY_PY_SITES_H
#define STMPY_PY_SITES_H

#include "py_state.h"

struct exit_point {
    int offset;     /* of the instruction whose LINE event ends the body */
    PyObject *plan; /* Borrowed from the analysis: lines to jump through */
};

struct site {
    struct site *next;     /* Owned: further sites of the same code object */
    int offset;            /* of the instruction that entered the block */
    bool rerunnable;
    bool saves;            /* names must be put back before a re-run */
    bool suspends;         /* the body may yield or await */
    int handler;           /* offset of the exception handler, or -1 */
    shared_u64 number;     /* of its name: see py_names.c */
    PyObject *analysis;    /* Owned: stmpy._sites.Site */
    Py_ssize_t exits;
    struct exit_point exit[];
};

/* The site of the instruction that enters a block; analysed, and its code object armed with
 * events, when it is first met.  NULL with an exception. */
struct site *sites_find(struct module_state *state, PyObject *code, int offset);

/* The exit of this site at the offset, or NULL. */
const struct exit_point *sites_exit(const struct site *site, int offset);

/* True if the offset is an exit of any site of the code object. */
bool sites_any_exit(struct module_state *state, PyObject *code, int offset);

/* Gives the monitoring tool back: blocks are serial from here on.  0, or -1 with an exception. */
int sites_release_tool(struct module_state *state);

/* Where the number of the code's name is remembered, for calls of it; NULL with an exception. */
shared_u64 *sites_call_number(struct module_state *state, PyObject *code);

/* A field of the site's analysis; Borrowed, NULL with an exception. */
PyObject *sites_field(const struct site *site, const char *name);

/* Frees the sites of a code object; given to the interpreter with the code index. */
void sites_free(void *sites);

#endif
