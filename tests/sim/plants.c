/* plants.c - turns each planted bug on and counts the schedules until it is found.
 */
#include "sim.h"

enum plant planted;

#define PLANT_NAME(name, what) #name,
#define PLANT_WHAT(name, what) what,
static const char *const names[] = {"", PLANTS(PLANT_NAME)};
static const char *const whats[] = {"", PLANTS(PLANT_WHAT)};

#define TURN 100u          /* seeds of each scenario, at first */
#define SEARCH_BOUND 2u
#define SEARCH_LIMIT 6000u /* schedules of each small scenario and bound */

/* So many seeds of each scenario; true if one fails. */
static bool try_seeds(uint64_t from, uint64_t count, uint64_t limit, uint64_t *schedules)
{
    for (unsigned i = 0; i < scenario_count; i++) {
        if (scenarios[i].small)
            continue;
        if (!world_open(&scenarios[i]))
            return true;
        for (uint64_t seed = from; seed < from + count && *schedules < limit; seed++) {
            ++*schedules;
            if (!world_run_seed(seed))
                return true;
        }
        world_close();
    }
    return false;
}

/* All schedules of the small scenarios with so many pre-emptions; true if one fails. */
static bool try_all(unsigned bound, uint64_t limit, uint64_t *schedules)
{
    uint64_t redundant;
    for (unsigned i = 0; i < scenario_count; i++) {
        if (!scenarios[i].small)
            continue;
        if (!world_open(&scenarios[i]))
            return true;
        *schedules += search_all(bound, limit, &redundant);
        if (run.failure != NULL)
            return true;
        world_close();
    }
    return false;
}

/* By chance first, then what is small in order, then by chance again, longer each time. */
static bool hunt(uint64_t limit, uint64_t *schedules)
{
    if (try_seeds(0, TURN, limit, schedules))
        return true;
    for (unsigned bound = 0; bound <= SEARCH_BOUND; bound++) { /* deaths cost nothing */
        if (try_all(bound, SEARCH_LIMIT, schedules))
            return true;
    }
    uint64_t from = TURN;
    for (uint64_t turn = TURN; *schedules < limit; from += turn, turn *= 2) {
        if (try_seeds(from, turn, limit, schedules))
            return true;
    }
    return false;
}

bool plants_hunt(const char *only, int bound, uint64_t limit)
{
    unsigned missed = 0;
    printf("%-22s %9s  %-12s %s\n", "planted bug", "schedules", "scenario", "found as");
    for (unsigned i = 1; i < PLANT_COUNT; i++) {
        if (only[0] != '\0' && strcmp(only, names[i]) != 0)
            continue;
        uint64_t schedules = 0;
        planted = (enum plant)i;
        bool found = bound < 0 ? hunt(limit, &schedules)
                               : try_all((unsigned)bound, limit, &schedules);
        missed += !found;
        printf("%-22s %9llu  %-12s %s\n", names[i], (unsigned long long)schedules,
               found ? world_scenario()->name : "-", found ? run.failure : "NOT FOUND");
        if (!found)
            printf("    (%s)\n", whats[i]);
        fflush(stdout);
        if (found)
            world_close();
    }
    planted = NO_PLANT;
    return missed == 0;
}
