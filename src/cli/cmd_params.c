/* params: the notebook's listing of parameters, the plan of training, or the network as a file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"

enum { SHOWN_VALUES = 5 };

static void print_tensor(int index, const cnn_tensor_info *tensor)
{
    cli_print_line("[%d] name:[%s] shape:[(", index, tensor->name);
    for (int i = 0; i < tensor->rank; i++)
        cli_print("%s%d", i ? ", " : "", tensor->shape[i]);
    cli_print("%s)].\n    val:[", tensor->rank == 1 ? "," : "");
    const float *values = tensor->values;
    size_t count = tensor->count < SHOWN_VALUES ? tensor->count : SHOWN_VALUES;
    for (size_t i = 0; i < count; i++)
        cli_print("%s% .3f", i ? " " : "", (double)values[i]);
    cli_print("]\n");
}

/* 119530 as "119,530". */
static void format_thousands(char *text, size_t size, uint64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    size_t at = 0;
    for (int i = 0; i < length && at + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

static void print_parameters(const cnn_model *model)
{
    int index = 0;
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info tensor = cnn_model_tensor(model, i);
        if (tensor.trainable)
            print_tensor(index++, &tensor);
    }
    char total[32];
    format_thousands(total, sizeof total, cnn_model_parameter_count(model));
    cli_print("Total number of parameters:[%s].\n", total);
}

static int print_plan(cli_session *session, const cli_options *options)
{
    char *text = NULL;
    int code = 0;
    CLI_TRY(cli_session_open_device(session, options));
    CLI_TRY(cli_check(cnn_plan_to_text_of(&text, session->device,
                                          cnn_model_network(session->model), &options->train)));
    cli_print("%s", text);
out:
    cnn_string_free(text);
    return code;
}

static int print_network(const cnn_model *model)
{
    char *text = NULL;
    int code = cli_check(cnn_network_to_text(&text, cnn_model_network(model)));
    if (code == 0)
        cli_print("%s", text);
    cnn_string_free(text);
    return code;
}

int cmd_params(cli_options *options)
{
    cli_session session = {0};
    int code = 0;
    if (options->plan && options->print)
        return cli_fail(CLI_EXIT_USAGE, "--plan and --print exclude each other: leave one out");
    CLI_TRY(cli_session_load_model(&session, options));
    if (options->print)
        CLI_TRY(print_network(session.model));
    else if (options->plan)
        CLI_TRY(print_plan(&session, options));
    else
        print_parameters(session.model);
out:
    cli_session_finish(&session);
    return code;
}
