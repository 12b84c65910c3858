/* The floor of what a block can cost: a context manager and a mapping in C that do nothing.
 *
 * `bench hotpath` compiles this and runs the statements of a block over it: what that takes is
 * CPython's own protocol, however fast a store may be. */
#include <Python.h>

static PyObject *block_enter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self);
}

static PyObject *block_exit(PyObject *Py_UNUSED(self), PyObject *const *Py_UNUSED(args),
                            Py_ssize_t Py_UNUSED(count))
{
    Py_RETURN_FALSE;
}

static PyMethodDef block_methods[] = {
    {"__enter__", block_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))block_exit, METH_FASTCALL, NULL},
    {NULL},
};

static PyTypeObject block_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "py_floor.Block",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = block_methods,
    .tp_new = PyType_GenericNew,
};

static PyObject *map_get(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(key))
{
    return PyLong_FromLong(1);
}

static int map_set(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(key), PyObject *Py_UNUSED(value))
{
    return 0;
}

static PyMappingMethods map_methods = {
    .mp_subscript = map_get,
    .mp_ass_subscript = map_set,
};

static PyTypeObject map_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "py_floor.Map",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_as_mapping = &map_methods,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "py_floor", .m_size = -1};

PyMODINIT_FUNC PyInit_py_floor(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL || PyModule_AddType(made, &block_type) < 0 ||
        PyModule_AddType(made, &map_type) < 0)
        return NULL;
    return made;
}
