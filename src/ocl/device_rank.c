/* The order of the list: kind, then speed; and twins, the same hardware behind two platforms.
 *
 * A twin stands behind the device that it is a twin of, whatever speed its platform claims, so
 * that the hardware's own runtime is always preferred. */
#include "ocl/device_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Part of the name of a device that is a program. */
static const char *const software[] = {"llvmpipe", "softpipe", "swrast", "swiftshader", "oclgrind"};

/* Platforms that run on anyone's hardware, from good to last resort; any other is a vendor's. */
static const char *const generic_platforms[] = {"portable computing language", "rusticl", "clover",
                                                "oclgrind"};

/* Whose CPUs a runtime is made for, as far as its vendor's name tells; measured: Intel's took 2 to
 * 4 times pocl's time on one of AMD's. */
static const char *const makers[] = {"intel", "amd"};

enum { VENDORS_OWN, POCL, ANOTHER_MAKERS, OTHER_GENERIC }; /* runtimes, the preferred first */

bool cnn_device_is_software(const char *name)
{
    for (size_t i = 0; i < sizeof software / sizeof software[0]; i++)
        if (cnn_contains_ignoring_case(name, software[i]))
            return true;
    return false;
}

/* An entry, and what its place depends on. */
struct place {
    cnn_device_entry entry;
    bool software;
    size_t generic; /* VENDORS_OWN and so on */
    uint64_t speed; /* compute units times MHz */
    int id, root;   /* its position before sorting, and that of the device it is a twin of */
    cnn_device_type group_type; /* the worse of the entry's and its root's type */
    bool root_software;
    uint64_t root_speed;
    size_t root_generic;
};

/* Where in `names` the first lies that `text` contains; `count` where none does. */
static size_t find_part(const char *text, const char *const *names, size_t count)
{
    size_t i = 0;
    while (i < count && !cnn_contains_ignoring_case(text, names[i]))
        i++;
    return i;
}

static bool is_another_makers(const cnn_device_info *info)
{
    size_t count = sizeof makers / sizeof makers[0];
    size_t hardware = find_part(info->name, makers, count);
    size_t runtime = find_part(info->vendor, makers, count);
    return info->type == CNN_DEVICE_CPU && hardware < count && runtime < count &&
           hardware != runtime;
}

static size_t generic_rank(const cnn_device_info *info)
{
    size_t count = sizeof generic_platforms / sizeof generic_platforms[0];
    size_t generic = find_part(info->platform_name, generic_platforms, count);
    if (generic == count)
        return is_another_makers(info) ? ANOTHER_MAKERS : VENDORS_OWN;
    return generic == 0 ? POCL : OTHER_GENERIC + generic;
}

static bool is_gpu(const struct place *place)
{
    cnn_device_type type = place->entry.info.type;
    return type == CNN_DEVICE_DISCRETE_GPU || type == CNN_DEVICE_INTEGRATED_GPU;
}

static bool same_address(const cnn_pci_address *a, const cnn_pci_address *b)
{
    return a->domain == b->domain && a->bus == b->bus && a->device == b->device &&
           a->function == b->function;
}

/* A machine's CPUs are one device to every runtime. Runtimes name a GPU alike, give or take words
 * before and after. */
static bool same_hardware(const struct place *a, const struct place *b)
{
    const cnn_device_info *x = &a->entry.info, *y = &b->entry.info;
    if (x->platform == y->platform)
        return false;
    if (x->type == CNN_DEVICE_CPU || y->type == CNN_DEVICE_CPU)
        return x->type == y->type;
    if (is_gpu(a) != is_gpu(b))
        return false;
    if (a->entry.pci.known && b->entry.pci.known)
        return same_address(&a->entry.pci, &b->entry.pci);
    return x->name[0] && y->name[0] &&
           (cnn_contains_ignoring_case(x->name, y->name) ||
            cnn_contains_ignoring_case(y->name, x->name));
}

static int compare_uint64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Which of two runtimes is preferred for the same hardware: a total order. */
static int compare_runtimes(const struct place *a, const struct place *b)
{
    int order = a->software - b->software;
    if (order == 0)
        order = compare_uint64(a->generic, b->generic);
    if (order == 0)
        order = compare_uint64(b->speed, a->speed);
    return order ? order : a->id - b->id;
}

static int find_better_twin(const struct place *places, size_t count, size_t index)
{
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        const struct place *other = &places[i];
        if (!other->entry.info.usable || !same_hardware(other, &places[index]))
            continue;
        if (places[index].entry.info.usable && compare_runtimes(other, &places[index]) > 0)
            continue;
        if (best < 0 || compare_runtimes(other, &places[best]) < 0)
            best = (int)i;
    }
    return best;
}

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = b->entry.info.usable - a->entry.info.usable;
    if (order == 0)
        order = (int)a->group_type - (int)b->group_type;
    if (order == 0)
        order = a->root_software - b->root_software;
    if (order == 0)
        order = compare_uint64(b->root_speed, a->root_speed);
    if (order == 0)
        order = compare_uint64(a->root_generic, b->root_generic);
    if (order == 0)
        order = a->root - b->root;
    if (order == 0)
        order = (a->id != a->root) - (b->id != b->root);
    return order ? order : compare_runtimes(a, b);
}

static void fill_places(struct place *places, const cnn_device_list *list)
{
    for (size_t i = 0; i < list->total; i++) {
        const cnn_device_info *info = &list->entries[i].info;
        uint64_t clock = info->clock_mhz ? info->clock_mhz : 1;
        places[i] = (struct place){
            .entry = list->entries[i],
            .software = cnn_device_is_software(info->name),
            .generic = generic_rank(info),
            .speed = info->compute_units * clock,
            .id = (int)i,
        };
    }
    for (size_t i = 0; i < list->total; i++)
        places[i].entry.info.twin = find_better_twin(places, list->total, i);
    for (size_t i = 0; i < list->total; i++) {
        const struct place *root = &places[i];
        while (root->entry.info.twin >= 0)
            root = &places[root->entry.info.twin];
        cnn_device_type own = places[i].entry.info.type, type = root->entry.info.type;
        places[i].root = root->id;
        places[i].group_type = own > type ? own : type;
        places[i].root_software = root->software;
        places[i].root_speed = root->speed;
        places[i].root_generic = root->generic;
    }
}

cnn_status cnn_device_list_rank(cnn_device_list *list)
{
    struct place *places = NULL;
    int *position = NULL;
    cnn_status status = cnn_allocate(&places, list->total, sizeof *places, "the list of devices");
    if (status == CNN_OK)
        status = cnn_allocate(&position, list->total, sizeof *position, "the list of devices");
    if (status == CNN_OK) {
        fill_places(places, list);
        qsort(places, list->total, sizeof *places, compare_places);
        for (size_t i = 0; i < list->total; i++)
            position[places[i].id] = (int)i;
        list->count = 0;
        for (size_t i = 0; i < list->total; i++) {
            const struct place *place = &places[i];
            list->entries[i] = place->entry;
            list->entries[i].info.twin = place->id == place->root ? -1 : position[place->root];
            list->count += place->entry.info.usable;
        }
    }
    free(places);
    free(position);
    return status;
}
