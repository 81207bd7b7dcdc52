/* The places where a data set is looked for. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "build_config.h"
#include "data/place.h"
#include "image/idx.h"

static cnn_status look(cnn_site *site)
{
    struct stat info;
    if (stat(site->path, &info) != 0)
        return CNN_OK;
    site->kind = S_ISDIR(info.st_mode) ? CNN_SITE_FOLDER : CNN_SITE_FILE;
    return site->kind == CNN_SITE_FOLDER ? cnn_listing_read(&site->listing, site->path) : CNN_OK;
}

/* Leaves *dataset NULL where the place is absent and may be. */
static cnn_status load_place(cnn_dataset **dataset, const cnn_place *place,
                             const cnn_data_options *options)
{
    cnn_site site = {.path = place->path, .kind = CNN_SITE_ABSENT};
    cnn_sources sources = {0};
    bool taken = false;
    cnn_status status = CNN_OK;
    *dataset = NULL;
    CNN_TRY(look(&site));
    CNN_TRY(cnn_site_open(&sources, &taken, &site, options));
    if (taken)
        status = cnn_dataset_from_sources(dataset, &sources, place->path, options);
    else if (place->named)
        status = cnn_site_refuse(&site);
out:
    cnn_sources_finish(&sources);
    cnn_listing_finish(&site.listing);
    return status;
}

static cnn_status fail_nowhere(const cnn_place *places, size_t count)
{
    cnn_text text = {0};
    char *list;
    for (size_t i = 0; i < count; i++)
        cnn_text_append(&text, "%s%s", i ? ", " : "", places[i].path);
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

cnn_status cnn_dataset_load_first(cnn_dataset **dataset, const cnn_place *places, size_t count,
                                  const cnn_data_options *options)
{
    *dataset = NULL;
    for (size_t i = 0; i < count; i++) {
        cnn_status status = load_place(dataset, &places[i], options);
        if (status != CNN_OK || *dataset)
            return status;
    }
    return fail_nowhere(places, count);
}

cnn_status cnn_dataset_is_folder_of_pictures(bool *found, const char *path)
{
    CNN_NEED(found);
    const char *variable = getenv("CNN_CL_DATA");
    cnn_site site = {.path = path ? path : variable, .kind = CNN_SITE_ABSENT};
    cnn_status status = CNN_OK;
    *found = false;
    if (!site.path || !*site.path)
        return CNN_OK;
    if (look(&site) == CNN_OK) /* what cannot be read is told where it is loaded */
        status = cnn_site_has_pictures(found, &site);
    cnn_listing_finish(&site.listing);
    return status;
}

cnn_status cnn_dataset_load(cnn_dataset **dataset, const char *path)
{
    CNN_NEED(dataset);
    return cnn_dataset_open(dataset, path, NULL);
}

void cnn_data_options_init(cnn_data_options *options)
{
    if (options)
        *options = (cnn_data_options){0};
}

static cnn_status check_options(const cnn_data_options *options)
{
    int height = options->height, width = options->width;
    if (height < 0 || width < 0 || height > CNN_IDX_MAX_SIDE || width > CNN_IDX_MAX_SIDE ||
        (height == 0) != (width == 0))
        return cnn_fail(CNN_ERROR_ARGUMENT, "--size: expected two numbers of 1 to %d, found %d,%d",
                        CNN_IDX_MAX_SIDE, height, width);
    if ((int)options->fit < 0 || (int)options->fit > CNN_FIT_STRETCH)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--fit: expected crop, pad or stretch, found %d",
                        (int)options->fit);
    for (int axis = 0; axis < 3; axis++)
        if (options->input[axis] < 0 || options->input[axis] > CNN_IDX_MAX_SIDE ||
            (options->input[axis] == 0) != (options->input[0] == 0))
            return cnn_fail(CNN_ERROR_ARGUMENT,
                            "an input: expected three sides of 1 to %d, or zeros, found %d,%d,%d",
                            CNN_IDX_MAX_SIDE, options->input[0], options->input[1],
                            options->input[2]);
    if (options->class_count < 0 || options->class_count > CNN_CLASS_LIMIT ||
        (options->class_count == 0 && options->class_names))
        return cnn_fail(CNN_ERROR_ARGUMENT, "class_count: expected %d to %d, found %d",
                        options->class_names ? 1 : 0, CNN_CLASS_LIMIT, options->class_count);
    for (int i = 0; options->class_names && i < options->class_count; i++)
        if (!options->class_names[i])
            return cnn_fail(CNN_ERROR_ARGUMENT,
                            "class_names: expected a name of class %d, found NULL", i);
    static const cnn_range part = {0.0, 1.0, true, "a number in [0, 1)"};
    return cnn_check_number(&part, options->val_split, "val-split");
}

/* A path that nobody typed: what is wrong there is said with where it is from. */
static cnn_status load_variable(cnn_dataset **dataset, const char *path,
                                const cnn_data_options *options)
{
    cnn_status status = cnn_dataset_load_first(dataset, &(cnn_place){path, true}, 1, options);
    return status == CNN_OK ? status : cnn_fail(status, "CNN_CL_DATA: %s", cnn_error_message());
}

cnn_status cnn_dataset_open(cnn_dataset **dataset, const char *path,
                            const cnn_data_options *options)
{
    static const cnn_data_options defaults = {0};
    CNN_NEED(dataset);
    *dataset = NULL;
    options = options ? options : &defaults;
    cnn_status checked = check_options(options);
    if (checked != CNN_OK)
        return checked;
    const char *variable = getenv("CNN_CL_DATA");
    if (path)
        return cnn_dataset_load_first(dataset, &(cnn_place){path, true}, 1, options);
    if (variable && *variable)
        return load_variable(dataset, variable, options);
    static const cnn_place places[] = {
        {"data/mnist", false},
        {CNN_DATA_INSTALL_DIR, false},
        {CNN_DEBIAN_FASHION_MNIST, false},
    };
    cnn_status status =
        cnn_dataset_load_first(dataset, places, sizeof places / sizeof places[0], options);
    const cnn_dataset *found = *dataset;
    if (status == CNN_OK && found &&
        strcmp(cnn_dataset_source(found), CNN_DEBIAN_FASHION_MNIST) == 0)
        cnn_log(CNN_LOG_WARNING,
                "no MNIST was found: this is Fashion-MNIST, clothes instead of digits; "
                "name another data set with --data or CNN_CL_DATA");
    return status;
}
