/* plants.c - turns each planted bug on and counts the schedules until it is found.
 */
#include "sim.h"

enum plant planted;

#define PLANT_NAME(name, what) #name,
#define PLANT_WHAT(name, what) what,
static const char *const names[] = {"", PLANTS(PLANT_NAME)};
static const char *const whats[] = {"", PLANTS(PLANT_WHAT)};

/* Takes turns over the scenarios, longer each time; true if a schedule of them fails. */
static bool hunt(uint64_t limit, uint64_t *schedules)
{
    *schedules = 0;
    uint64_t from = 0;
    for (uint64_t turn = 100; *schedules < limit; from += turn, turn *= 2) {
        for (unsigned i = 0; i < scenario_count; i++) {
            if (scenarios[i].small)
                continue;
            if (!world_open(&scenarios[i]))
                return true;
            for (uint64_t seed = from; seed < from + turn && *schedules < limit; seed++) {
                ++*schedules;
                if (!world_run_seed(seed))
                    return true;
            }
            world_close();
        }
    }
    return false;
}

/* All schedules of the small scenarios with so many pre-emptions. */
static bool hunt_all(unsigned bound, uint64_t limit, uint64_t *schedules)
{
    uint64_t redundant;
    *schedules = 0;
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

bool plants_hunt(const char *only, int bound, uint64_t limit)
{
    unsigned missed = 0;
    printf("%-22s %9s  %-12s %s\n", "planted bug", "schedules", "scenario", "found as");
    for (unsigned i = 1; i < PLANT_COUNT; i++) {
        if (only[0] != '\0' && strcmp(only, names[i]) != 0)
            continue;
        uint64_t schedules;
        planted = (enum plant)i;
        bool found = bound < 0 ? hunt(limit, &schedules)
                               : hunt_all((unsigned)bound, limit, &schedules);
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
