/* blind.c - stands in for libFuzzer where there is no Clang: mutates without seeing branches.
 *
 * Understands the options that tests/fuzz/__main__.py gives: -max_total_time, -seed, -runs=0,
 * -artifact_prefix, -max_len; other options are passed over.  What is no option is an input, or
 * a directory of inputs: all of them are run, then damaged ones.  The input that is being run is
 * in a file before it runs, so that it is there after a crash.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

#define MOST 4096u

struct input {
    uint8_t *bytes; /* Owned */
    size_t count;
};

static struct input *corpus;
static size_t inputs;
static uint64_t runs, state = 1;
static char current[4096] = "crash";

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

/* Steele, Lea and Flood's SplitMix64. */
static uint64_t draw_below(uint64_t bound)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % bound;
}

static void run(const uint8_t *bytes, size_t count)
{
    FILE *file = fopen(current, "wb");
    if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
        fail(current);
    /* Of just its size, so that a read behind it is noticed. */
    uint8_t *copy = malloc(count);
    memcpy(copy, bytes, count);
    LLVMFuzzerTestOneInput(copy, count);
    free(copy);
    runs++;
}

static void load_file(const char *path)
{
    uint8_t bytes[MOST];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail(path);
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    corpus = realloc(corpus, (inputs + 1) * sizeof *corpus);
    uint8_t *kept = corpus == NULL ? NULL : malloc(count + 1);
    if (kept == NULL)
        fail("corpus");
    memcpy(kept, bytes, count);
    corpus[inputs++] = (struct input){kept, count};
}

static void load(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        load_file(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inner[4096];
        if (entry->d_name[0] != '.' &&
            snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner)
            load_file(inner);
    }
    closedir(folder);
}

/* Changes, removes, repeats some bytes, or puts some of another input in. */
static size_t damage(uint8_t *bytes, size_t count)
{
    size_t at = draw_below(count + 1), left = count - at;
    size_t few = draw_below(9);
    const struct input *other = &corpus[draw_below(inputs)];
    switch (draw_below(4)) {
    case 0:
        for (size_t i = at; i < count && i < at + few; i++)
            bytes[i] = (uint8_t)draw_below(256);
        return count;
    case 1:
        few = few < left ? few : left;
        memmove(bytes + at, bytes + at + few, left - few);
        return count - few;
    case 2:
        few = few < MOST - count ? few : MOST - count;
        memmove(bytes + at + few, bytes + at, left);
        return count + few;
    default:
        few = few * 8 < other->count ? few * 8 : other->count;
        few = few < MOST - at ? few : MOST - at;
        memcpy(bytes + at, other->bytes + draw_below(other->count - few + 1), few);
        return at + few > count ? at + few : count;
    }
}

static void mutate(time_t seconds)
{
    time_t end = time(NULL) + seconds;
    while (time(NULL) < end) {
        uint8_t bytes[MOST];
        const struct input *chosen = &corpus[draw_below(inputs)];
        size_t count = chosen->count;
        memcpy(bytes, chosen->bytes, count);
        for (uint64_t times = draw_below(4) + 1; times > 0; times--)
            count = damage(bytes, count);
        run(bytes, count);
    }
}

int main(int argc, char **argv)
{
    time_t seconds = 0;
    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-max_total_time=", 16) == 0)
            seconds = atol(argv[i] + 16);
        else if (strncmp(argv[i], "-seed=", 6) == 0)
            state = strtoull(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "-artifact_prefix=", 17) == 0)
            snprintf(current, sizeof current, "%scrash", argv[i] + 17);
        else if (argv[i][0] != '-')
            load(argv[i]);
    }
    for (size_t i = 0; i < inputs; i++)
        run(corpus[i].bytes, corpus[i].count);
    if (inputs > 0)
        mutate(seconds);
    unlink(current);
    fprintf(stderr, "Done %llu runs\n", (unsigned long long)runs);
    return 0;
}
