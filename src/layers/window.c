/* Windows that slide along a plane: of convolutions and pools. */
#include "layers/layer.h"

/* torch.nn.MaxPool2d: floor or ceiling of (size + padding - dilation (kernel - 1) - 1) / stride +
 * 1; with the ceiling a window that would begin in the padding behind is left out. */
int cnn_window_count(int size, int kernel, int stride, int before, int after, int dilation,
                     bool ceil_mode)
{
    int64_t room = (int64_t)size + before + after - (int64_t)dilation * (kernel - 1) - 1;
    if (room < 0)
        return 0;
    int64_t count = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (ceil_mode && (count - 1) * stride >= (int64_t)size + before)
        count--;
    return count > INT32_MAX ? 0 : (int)count;
}
