/* plants.c - turns the bug of tests/sim/plants.h on that the environment's STMPY_PLANT names.
 */
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum plant planted;

#define PLANT_NAME(name, what) #name,

__attribute__((constructor)) static void plant(void)
{
    static const char *const names[] = {"", PLANTS(PLANT_NAME)};
    const char *wanted = getenv("STMPY_PLANT");
    for (unsigned i = 1; wanted != NULL && i < PLANT_COUNT; i++) {
        if (strcmp(names[i], wanted) == 0)
            planted = (enum plant)i;
    }
    if (wanted != NULL && planted == NO_PLANT) {
        fprintf(stderr, "%s: no such plant\n", wanted);
        exit(2);
    }
}
