#include "base/status.h"
#include "exchange/exchange.h"
#include "net/network.h"

cnn_status cnn_exchange_check_finite(const cnn_model *model, const char *path)
{
    for (size_t i = 0; i < model->slot_count; i++)
        if (!cnn_tensor_is_finite(&model->slots[i].info))
            return cnn_fail(
                CNN_ERROR_DATA,
                "%s: not written: tensor '%s': expected finite values, found inf or NaN", path,
                model->slots[i].name);
    return CNN_OK;
}

cnn_status cnn_exchange_fail_one_output(const char *path)
{
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected a network with an output for each class, found one output alone, "
                    "as for a sigmoid: give its last layer two, the first with weights and bias of "
                    "zeros, the second with its own (torch.cat([torch.zeros_like(w), w]))",
                    path);
}
