/* Where the kernel files are. */
#include "ocl/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/installed.h"
#include "base/status.h"
#include "build_config.h"

cnn_status cnn_kernel_folder(char **folder)
{
    const char *wanted = getenv("CNN_CL_KERNEL_DIR");
    if (!wanted || !*wanted)
        return cnn_installed_folder(folder, CNN_KERNEL_BUILD_DIR, CNN_KERNEL_DATA_DIR,
                                    CNN_KERNEL_INSTALL_DIR);
    *folder = strdup(wanted);
    return *folder ? CNN_OK : cnn_fail_memory(strlen(wanted), "a path");
}
