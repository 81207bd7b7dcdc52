#include "usage.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault.h"

_Static_assert((int)USAGE_OBJECTS == (int)FAULT_OBJECTS, "a number for each kind of object");

static void (*count_alive)(long *counts);

bool usage_find_layer(void)
{
    const char *path = getenv("OPENCL_LAYERS");
    void *layer = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : NULL;
    void *found = layer ? dlsym(layer, "fault_alive") : NULL;
    memcpy(&count_alive, &found, sizeof found); /* C has no cast from object to function */
    return found != NULL;
}

static long count_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    long count = -3; /* ".", ".." and the folder itself */
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

usage usage_now(void)
{
    usage now = {.files = count_files()};
    char line[128];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "VmRSS: %ld", &now.resident);
        sscanf(line, "VmHWM: %ld", &now.peak);
        sscanf(line, "Threads: %ld", &now.threads);
    }
    if (file)
        fclose(file);
    if (count_alive)
        count_alive(now.objects);
    return now;
}

long usage_alive(const usage *at)
{
    long sum = 0;
    for (int i = 0; i < USAGE_OBJECTS; i++)
        sum += at->objects[i];
    return sum;
}

bool usage_compare(const char *title, const usage *before, const usage *after, long slack)
{
    const struct {
        const char *name;
        long before, after, slack;
    } rows[] = {
        {"resident KiB", before->resident, after->resident, slack},
        {"at most KiB", before->peak, after->peak, slack},
        {"files", before->files, after->files, 0},
        {"threads", before->threads, after->threads, 0},
        {"OpenCL objects", usage_alive(before), usage_alive(after), 0},
    };
    bool flat = true;
    printf("%s:", title);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool grown = rows[i].before <= 0 || rows[i].after > rows[i].before + rows[i].slack;
        printf("%s %s %ld -> %ld%s", i ? "," : "", rows[i].name, rows[i].before, rows[i].after,
               grown ? " GROWN" : "");
        flat = flat && !grown;
    }
    printf("\n");
    return flat;
}
