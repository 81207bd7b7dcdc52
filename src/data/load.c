/* The places where a data set is looked for. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "build_config.h"
#include "data/folder.h"
#include "data/idx_source.h"

static cnn_status load_folder(cnn_dataset **dataset, const char *directory,
                              const cnn_folder *folder)
{
    cnn_sources sources = {0};
    cnn_status status = cnn_idx_sources(&sources, folder);
    if (status == CNN_OK)
        status = cnn_dataset_from_sources(dataset, &sources, directory);
    cnn_sources_finish(&sources);
    return status;
}

/* Leaves *dataset NULL where the place is absent and may be. */
static cnn_status load_place(cnn_dataset **dataset, const cnn_place *place)
{
    cnn_folder folder;
    *dataset = NULL;
    cnn_status status = cnn_folder_find(&folder, place->directory);
    if (status != CNN_OK)
        return status;
    if (folder.found > 0 || place->named) {
        status = cnn_folder_check(&folder, place->directory);
        if (status == CNN_OK)
            status = load_folder(dataset, place->directory, &folder);
    }
    cnn_folder_finish(&folder);
    return status;
}

static cnn_status fail_nowhere(const cnn_place *places, size_t count)
{
    cnn_text text = {0};
    char *list;
    for (size_t i = 0; i < count; i++)
        cnn_text_append(&text, "%s%s", i ? ", " : "", places[i].directory);
    cnn_status status = cnn_text_take(&list, &text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_FILE,
                      "no data set found in %s: run scripts/fetch_mnist.sh, or name a folder of "
                      "IDX files with --data",
                      list);
    free(list);
    return status;
}

cnn_status cnn_dataset_load_first(cnn_dataset **dataset, const cnn_place *places, size_t count)
{
    *dataset = NULL;
    for (size_t i = 0; i < count; i++) {
        cnn_status status = load_place(dataset, &places[i]);
        if (status != CNN_OK || *dataset)
            return status;
    }
    return fail_nowhere(places, count);
}

cnn_status cnn_dataset_load(cnn_dataset **dataset, const char *directory)
{
    const char *variable = getenv("CNN_CL_DATA");
    if (!directory && variable && *variable)
        directory = variable;
    if (directory)
        return cnn_dataset_load_first(dataset, &(cnn_place){directory, true}, 1);
    static const cnn_place places[] = {
        {"data/mnist", false},
        {CNN_DATA_INSTALL_DIR, false},
        {CNN_DEBIAN_FASHION_MNIST, false},
    };
    cnn_status status = cnn_dataset_load_first(dataset, places, sizeof places / sizeof places[0]);
    const cnn_dataset *found = *dataset;
    if (status == CNN_OK && found &&
        strcmp(cnn_dataset_source(found), CNN_DEBIAN_FASHION_MNIST) == 0)
        cnn_log(CNN_LOG_WARNING,
                "no MNIST was found: this is Fashion-MNIST, clothes instead of digits; "
                "name another data set with --data or CNN_CL_DATA");
    return status;
}
