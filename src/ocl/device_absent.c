/* Why there is no device: looks at what usually stands in the way. */
#include "ocl/device_list.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ocl/loader.h"

/* Tells where the OpenCL loader did not load a driver's library. Does not load it itself. */
static void examine_library(cnn_text *text, const char *library)
{
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (handle)
        dlclose(handle);
    else
        cnn_text_append(text, " (%s is not loaded: it, or a library that it needs, is missing)",
                        library);
}

static void examine_icds(cnn_text *text, const cnn_icd_list *list)
{
    cnn_text_append(text, "; %s%s", list->place,
                    list->count > 0 ? " has" : " has no .icd file: no driver is installed there");
    for (size_t i = 0; i < list->count; i++) {
        const cnn_icd *icd = &list->icds[i];
        const char *name = icd->file ? icd->file : icd->library, *slash = strrchr(name, '/');
        cnn_text_append(text, "%s%s", i ? ", " : " ", slash ? slash + 1 : name);
        if (icd->library)
            examine_library(text, icd->library);
        else
            cnn_text_append(text, " (cannot be read)");
    }
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
    bool known = cnn_icd_list_create(&icds) == CNN_OK, pocl = has_pocl(&icds);
    if (known)
        examine_icds(text, &icds);
    examine_nodes(text);
    if (pocl)
        cnn_pocl_cache_explain(text);
    cnn_text_append(text, pocl ? "; for a GPU install the OpenCL package of its vendor; cnn-cl "
                                 "doctor says more"
                               : "; install pocl-opencl-icd for a CPU, or the OpenCL package of "
                                 "the GPU's vendor; cnn-cl doctor says more");
    cnn_icd_list_finish(&icds);
}
