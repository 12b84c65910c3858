/* fibre.c - logical threads on stacks of their own.
 *
 * Invariant: exactly one fibre or the main program runs.  The first start of a fibre goes
 * through ucontext, every later switch through setjmp, which makes no system call.
 */
#include "sim.h"

#include <stdarg.h>
#include <ucontext.h>

#define STACK_BYTES (256u << 10)

struct run run;

static struct {
    jmp_buf context;
    bool started;
    char *stack;
} stacks[FIBRES];
static jmp_buf main_context;
static void (*fibre_body)(unsigned number);

void sim_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run.message, sizeof run.message, format, arguments);
    va_end(arguments);
    run.failure = run.message;
    run.current = NULL;
    _longjmp(main_context, 1);
}

void sim_stop(void)
{
    run.redundant = true;
    run.current = NULL;
    _longjmp(main_context, 1);
}

static void enter(void)
{
    fibre_body(run.current->number);
    memory_drain_all(run.current);
    fibre_block(FIBRE_DONE);
}

static void start(unsigned number)
{
    static ucontext_t context, unused;
    if (stacks[number].stack == NULL)
        stacks[number].stack = malloc(STACK_BYTES);
    stacks[number].started = true;
    getcontext(&context);
    context.uc_stack.ss_sp = stacks[number].stack;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, enter, 0);
    swapcontext(&unused, &context);
}

static void go(struct fibre *next)
{
    run.current = next;
    if (stacks[next->number].started)
        _longjmp(stacks[next->number].context, 1);
    start(next->number);
}

void fibre_switch(struct fibre *next)
{
    if (next == run.current)
        return;
    if (_setjmp(stacks[run.current->number].context) == 0)
        go(next);
}

void fibre_block(enum fibre_state state)
{
    struct fibre *self = run.current;
    self->state = state;
    self->steps++;
    struct fibre *next = schedule_next(true);
    if (next == NULL) {
        run.current = NULL;
        _longjmp(main_context, 1);
    }
    fibre_switch(next);
}

void fibres_start(unsigned count, void (*body)(unsigned number))
{
    fibre_body = body;
    run.count = count;
    for (unsigned i = 0; i < count; i++) {
        run.fibres[i] = (struct fibre){.number = i};
        stacks[i].started = false;
    }
}

void fibres_run(void)
{
    if (_setjmp(main_context) == 0)
        go(schedule_first());
}

bool sim_guard(void (*function)(void))
{
    if (run.failure == NULL && !run.redundant && _setjmp(main_context) == 0)
        function();
    return run.failure == NULL;
}
