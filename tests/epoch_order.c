/* For check_epoch.py: `epoch_order COUNT SEED EPOCH` prints the order in which an epoch takes its
 * samples, a number a line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/philox.h"

int main(int argc, char **argv)
{
    if (argc != 4)
        return EXIT_FAILURE;
    uint32_t count = (uint32_t)strtoul(argv[1], NULL, 10);
    uint32_t *order = malloc(((size_t)count + 1) * sizeof *order);
    if (!order)
        return EXIT_FAILURE;
    cnn_philox_permutation(order, count, strtoull(argv[2], NULL, 10), CNN_STREAM_SHUFFLE, 0,
                           strtoull(argv[3], NULL, 10));
    for (uint32_t i = 0; i < count; i++)
        printf("%" PRIu32 "\n", order[i]);
    free(order);
    return EXIT_SUCCESS;
}
