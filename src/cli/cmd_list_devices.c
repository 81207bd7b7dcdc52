/* --list-devices: every device of every platform. */
#include <cnncl/device.h>

#include "cli/commands.h"
#include "cli/output.h"

int cmd_list_devices(cli_options *options)
{
    cnn_device_list *list = NULL;
    char *text = NULL;
    size_t best;
    int code = 0;
    CLI_TRY(cli_check(cnn_device_list_create(&list)));
    bool is_empty = cnn_device_list_total(list) == 0;
    if (options->json)
        CLI_TRY(cli_check(cnn_device_list_to_json(&text, list)));
    else if (!is_empty)
        CLI_TRY(cli_check(cnn_device_list_to_text(&text, list)));
    if (text)
        cli_print("%s", text);
    /* Without a usable device the library says what to do. */
    if (cnn_device_list_count(list) == 0)
        CLI_TRY(cli_check(cnn_device_list_pick(&best, list, "0")));
    /* Neither is there one for the other commands where --device or CNN_CL_DEVICE names none. */
    CLI_TRY(cli_check(cnn_device_list_pick(&best, list, options->device)));
out:
    cnn_string_free(text);
    cnn_device_list_destroy(list);
    return code;
}
