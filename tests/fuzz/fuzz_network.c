/* A network file: what is read is written, and reads back to the same text. */
#include <stdlib.h>
#include <string.h>

#include <cnncl/network.h>

#include "fuzz.h"

static void read_back(const char *text)
{
    cnn_network *network;
    char *again;
    if (cnn_network_from_text(&network, "network", text, "again", NULL) != CNN_OK ||
        cnn_network_to_text(&again, network) != CNN_OK || strcmp(text, again) != 0)
        abort();
    free(again);
    cnn_network_destroy(network);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_network *network;
    char *text;
    if (cnn_network_from_file(&network, "network", fuzz_file(data, size), NULL) != CNN_OK)
        return 0;
    if (cnn_network_to_text(&text, network) != CNN_OK)
        abort();
    read_back(text);
    free(text);
    cnn_network_destroy(network);
    return 0;
}
