/* Why there is no device: looks at what usually stands in the way. */
#include "ocl/device_list.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ocl/loader.h"

/* Tells where the OpenCL loader did not load a driver's library. Does not load it itself. */
static bool examine_library(cnn_text *text, const char *library)
{
    uint64_t limit;
    char bytes[32];
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (handle) {
        dlclose(handle);
        return true;
    }
    cnn_text_append(text, " (%s is not loaded: it, or a library that it needs, %s%s)", library,
                    cnn_memory_is_limited(&limit) ? "does not fit into memory, which is limited to "
                                                  : "is missing",
                    cnn_memory_is_limited(&limit) ? cnn_format_bytes(bytes, limit) : "");
    return false;
}

/* Is the library of each loaded? */
static bool examine_icds(cnn_text *text, const cnn_icd_list *list)
{
    bool loaded = true;
    cnn_text_append(text, "; %s%s", list->place,
                    list->count > 0 ? " has" : " has no .icd file: no driver is installed there");
    for (size_t i = 0; i < list->count; i++) {
        const cnn_icd *icd = &list->icds[i];
        const char *name = icd->file ? icd->file : icd->library, *slash = strrchr(name, '/');
        cnn_text_append(text, "%s%s", i ? ", " : " ", slash ? slash + 1 : name);
        if (!icd->library)
            cnn_text_append(text, " (cannot be read)");
        else if (!examine_library(text, icd->library))
            loaded = false;
    }
    return loaded;
}

static bool has_pocl(const cnn_icd_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->icds[i].library && cnn_contains_ignoring_case(list->icds[i].library, "pocl"))
            return true;
    return false;
}

static void examine_nodes(cnn_text *text)
{
    glob_t nodes;
    (void)cnn_device_nodes_find(&nodes, "");
    for (size_t i = 0; i < nodes.gl_pathc; i++)
        if (access(nodes.gl_pathv[i], R_OK | W_OK) != 0)
            cnn_text_append(text,
                            "; no permission for %s: add the user to the node's group "
                            "(render or video)",
                            nodes.gl_pathv[i]);
    globfree(&nodes);
}

/* What is to do, by the likeliest cause. */
static void advise(cnn_text *text, const cnn_icd_list *icds, bool loaded)
{
    uint64_t limit;
    if (!loaded && cnn_memory_is_limited(&limit))
        cnn_text_append(text, "; raise the limit of memory: ulimit -v unlimited");
    else if (has_pocl(icds))
        cnn_text_append(text, "; for a GPU install the OpenCL package of its vendor");
    else if (icds->variable)
        cnn_text_append(text, "; %s says where drivers are looked for: unset %s", icds->variable,
                        icds->variable);
    else
        cnn_text_append(text, "; install pocl-opencl-icd for a CPU, or the OpenCL package of the "
                              "GPU's vendor");
    cnn_text_append(text, "; cnn-cl doctor says more");
}

void cnn_device_explain_absence(cnn_text *text, const cnn_device_list *list)
{
    cnn_icd_list icds = {0};
    cnn_text_append(text, "no usable OpenCL device");
    for (size_t i = 0; i < list->total; i++) {
        const cnn_device_info *info = &list->entries[i].info;
        cnn_text_append(text, "; %s (%d:%d) is not usable: %s", info->name, info->platform,
                        info->device, info->reason);
    }
    if (list->problems)
        cnn_text_append(text, "%s", list->problems);
    if (list->problems && strstr(list->problems, "(rusticl) has no device") &&
        !getenv("RUSTICL_ENABLE"))
        cnn_text_append(text, "; rusticl shows only what RUSTICL_ENABLE names, such as radeonsi "
                              "or iris");
    bool loaded = cnn_icd_list_create(&icds) != CNN_OK || examine_icds(text, &icds);
    examine_nodes(text);
    if (has_pocl(&icds))
        cnn_pocl_cache_explain(text);
    advise(text, &icds, loaded);
    cnn_icd_list_finish(&icds);
}
