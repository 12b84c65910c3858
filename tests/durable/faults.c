/* faults.c - system calls that fail when they are told to, for whoever preloads this.
 *
 * Calls on files with a name are counted by kind while armed; the n-th fails, and with
 * `lasting` all of the kind after it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { SYNC, DATA, META, TRUNCATE, KINDS };

static struct {
    int kind, nth, error; /* nth == 0: nothing fails */
    bool lasting;
    int calls[KINDS], failed;
} faults;

void faults_arm(int kind, int nth, int error, int lasting)
{
    faults.kind = kind;
    faults.nth = nth;
    faults.error = error;
    faults.lasting = lasting;
    faults.failed = 0;
    for (int i = 0; i < KINDS; i++)
        faults.calls[i] = 0;
}

int faults_failed(void)
{
    return faults.failed;
}

int faults_calls(int kind)
{
    return faults.calls[kind];
}

/* A memory file has no name. */
static bool on_disk(int file)
{
    struct stat stat;
    return fstat(file, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_nlink > 0;
}

static bool fails(int file, enum kind kind)
{
    if (faults.nth == 0 || !on_disk(file))
        return false;
    int call = ++faults.calls[kind];
    if (kind != (enum kind)faults.kind || call < faults.nth || (call > faults.nth && !faults.lasting))
        return false;
    faults.failed++;
    errno = faults.error;
    return true;
}

/* LMDB has its meta pages behind a descriptor that syncs each write. */
static enum kind kind_of(int file)
{
    return fcntl(file, F_GETFL) & O_DSYNC ? META : DATA;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fdatasync(int file)
{
    return fails(file, SYNC) ? -1 : REAL(fdatasync)(file);
}

int fsync(int file)
{
    return fails(file, SYNC) ? -1 : REAL(fsync)(file);
}

int ftruncate(int file, off_t length)
{
    return fails(file, TRUNCATE) ? -1 : REAL(ftruncate)(file, length);
}

ssize_t write(int file, const void *bytes, size_t count)
{
    return fails(file, DATA) ? -1 : REAL(write)(file, bytes, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset)
{
    return fails(file, kind_of(file)) ? -1 : REAL(pwrite)(file, bytes, count, offset);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return fails(file, DATA) ? -1 : REAL(writev)(file, parts, count);
}
