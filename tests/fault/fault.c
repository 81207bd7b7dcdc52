/* Which call fails, and what is said at exit. The environment commands:
 *
 * CNN_FAULT_FAIL=KIND:N[:CODE][+]  the N-th call (from 1) of the kind, or of "any", fails with the
 *                                  code (a negative number; the kind's usual one without it); with
 *                                  '+' all later ones, too
 * CNN_FAULT_PERTURB=N              one value of the N-th reading of four bytes or more is changed
 * CNN_FAULT_WRONG=KERNEL:I:N        from the N-th launch of a kernel on its buffer of argument I comes
 *                                  out wrong (wrong.c)
 * CNN_FAULT_LIMIT=NAME=N,...       work_group, local, memory, allocation: see fault_limits
 * CNN_FAULT_TWIN=1                 every device appears twice
 * CNN_FAULT_DELAY=N                every call of the kinds enqueue to finish takes N microseconds
 * CNN_FAULT_HANG=N                 the N-th of them in the process's first thread never returns
 * CNN_FAULT_LOG=FILE               at exit one line: calls by kind, blocking readings of four bytes
 *                                  or more, failures made (a changed reading is one), objects alive
 */
#define _GNU_SOURCE /* gettid() */
#include "fault.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

fault_limits fault_limit;
bool fault_twin;

static const struct {
    const char *name;
    cl_int code; /* what drivers say most often */
} kinds[FAULT_KINDS] = {
    [FAULT_INFO] = {"info", CL_OUT_OF_HOST_MEMORY},
    [FAULT_CREATE] = {"create", CL_OUT_OF_HOST_MEMORY},
    [FAULT_ALLOCATE] = {"allocate", CL_MEM_OBJECT_ALLOCATION_FAILURE},
    [FAULT_BUILD] = {"build", CL_BUILD_PROGRAM_FAILURE},
    [FAULT_SET] = {"set", CL_OUT_OF_RESOURCES},
    [FAULT_ENQUEUE] = {"enqueue", CL_OUT_OF_RESOURCES},
    [FAULT_WRITE] = {"write", CL_OUT_OF_RESOURCES},
    [FAULT_READ] = {"read", CL_OUT_OF_RESOURCES},
    [FAULT_FINISH] = {"finish", CL_OUT_OF_RESOURCES},
};
static const char *const objects[FAULT_OBJECTS] = {"context", "queue",  "buffer",
                                                   "program", "kernel", "event"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int kind; /* FAULT_KINDS: any */
    unsigned long number, perturbed;
    cl_int code; /* 0: the kind's usual one */
    bool onwards;
    long delay, hang;
} plan;
static unsigned long calls[FAULT_KINDS + 1], failures, readings;
static long alive[FAULT_OBJECTS];
static cl_ulong taken; /* bytes of the buffers that are alive */

static void complain(const char *variable, const char *value)
{
    fprintf(stderr, "fault layer: %s: what is '%s'?\n", variable, value);
    _Exit(99);
}

static void read_failure(const char *text)
{
    char kind[16];
    char end = '\0';
    int code = 0;
    int found = sscanf(text, "%15[a-z]:%lu:%d%c", kind, &plan.number, &code, &end);
    if (found == 2)
        sscanf(text, "%*[a-z]:%*u%c", &end);
    plan.kind = strcmp(found > 0 ? kind : "", "any") == 0 ? FAULT_KINDS : -1;
    for (int i = 0; i < FAULT_KINDS; i++)
        if (found > 0 && strcmp(kind, kinds[i].name) == 0)
            plan.kind = i;
    if (found < 2 || plan.kind < 0 || plan.number == 0 || (end != '\0' && end != '+'))
        complain("CNN_FAULT_FAIL", text);
    plan.code = code;
    plan.onwards = end == '+';
}

static void read_limits(const char *text)
{
    for (const char *at = text; *at;) {
        char name[16];
        unsigned long long value;
        int length = 0;
        if (sscanf(at, "%15[a-z_]=%llu%n", name, &value, &length) != 2)
            complain("CNN_FAULT_LIMIT", at);
        if (strcmp(name, "work_group") == 0)
            fault_limit.work_group = (size_t)value;
        else if (strcmp(name, "local") == 0)
            fault_limit.local = value;
        else if (strcmp(name, "memory") == 0)
            fault_limit.memory = value;
        else if (strcmp(name, "allocation") == 0)
            fault_limit.allocation = value;
        else
            complain("CNN_FAULT_LIMIT", name);
        at += length;
        at += *at == ',';
    }
}

static void write_log(void)
{
    const char *path = getenv("CNN_FAULT_LOG");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    fprintf(file, "{\"calls\": {");
    for (int i = 0; i < FAULT_KINDS; i++)
        fprintf(file, "\"%s\": %lu, ", kinds[i].name, calls[i]);
    fprintf(file, "\"any\": %lu}, \"readings\": %lu, \"failures\": %lu, \"alive\": {",
            calls[FAULT_KINDS], readings, failures);
    for (int i = 0; i < FAULT_OBJECTS; i++)
        fprintf(file, "%s\"%s\": %ld", i ? ", " : "", objects[i], alive[i]);
    fprintf(file, "}}\n");
    fclose(file);
}

/* When the program and its libraries are done. */
__attribute__((destructor)) static void finish(void)
{
    write_log();
}

void fault_init(void)
{
    const char *text = getenv("CNN_FAULT_FAIL");
    if (text && *text)
        read_failure(text);
    text = getenv("CNN_FAULT_LIMIT");
    if (text && *text)
        read_limits(text);
    text = getenv("CNN_FAULT_PERTURB");
    plan.perturbed = text ? strtoul(text, NULL, 10) : 0;
    text = getenv("CNN_FAULT_WRONG");
    if (text && sscanf(text, "%63[a-z_0-9]:%u:%lu", fault_wrong.name, &fault_wrong.argument,
                       &fault_wrong.first) != 3)
        complain("CNN_FAULT_WRONG", text);
    text = getenv("CNN_FAULT_DELAY");
    plan.delay = text ? strtol(text, NULL, 10) : 0;
    text = getenv("CNN_FAULT_HANG");
    plan.hang = text ? strtol(text, NULL, 10) : 0;
    fault_twin = getenv("CNN_FAULT_TWIN") != NULL;
}

static bool is_due(unsigned long count)
{
    return plan.number != 0 && (count == plan.number || (plan.onwards && count > plan.number));
}

cl_int fault_next(fault_kind kind)
{
    cl_int code = CL_SUCCESS;
    if (plan.delay > 0 && kind >= FAULT_ENQUEUE)
        nanosleep(&(struct timespec){plan.delay / 1000000, plan.delay % 1000000 * 1000}, NULL);
    if (plan.hang > 0 && kind >= FAULT_ENQUEUE && gettid() == getpid() && --plan.hang == 0)
        for (;;)
            pause();
    pthread_mutex_lock(&lock);
    calls[kind]++;
    calls[FAULT_KINDS]++;
    if ((plan.kind == (int)kind && is_due(calls[kind])) ||
        (plan.kind == FAULT_KINDS && is_due(calls[FAULT_KINDS]))) {
        code = plan.code ? plan.code : kinds[kind].code;
        failures++;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

void fault_note(fault_object object, int change)
{
    pthread_mutex_lock(&lock);
    alive[object] += change;
    pthread_mutex_unlock(&lock);
}

void fault_alive(long counts[FAULT_OBJECTS])
{
    pthread_mutex_lock(&lock);
    memcpy(counts, alive, sizeof alive);
    pthread_mutex_unlock(&lock);
}

bool fault_take(size_t size)
{
    pthread_mutex_lock(&lock);
    bool fits = fault_limit.memory == 0 || taken + size <= fault_limit.memory;
    taken += fits ? size : 0;
    pthread_mutex_unlock(&lock);
    return fits;
}

void fault_give_back(size_t size)
{
    pthread_mutex_lock(&lock);
    taken -= size;
    pthread_mutex_unlock(&lock);
}

void fault_perturb(void *memory, size_t size)
{
    float value;
    if (size < sizeof value || ++readings != plan.perturbed)
        return;
    failures++;
    char *at = (char *)memory + size / sizeof value / 2 * sizeof value;
    memcpy(&value, at, sizeof value);
    value = isfinite(value) ? value * 1.5f + 1.0f : 1.0f;
    memcpy(at, &value, sizeof value);
}
