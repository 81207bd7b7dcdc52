/* A command line, one word a line, and the network that its options name. */
#include <stdlib.h>
#include <string.h>

#include <getopt.h>

#include "cli/options.h"
#include "fuzz.h"

enum { MAX_WORDS = 64 };

static int nothing(cli_options *options)
{
    (void)options;
    return 0;
}

static const unsigned every_group = ~0u;
const cli_command cli_commands[] = {
    {.name = "all", .summary = "", .notes = "", .groups = every_group, .run = nothing},
    {.name = "words",
     .summary = "",
     .notes = "",
     .groups = CLI_GLOBAL | CLI_DATA,
     .run = nothing,
     .words = "WORD...",
     .min_words = 1,
     .max_words = 3},
    {0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *words[MAX_WORDS + 2] = {(char[]){"cnn-cl"}};
    int count = 1;
    char *text = malloc(size + 1), *rest = text;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *word; count <= MAX_WORDS && (word = strtok_r(rest, "\n", &rest));)
        words[count++] = word;
    cli_options options;
    cnn_network *network;
    optind = 0; /* glibc: start again */
    if (cli_options_parse(&options, count, words) == 0 &&
        cnn_network_create(&network, &options.config) == CNN_OK)
        cnn_network_destroy(network);
    cli_options_finish(&options);
    free(text);
    return 0;
}
