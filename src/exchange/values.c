#include "base/status.h"
#include "exchange/exchange.h"
#include "net/network.h"

cnn_status cnn_exchange_fail_one_output(const char *path)
{
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected a network with an output for each class, found one output alone, "
                    "as for a sigmoid: give its last layer two, the first with weights and bias of "
                    "zeros, the second with its own (torch.cat([torch.zeros_like(w), w]))",
                    path);
}

void cnn_exchange_prepare(cnn_model *model, const char *path)
{
    enum { COLORS = 3 };
    if (cnn_network_input(model->network)[0] != COLORS || model->origin.of_pictures)
        return;
    cnn_model_set_fit(model, CNN_FIT_CROP);
    cnn_log(CNN_LOG_INFO,
            "%s: pictures are cropped to its input, as torchvision does, unless --fit says "
            "otherwise",
            path);
}
