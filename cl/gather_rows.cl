/* A batch from rows of values that were computed before.
 * Layout: rows (total, row), x (n, row). */

#include "loop.cl"

/* x (n, row) and batch_labels (n) of the samples order[first] to order[first + n - 1]; of the
 * samples first to first + n - 1 where `ordered` is 0. */
kernel void gather_rows(global float *restrict x, global ushort *restrict batch_labels,
                        const global float *restrict rows, const global ushort *restrict labels,
                        const global uint *restrict order, int ordered, uint first, int n, uint row)
{
    FOR_EACH (i, (size_t)n * row) {
        const size_t sample = i / row, place = i % row;
        const size_t index = ordered ? order[first + sample] : first + sample;
        x[i] = rows[index * row + place];
        if (place == 0)
            batch_labels[sample] = labels[index];
    }
}
