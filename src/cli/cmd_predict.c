/* predict: labels of random test images, as lines or JSON, and as a picture; or of own pictures. */
#include "cli/commands.h"
#include "cli/out_file.h"
#include "cli/output.h"
#include "cli/pictures.h"
#include "cli/ranks.h"
#include "cli/session.h"

static void print_lines(const cli_samples *samples, const cnn_dataset *dataset)
{
    for (size_t i = 0; i < samples->count; i++)
        cli_print_line("index:[%zu] pred:[%s] label:[%s].\n", samples->indices[i],
                       cnn_dataset_class_name(dataset, samples->predicted[i]),
                       cnn_dataset_class_name(dataset, cli_samples_label(samples, dataset, i)));
}

static void print_json(const cli_samples *samples, const cnn_dataset *dataset,
                       const cli_options *options)
{
    cli_print("{\n  \"model\": ");
    if (options->model)
        cli_print_json_string(options->model);
    else
        cli_print("null");
    cli_print(",\n  \"data\": ");
    cli_print_json_string(cnn_dataset_source(dataset));
    cli_print(",\n  \"hits\": %zu,\n  \"count\": %zu,\n  \"samples\": [", samples->hits,
              samples->count);
    for (size_t i = 0; i < samples->count; i++) {
        int label = cli_samples_label(samples, dataset, i);
        cli_print("%s\n    {\"index\": %zu, \"predicted\": %d, \"label\": %d, \"predicted_name\": ",
                  i ? "," : "", samples->indices[i], samples->predicted[i], label);
        cli_print_json_string(cnn_dataset_class_name(dataset, samples->predicted[i]));
        cli_print(", \"label_name\": ");
        cli_print_json_string(cnn_dataset_class_name(dataset, label));
        cli_print("}");
    }
    cli_print("\n  ]\n}\n");
}

/* Which options go with pictures, and which with random test images. */
static int check_options(const cli_options *options)
{
    bool pictures = options->word_count > 0;
    const struct {
        const char *name;
        bool given, with_pictures;
    } rows[] = {
        {"--data", options->data != NULL, false},
        {"--grid", options->grid != NULL, false},
        {"--samples", cli_option_is_given(options, "samples"), false},
        {"--size", cli_option_is_given(options, "size"), false},
        {"--skip-broken", options->prepare.skip_broken, false},
        {"--no-cache", options->prepare.no_cache, false},
        {"--labels", cli_option_is_given(options, "labels"), false},
        {"--val-split", cli_option_is_given(options, "val-split"), false},
        {"--top", options->top != 0, true},
        {"--show", options->show, true},
        {"--digits", options->digits, true},
        {"--no-preprocess", options->no_preprocess, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].given && rows[i].with_pictures != pictures)
            return cli_fail(CLI_EXIT_USAGE,
                            pictures ? "%s is for random test images: leave it or IMAGE out"
                                     : "%s is for own pictures: name an IMAGE, or leave it out",
                            rows[i].name);
    if (pictures && !options->model)
        return cli_fail(CLI_EXIT_USAGE, "predict IMAGE: expected a trained model, found none: name "
                                        "one with --model");
    if (options->show && options->json)
        return cli_fail(CLI_EXIT_USAGE, "--show and --json exclude each other: leave one out");
    return 0;
}

int cmd_predict(cli_options *options)
{
    int checked = check_options(options);
    if (checked != 0 || options->word_count > 0)
        return checked != 0 ? checked : cli_pictures_predict(options);
    cli_session session = {0};
    cli_samples samples = {0};
    int code = 0;
    CLI_TRY(cli_out_file_check("--grid", options->grid, CLI_FILE_PNG, options));
    CLI_TRY(cli_session_load(&session, options));
    CLI_TRY(cli_out_file_check_data("--grid", options->grid, session.dataset));
    CLI_TRY(cli_session_open_device(&session, options));
    CLI_TRY(cli_samples_predict(&samples, &session, options, (size_t)options->samples));
    if (cli_ranks_follow())
        goto out;
    if (options->json)
        print_json(&samples, session.dataset, options);
    else
        print_lines(&samples, session.dataset);
    CLI_TRY(cli_flush());
    cli_info("%zu of %zu images right", samples.hits, samples.count);
    if (options->grid) {
        CLI_TRY(cli_samples_draw(&samples, session.dataset, options->grid));
        cli_info("drawn in %s", options->grid);
    }
out:
    cli_samples_finish(&samples);
    cli_session_finish(&session);
    return code;
}
