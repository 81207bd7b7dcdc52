/* export: a saved model as a file for other programs. */
#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/out_file.h"
#include "cli/output.h"
#include "cli/session.h"

static const struct {
    const char *name, *ending;
    cli_file_kind kind;
    cnn_status (*write)(const cnn_model *model, const char *path);
} formats[] = {
    {"onnx", ".onnx", CLI_FILE_ONNX, cnn_model_export_onnx},
    {"npz", ".npz", CLI_FILE_NPZ, cnn_model_export_npz},
};

enum { FORMAT_COUNT = sizeof formats / sizeof formats[0] };

/* FORMAT_COUNT where the path's ending is none of theirs. */
static int find_ending(const char *path)
{
    int i = 0;
    while (i < FORMAT_COUNT && !cli_ends_with(path, formats[i].ending))
        i++;
    return i;
}

/* --format was checked when it was read. Returns an exit code. */
static int choose(int *format, const char *name, const char *path)
{
    int by_ending = find_ending(path);
    *format = by_ending;
    for (int i = 0; name && i < FORMAT_COUNT; i++)
        if (strcmp(name, formats[i].name) == 0)
            *format = i;
    if (*format == FORMAT_COUNT)
        return cli_fail(CLI_EXIT_USAGE,
                        "export: expected a name that ends in .onnx or .npz, found '%s': give "
                        "--format",
                        path);
    if (by_ending == FORMAT_COUNT || by_ending == *format)
        return 0;
    return cli_fail(CLI_EXIT_USAGE,
                    "--format %s: expected a name that does not end in %s, found '%s'", name,
                    formats[by_ending].ending, path);
}

static void describe(const cnn_model *model, int format, const char *path)
{
    const cnn_network *network = cnn_model_network(model);
    const int *xdim = cnn_network_input(network);
    if (formats[format].write == cnn_model_export_onnx)
        cli_info(
            "%s: input 'image' (batch, %d, %d, %d), pixels in 0..1; output 'logits' (batch, %d)",
            path, xdim[0], xdim[1], xdim[2], cnn_network_classes(network));
    else
        cli_info("%s: %zu arrays under PyTorch's names", path, cnn_model_tensor_count(model));
    if (formats[format].write == cnn_model_export_npz &&
        strcmp(cnn_model_normalization(model), "none") != 0)
        cli_info("%s: the pixels' normalisation is not in it: %s", path,
                 cnn_model_normalization(model));
}

int cmd_export(cli_options *options)
{
    const char *path = options->words[0];
    cli_session session = {0};
    int code = 0, format;
    CLI_TRY(choose(&format, options->format, path));
    CLI_TRY(cli_out_file_check("export", path, formats[format].kind, options));
    CLI_TRY(cli_session_load_model(&session, options));
    if (!options->model)
        cli_info("no --model: a fresh network, not trained, of seed %" PRIu64, options->seed);
    CLI_TRY(cli_check(formats[format].write(session.model, path)));
    describe(session.model, format, path);
out:
    cli_session_finish(&session);
    return code;
}
