/* recorder.c - a library to preload: writes down what a process does to the files of a store.
 *
 * Every call on a path below POWERLOSS_ROOT becomes a record at the end of POWERLOSS_LOG, in one
 * write, so that the records of all processes have one order.  A write is recorded before it is
 * done, and its sync after: a record of a sync says that everything recorded before has
 * arrived.  No state is kept of descriptors: the kernel is asked what one leads to, as keepers
 * close what they do not know.  With POWERLOSS_CALLS, the first child that is forked, a keeper,
 * kills itself behind so many recorded calls; the next one lives.  What is written by other calls than these is noticed in recording.py.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* As in recording.py, which reads it. */
struct record {
    uint32_t kind;
    uint32_t bytes; /* that follow: a path, or what was written */
    uint64_t inode;
    uint64_t offset; /* of a write; the size of a truncated file */
};

static const char *root, *log_path;
static size_t root_bytes;
static long calls_of_child, calls_left;

static void begin_child(void)
{
    calls_left = calls_of_child;
}

static void forget_calls(void)
{
    calls_of_child = 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *calls = getenv("POWERLOSS_CALLS");
    root = getenv("POWERLOSS_ROOT");
    log_path = getenv("POWERLOSS_LOG");
    if (root == NULL || log_path == NULL) {
        root = NULL;
        return;
    }
    root = strdup(root); /* the environment may change */
    log_path = strdup(log_path);
    root_bytes = strlen(root);
    calls_of_child = calls == NULL ? 0 : atol(calls);
    pthread_atfork(NULL, forget_calls, begin_child);
}

static void fail(const char *what)
{
    perror(what);
    abort();
}

/* ---- records ----------------------------------------------------------------------------------
 */

static void put(char kind, uint64_t inode, uint64_t offset, const void *payload, size_t bytes)
{
    struct record record = {(uint32_t)kind, (uint32_t)bytes, inode, offset};
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)payload, bytes}};
    long file = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    if (file < 0 || syscall(SYS_writev, file, parts, 2) != (long)(sizeof record + bytes) ||
        syscall(SYS_close, file) != 0)
        fail("the log of the recorder");
}

static void finish(void)
{
    if (calls_left > 0 && --calls_left == 0) raise(SIGKILL);
}

static int below_root(const char *path)
{
    return root != NULL && strncmp(path, root, root_bytes) == 0 &&
           (path[root_bytes] == '/' || path[root_bytes] == 0);
}

/* The inode that a descriptor leads to if it is below the root, else 0. */
static uint64_t inode_of(int file)
{
    char link[64], path[PATH_MAX];
    struct stat info;
    if (root == NULL) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below_root(path) && fstat(file, &info) == 0 ? info.st_ino : 0;
}

static uint64_t inode_at(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 ? info.st_ino : 0;
}

/* ---- names ------------------------------------------------------------------------------------
 */

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    int missing = below_root(path) && inode_at(path) == 0;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (file < 0 || !below_root(path)) return file;
    if (missing)
        put('C', inode_of(file), 0, path, strlen(path));
    else if (flags & O_TRUNC)
        put('T', inode_of(file), 0, NULL, 0);
    finish();
    return file;
}

int mkdir(const char *path, mode_t mode)
{
    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (result == 0 && below_root(path)) {
        put('M', inode_at(path), 0, path, strlen(path));
        finish();
    }
    return result;
}

int rename(const char *from, const char *to)
{
    char both[2 * PATH_MAX];
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0 && below_root(to)) {
        int bytes = snprintf(both, sizeof both, "%s\n%s", from, to);
        put('R', inode_at(to), 0, both, (size_t)bytes);
        finish();
    }
    return result;
}

int unlink(const char *path)
{
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result == 0 && below_root(path)) {
        put('U', 0, 0, path, strlen(path));
        finish();
    }
    return result;
}

/* ---- contents ---------------------------------------------------------------------------------
 */

static long write_at(int file, const struct iovec *parts, int count, off_t offset, uint64_t inode)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
    char *whole = malloc(bytes ? bytes : 1), *end = whole;
    if (whole == NULL) fail("the recorder");
    for (int i = 0; i < count; i++) end = mempcpy(end, parts[i].iov_base, parts[i].iov_len);
    put('W', inode, (uint64_t)offset, whole, bytes);
    long written = syscall(SYS_pwrite64, file, whole, bytes, offset);
    free(whole);
    if (written != (long)bytes) fail("a write that is recorded");
    if (fcntl(file, F_GETFL) & O_DSYNC) put('D', inode, 0, NULL, 0);
    finish();
    return written;
}

/* A write where the descriptor stands. */
static long write_on(int file, const struct iovec *parts, int count, uint64_t inode)
{
    off_t at = lseek(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    long written = write_at(file, parts, count, at, inode);
    lseek(file, at + written, SEEK_SET);
    return written;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset)
{
    uint64_t inode = inode_of(file);
    struct iovec part = {(void *)bytes, count};
    return inode ? write_at(file, &part, 1, offset, inode)
                 : syscall(SYS_pwrite64, file, bytes, count, offset);
}

ssize_t write(int file, const void *bytes, size_t count)
{
    uint64_t inode = inode_of(file);
    struct iovec part = {(void *)bytes, count};
    return inode ? write_on(file, &part, 1, inode) : syscall(SYS_write, file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    uint64_t inode = inode_of(file);
    return inode ? write_on(file, parts, count, inode) : syscall(SYS_writev, file, parts, count);
}

int ftruncate(int file, off_t size)
{
    uint64_t inode = inode_of(file);
    int result = (int)syscall(SYS_ftruncate, file, size);
    if (result == 0 && inode) {
        put('T', inode, (uint64_t)size, NULL, 0);
        finish();
    }
    return result;
}

static int sync_with(long number, int file)
{
    uint64_t inode = inode_of(file);
    int result = (int)syscall(number, file);
    if (result == 0 && inode) {
        put('S', inode, 0, NULL, 0);
        finish();
    }
    return result;
}

int fsync(int file)
{
    return sync_with(SYS_fsync, file);
}

int fdatasync(int file)
{
    return sync_with(SYS_fdatasync, file);
}

/* The names under which CPython calls them. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset)
    __attribute__((alias("pwrite")));
int ftruncate64(int file, off_t size) __attribute__((alias("ftruncate")));
