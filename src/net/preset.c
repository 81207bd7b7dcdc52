/* The network files that come with the library. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/installed.h"
#include "base/preset.h"
#include "base/status.h"
#include "build_config.h"
#include "net/network.h"

static const cnn_preset_kind networks = {"network", ".net", CNN_NETS_BUILD_DIR, CNN_NETS_DATA_DIR,
                                         CNN_NETS_INSTALL_DIR};

size_t cnn_network_list_presets(char *names[CNN_MAX_PRESETS])
{
    return cnn_preset_list(names, CNN_MAX_PRESETS, &networks);
}

cnn_status cnn_preset_file(char **path, const char *name)
{
    char *folder = NULL;
    cnn_status status = CNN_OK;
    *path = NULL;
    CNN_TRY(cnn_installed_folder(&folder, networks.build, networks.relative, networks.installed));
    CNN_TRY(cnn_path_join(path, folder, name));
    if (!cnn_file_exists(*path)) {
        status = cnn_fail(CNN_ERROR_FILE, "%s: it comes with the network files, and is not there",
                          *path);
        free(*path);
        *path = NULL;
    }
out:
    free(folder);
    return status;
}

bool cnn_network_is_preset(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *found = NULL;
    cnn_status status = cnn_preset_file(&found, slash ? slash + 1 : path);
    bool same = status == CNN_OK && found && strcmp(found, path) == 0;
    free(found);
    return same;
}

cnn_status cnn_network_preset(char **path, const char *name)
{
    CNN_NEED(path, name);
    return cnn_preset_find(path, &networks, name);
}
