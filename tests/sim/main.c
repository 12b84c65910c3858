/* main.c - the command: sim [-s SCENARIO] [-n RUNS] [-b FIRST] [-r SEED] [-x BOUND]
 *                           [-p PLANT] [-l LIMIT] [-a] [-t]
 *
 * By itself every scenario takes its share of RUNS random schedules.  -r replays one seed
 * of a scenario; -x runs all schedules with up to BOUND pre-emptions, at most LIMIT, and
 * with -a also those that are redundant, with -t those of the small scenarios; -p hunts for a planted bug, or with an empty name
 * for all, in at most LIMIT schedules each, or with -x in all those of the small scenarios.
 */
#include "depend.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *scenario, *plant;
    uint64_t runs, seed, limit;
    int bound;
    bool replay, small;
} asked = {.runs = 100000, .limit = UINT64_MAX, .bound = -1};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A wild reference: as good as a failed check. */
static void crashed(int signal)
{
    sim_fail("signal %d", signal);
}

static void catch_crashes(void)
{
    static char stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
}

static bool report(uint64_t seed, uint64_t runs)
{
    printf("%s: schedule %llu FAILS: %s\n", world_scenario()->name, (unsigned long long)runs,
           run.failure);
    if (asked.bound < 0)
        printf("  again with: sim -s %s -r %llu\n", world_scenario()->name,
               (unsigned long long)seed);
    uint32_t count = run.event_count;
    const struct event *events = asked.bound < 0 ? run.events : search_failed(&count);
    shrink_print(events, count, asked.bound >= 0);
    return false;
}

static bool run_random(const struct scenario *scenario, uint64_t runs)
{
    double start = seconds();
    for (uint64_t i = 0; i < runs; i++) {
        if (!world_run_seed(asked.seed + i))
            return report(asked.seed + i, i + 1);
    }
    double took = seconds() - start;
    printf("%-14s %9llu schedules, %5.1f s, %5.1f us each\n", scenario->name,
           (unsigned long long)runs, took, took * 1e6 / (double)runs);
    return true;
}

static bool run_all(const struct scenario *scenario)
{
    double start = seconds();
    uint64_t redundant, count = search_all((unsigned)asked.bound, asked.limit, &redundant);
    if (run.failure != NULL)
        return report(0, count);
    printf("%-14s %9llu schedules with up to %d pre-emptions, %llu redundant%s, %.1f s\n",
           scenario->name, (unsigned long long)count, asked.bound, (unsigned long long)redundant,
           count >= asked.limit ? " (not all: the limit)" : "", seconds() - start);
    return true;
}

static bool run_scenario(const struct scenario *scenario, uint64_t runs)
{
    bool fine;
    if (!world_open(scenario)) {
        printf("%s: set-up fails: %s\n", scenario->name, run.failure);
        exit(1);
    }
    if (asked.replay)
        fine = world_run_seed(asked.seed) || report(asked.seed, 1);
    else if (asked.bound >= 0)
        fine = run_all(scenario);
    else
        fine = run_random(scenario, runs);
    world_close();
    fflush(stdout);
    return fine;
}

static void read_arguments(int count, char **arguments)
{
    int option;
    while ((option = getopt(count, arguments, "s:n:r:x:l:b:p:at")) != -1) {
        switch (option) {
        case 's':
            asked.scenario = optarg;
            break;
        case 'n':
            asked.runs = strtoull(optarg, NULL, 10);
            break;
        case 'b':
            asked.seed = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            asked.seed = strtoull(optarg, NULL, 10);
            asked.replay = true;
            break;
        case 'p':
            asked.plant = optarg;
            break;
        case 'a':
            depend_reduce(false);
            break;
        case 't':
            asked.small = true;
            break;
        case 'x':
            asked.bound = atoi(optarg);
            break;
        case 'l':
            asked.limit = strtoull(optarg, NULL, 10);
            break;
        default:
            exit(2);
        }
    }
}

/* Whether a scenario that was not asked for by name takes part. */
static bool takes_part(const struct scenario *scenario)
{
    if (asked.bound < 0)
        return !scenario->small;
    return !scenario->random && scenario->small == asked.small;
}

static unsigned parts(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < scenario_count; i++)
        count += takes_part(&scenarios[i]);
    return count;
}

int main(int count, char **arguments)
{
    bool fine = true;
    read_arguments(count, arguments);
    catch_crashes();
    if (asked.plant != NULL)
        return plants_hunt(asked.plant, asked.bound, asked.limit) ? 0 : 1;
    for (unsigned i = 0; i < scenario_count; i++) {
        const struct scenario *scenario = &scenarios[i];
        if (asked.scenario != NULL ? strcmp(asked.scenario, scenario->name) == 0
                                   : takes_part(scenario))
            fine &= run_scenario(scenario, asked.scenario ? asked.runs : asked.runs / parts());
    }
    return fine ? 0 : 1;
}
