/* For scripts that compare networks: `network_tensors FILE CLASSES` prints the tensors of a network
 * file's network, "NAME 64,3,7,7" a line; `network_tensors --text FILE CLASSES` its text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnncl/model.h>

static cnn_status print_tensors(const cnn_network *network)
{
    cnn_model *model = NULL;
    cnn_status status = cnn_model_create_network(&model, network, 1);
    for (size_t i = 0; status == CNN_OK && i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        printf("%s ", info.name);
        for (int axis = 0; axis < info.rank; axis++)
            printf("%s%d", axis ? "," : "", info.shape[axis]);
        printf("\n");
    }
    cnn_model_destroy(model);
    return status;
}

static cnn_status print_text(const cnn_network *network)
{
    char *text;
    cnn_status status = cnn_network_to_text(&text, network);
    if (status != CNN_OK)
        return status;
    fputs(text, stdout);
    free(text);
    return CNN_OK;
}

int main(int argc, char **argv)
{
    bool as_text = argc == 4 && strcmp(argv[1], "--text") == 0;
    if (argc != 3 && !as_text) {
        fprintf(stderr, "network_tensors: expected [--text] FILE CLASSES\n");
        return EXIT_FAILURE;
    }
    cnn_network *network = NULL;
    cnn_network_given given = {.classes = atoi(argv[argc - 1])};
    cnn_status status = cnn_network_from_file(&network, "network", argv[argc - 2], &given);
    if (status == CNN_OK)
        status = as_text ? print_text(network) : print_tensors(network);
    if (status != CNN_OK)
        fprintf(stderr, "network_tensors: %s\n", cnn_error_message());
    cnn_network_destroy(network);
    return status == CNN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
