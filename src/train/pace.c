#include "train/pace.h"

/* A pass takes milliseconds on a CPU: few hide the launches. */
enum { LIMIT_ON_CPU = 4, LIMIT_ON_GPU = CNN_PACE_MOST };

void cnn_pace_init(cnn_pace *pace, cnn_device *device)
{
    *pace = (cnn_pace){.device = device};
    pace->limit = device->kernel_class == CNN_KERNEL_CPU ? LIMIT_ON_CPU : LIMIT_ON_GPU;
}

void cnn_pace_finish(cnn_pace *pace)
{
    for (; pace->complete < pace->begun; pace->complete++)
        clReleaseEvent(pace->marks[pace->complete % CNN_PACE_MOST]);
}

static cnn_status wait_for_oldest(cnn_pace *pace)
{
    cl_event *mark = &pace->marks[pace->complete % CNN_PACE_MOST];
    cl_int code = clWaitForEvents(1, mark);
    clReleaseEvent(*mark);
    pace->complete++;
    return cnn_opencl_check(code, "clWaitForEvents", pace->device);
}

cnn_status cnn_pace_pass(cnn_pace *pace)
{
    cl_event *mark = &pace->marks[pace->begun % CNN_PACE_MOST];
    cnn_status status =
        cnn_opencl_check(clEnqueueMarkerWithWaitList(pace->device->queue, 0, NULL, mark),
                         "clEnqueueMarkerWithWaitList", pace->device);
    if (status != CNN_OK)
        return status;
    pace->begun++;
    status = cnn_opencl_check(clFlush(pace->device->queue), "clFlush", pace->device);
    if (status == CNN_OK && pace->begun - pace->complete >= (size_t)pace->limit)
        status = wait_for_oldest(pace);
    return status;
}

cnn_status cnn_pace_drain(cnn_pace *pace)
{
    cnn_status status = CNN_OK;
    while (status == CNN_OK && pace->complete < pace->begun)
        status = wait_for_oldest(pace);
    return status;
}
