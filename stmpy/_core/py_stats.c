/* py_stats.c - where things are in a region, for stmpy.statistics, which reads them.
 *
 * The reader is Python, so that no damaged region can crash it; what it knows of the layout
 * comes from here, so that the two can't disagree.
 */
#include "py_state.h"
#include "stats.h"

struct place {
    const char *name;
    size_t value;
};

#define REGION(field) {"region." #field, offsetof(struct region, field)}
#define DURABLE(field) \
    {"durable." #field, offsetof(struct region, durable) + offsetof(struct durable, field)}
#define LOG(field) {"log." #field, offsetof(struct region, log) + offsetof(struct log, field)}
#define SLOT(field) {"slot." #field, offsetof(struct slot, field)}
#define COUNTED(field) \
    {"slot." #field, offsetof(struct slot, stats) + offsetof(struct slot_stats, field)}
#define SITE(field) {"site." #field, offsetof(struct site_stats, field)}
#define HEAT(field) {"heat." #field, offsetof(struct heat, field)}
#define NAME(field) {"name." #field, offsetof(struct site_name, field)}
#define BYTES(type) {#type, sizeof(struct type)}
#define NUMBER(name) {#name, name}

static const struct place places[] = {
    NUMBER(REGION_MAGIC), NUMBER(REGION_LAYOUT), NUMBER(REGION_SLOTS), NUMBER(REGION_SITES),
    NUMBER(SLOT_SITES), NUMBER(HEAT_ENTRIES), NUMBER(HISTOGRAM_BUCKETS), NUMBER(TIME_BUCKETS),
    NUMBER(STAT_REASONS), NUMBER(KEY_WORDS), NUMBER(ATTEMPT_SERIAL), NUMBER(SLEEP_LOCK),
    NUMBER(SLEEP_CHANGE), NUMBER(SLEEP_DISK), NUMBER(SITE_TEXT), NUMBER(STATS_TIMED), NUMBER(DURABLE_TEXT),
    NUMBER(DURABLE_BUCKETS),
    BYTES(region), BYTES(slot), BYTES(site_stats), BYTES(heat), BYTES(site_name),
    REGION(magic), REGION(layout), REGION(slot_bytes), REGION(bytes), REGION(history_limit),
    REGION(id), REGION(name), REGION(opened_ns), REGION(tick_scale), REGION(clock), REGION(lock),
    REGION(slots_used), REGION(closed), REGION(linking), REGION(history_bytes), REGION(sites),
    {"region.retired_bytes", offsetof(struct region, arena) + offsetof(struct arena, retired_bytes)},
    DURABLE(version), DURABLE(state), DURABLE(relaxed), DURABLE(keeper), DURABLE(groups),
    DURABLE(sizes), DURABLE(micros), DURABLE(path), DURABLE(message),
    LOG(end), LOG(held_from),
    SLOT(owner), SLOT(interpreter), SLOT(thread), SLOT(snapshot), SLOT(attempt), SLOT(started),
    SLOT(site), SLOT(sleep), SLOT(waits_for_keys), SLOT(stats), SLOT(keys), SLOT(pairs),
    SLOT(waits_for), SLOT(sites),
    COUNTED(allocated_bytes),
    COUNTED(read_set), COUNTED(write_set),
    SITE(site), SITE(commits), SITE(read_only_commits), SITE(attempts), SITE(aborts),
    SITE(serial), SITE(waits), SITE(conflicts), SITE(wasted_ns), SITE(commit_ns_sum),
    SITE(block_ns_sum), SITE(commit_ns), SITE(block_ns),
    HEAT(turn), HEAT(winner), HEAT(loser), HEAT(key), HEAT(count), HEAT(cost_ns),
    NAME(ready), NAME(length), NAME(text),
    {"variable.name_length", offsetof(struct variable, name_length)},
    {"variable.name", offsetof(struct variable, name)},
};

static PyObject *layout(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < sizeof places / sizeof places[0]; i++) {
        PyObject *value = PyLong_FromSize_t(places[i].value);
        if (value == NULL || PyDict_SetItemString(dict, places[i].name, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *clocks(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("(KK)", (unsigned long long)platform_now_ns(),
                         (unsigned long long)platform_ticks());
}

PyMethodDef stats_methods[] = {
    {"_layout", layout, METH_NOARGS, "_layout()\n--\n\nOffsets and sizes in a region."},
    {"_clocks", clocks, METH_NOARGS, "_clocks()\n--\n\nNanoseconds and ticks, now."},
    {NULL, NULL, 0, NULL},
};
