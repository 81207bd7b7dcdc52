/* The devices that --device names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/session.h"

/* What is said of them; NULL: nothing. To be freed. */
static char *copy_wanted(const cli_options *options)
{
    const char *wanted = options->device ? options->device : getenv("CNN_CL_DEVICE");
    return wanted && *wanted ? cli_concatenate((const char *[]){wanted, NULL}) : NULL;
}

static int check_each(const char *const *selectors, int count)
{
    cnn_device_list *list = NULL;
    size_t index;
    int code = 0;
    CLI_TRY(cli_check(cnn_device_list_create(&list)));
    for (int i = 0; i < count; i++)
        CLI_TRY(cli_check(cnn_device_list_pick(&index, list, selectors[i])));
out:
    cnn_device_list_destroy(list);
    return code;
}

/* No part of the list is empty, and none would be left out. */
int cli_devices_check(const char *text, const char *option)
{
    size_t length = strlen(text);
    int parts = 1;
    for (const char *at = text; *at; at++)
        parts += *at == ',';
    if (text[0] == ',' || text[length - 1] == ',' || strstr(text, ",,"))
        return cli_fail(CLI_EXIT_USAGE,
                        "%s: expected devices with commas between them (0,1), found '%s'", option,
                        text);
    if (parts > CLI_MAX_DEVICES)
        return cli_fail(CLI_EXIT_USAGE, "%s: expected at most %d devices, found %d", option,
                        CLI_MAX_DEVICES, parts);
    return 0;
}

int cli_session_find_device(const cli_options *options)
{
    const char *selectors[CLI_MAX_DEVICES];
    char *text = copy_wanted(options);
    const char *option = options->device ? "--device" : "CNN_CL_DEVICE";
    int code = text ? cli_devices_check(text, option) : 0;
    int count = code == 0 ? cli_devices_split(selectors, CLI_MAX_DEVICES, text) : 0;
    if (count > 1 && !cli_ranks_may_share(options))
        code = cli_fail(CLI_EXIT_USAGE,
                        "%s: expected one device, found a list of %d: train, eval, predict and "
                        "bench (of training) alone take several",
                        option, count);
    int mine = cnn_comm_local_rank(cli_ranks_comm());
    if (code == 0 && count > 0)
        code = cnn_comm_size(cli_ranks_comm()) > 1 ? check_each(&selectors[mine % count], 1)
                                                   : check_each(selectors, count);
    free(text);
    return code;
}

static int open_one(cli_session *session, const char *selector, const cli_options *options)
{
    cnn_device *device = NULL;
    int code = cli_check(cnn_device_create(&device, selector));
    if (code != 0)
        return code;
    session->devices[session->device_count++] = device;
    code = cli_check(cnn_device_use_exact(device, options->train.exact));
    if (code == 0) {
        const cnn_device_info *info = cnn_device_get_info(device);
        cli_info("device %d:%d: %s (%s)", info->platform, info->device, info->name,
                 info->platform_name);
    }
    return code;
}

/* Of several ranks each has one: that of its number on its host. */
static int open_for_rank(cli_session *session, const cli_options *options,
                         const char *const *selectors, int count)
{
    cnn_device_list *list = NULL;
    char number[24];
    int rank = cnn_comm_local_rank(cli_ranks_comm()), code = 0;
    if (count > 0)
        return open_one(session, selectors[rank % count], options);
    CLI_TRY(cli_check(cnn_device_list_create(&list)));
    size_t usable = cnn_device_list_count(list);
    snprintf(number, sizeof number, "%zu", usable > 0 ? (size_t)rank % usable : 0);
    code = open_one(session, usable > 0 ? number : NULL, options);
out:
    cnn_device_list_destroy(list);
    return code;
}

int cli_session_open_device(cli_session *session, const cli_options *options)
{
    const char *selectors[CLI_MAX_DEVICES] = {NULL};
    char *text = copy_wanted(options);
    int count = cli_devices_split(selectors, CLI_MAX_DEVICES, text), code = 0;
    if (cnn_comm_size(cli_ranks_comm()) > 1) {
        code = open_for_rank(session, options, selectors, count);
    } else {
        do
            code = open_one(session, selectors[session->device_count], options);
        while (code == 0 && session->device_count < count);
    }
    session->device = session->devices[0];
    if (code == 0 && options->tta == CNN_TTA_FLIP)
        cli_info("each image's probabilities are the mean of its own and its mirror's (--tta "
                 "flip)");
    free(text);
    return code;
}
