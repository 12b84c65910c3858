/* py_host.c - lets the fuzzer call a target that is written in Python.
 *
 * The target is the function `check` of tests/fuzz/NAME.py, NAME being the environment's
 * STMPY_FUZZ; the interpreter is that of its STMPY_PYTHON.  The fuzzer sees the branches of
 * the extension, which was compiled for it, and through `branch` those of stmpy's Python
 * code.  An exception that leaves `check` is a finding.  (Atheris works likewise.)
 */
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

#define COUNTERS 16384u

/* libFuzzer takes what lies in this section for counters of branches. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t taken[COUNTERS];

static PyObject *check;   /* Owned: the target */
static PyObject *disable; /* Owned: sys.monitoring.DISABLE */

static void give_up(void)
{
    PyErr_Print();
    abort();
}

static PyObject *need(PyObject *object)
{
    if (object == NULL)
        give_up();
    return object;
}

/* A branch was taken: code, offset of the instruction, where it went.  Names and not
 * addresses make up its number, so that it is the same in the next process. */
static PyObject *branch(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    (void)count;
    PyObject *file = PyObject_GetAttrString(args[0], "co_filename");
    const char *path = file == NULL ? NULL : PyUnicode_AsUTF8(file);
    if (path == NULL) {
        Py_XDECREF(file);
        return NULL;
    }
    bool ours = strstr(path, "/stmpy/") != NULL;
    Py_DECREF(file);
    if (!ours)
        return Py_NewRef(disable);
    PyObject *name = PyObject_GetAttrString(args[0], "co_qualname");
    if (name == NULL)
        return NULL;
    uint64_t hash = (uint64_t)PyObject_Hash(name);
    Py_DECREF(name);
    hash = hash * 31 + PyLong_AsUnsignedLong(args[1]);
    hash = hash * 31 + PyLong_AsUnsignedLong(args[2]);
    uint8_t *counter = &taken[(hash ^ hash >> 17) % COUNTERS];
    if (*counter < UINT8_MAX)
        ++*counter;
    Py_RETURN_NONE;
}

static void start_python(void)
{
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, getenv("STMPY_PYTHON"));
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    start_python();
    static PyMethodDef method = {
        "branch", (PyCFunction)(void (*)(void))branch, METH_FASTCALL, NULL};
    PyObject *start = need(PyImport_ImportModule("tests.fuzz.start"));
    disable = need(PyObject_GetAttrString(start, "DISABLE"));
    PyObject *function = need(PyCFunction_New(&method, NULL));
    check = need(PyObject_CallMethod(start, "start", "sO", getenv("STMPY_FUZZ"), function));
    Py_DECREF(function);
    Py_DECREF(start);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    PyObject *bytes = need(PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)count));
    Py_DECREF(need(PyObject_CallOneArg(check, bytes)));
    Py_DECREF(bytes);
    return 0;
}
