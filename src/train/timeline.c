#include "train/timeline.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

double cnn_timeline_now(const cnn_timeline *timeline)
{
    return timeline ? cnn_seconds() : 0.0;
}

static bool make_room(cnn_timeline *timeline)
{
    enum { FIRST_ROOM = 256 };
    size_t room = timeline->room ? 2 * timeline->room : FIRST_ROOM;
    if (timeline->count < timeline->room)
        return true;
    cnn_timeline_event *larger = realloc(timeline->events, room * sizeof *larger);
    if (!larger)
        return false;
    timeline->events = larger;
    timeline->room = room;
    return true;
}

static void CL_CALLBACK note_end(cl_event command, cl_int state, void *user)
{
    cnn_timeline *timeline = user;
    (void)command;
    (void)state;
    atomic_store(&timeline->idle, cnn_seconds());
    atomic_fetch_sub(&timeline->watched, 1);
}

void cnn_timeline_watch(cnn_timeline *timeline, cl_event command)
{
    if (!timeline)
        return;
    atomic_store(&timeline->idle, command ? INFINITY : cnn_seconds());
    if (!command)
        return;
    atomic_fetch_add(&timeline->watched, 1);
    if (clSetEventCallback(command, CL_COMPLETE, note_end, timeline) != CL_SUCCESS)
        note_end(command, CL_COMPLETE, timeline); /* what is hidden counts as exposed */
}

void cnn_timeline_is_idle(cnn_timeline *timeline)
{
    double at_work = INFINITY;
    if (timeline)
        (void)atomic_compare_exchange_strong(&timeline->idle, &at_work, cnn_seconds());
}

/* Of what ends now. */
static double find_exposed(const cnn_timeline *timeline, cnn_timeline_kind kind, double begun,
                           double ended)
{
    double idle = atomic_load(&timeline->idle);
    if (kind == CNN_TIMELINE_TALLY) /* the device was waited for before */
        return ended - begun;
    return kind == CNN_TIMELINE_SUM ? fmax(0.0, ended - fmax(begun, idle)) : 0.0;
}

void cnn_timeline_add(cnn_timeline *timeline, cnn_timeline_kind kind, double begun, size_t bytes)
{
    double ended = cnn_timeline_now(timeline);
    if (!timeline)
        return;
    if (!make_room(timeline)) {
        timeline->failed = true;
        return;
    }
    timeline->events[timeline->count++] =
        (cnn_timeline_event){.begun = begun - timeline->origin,
                             .ended = ended - timeline->origin,
                             .kind = kind,
                             .step = timeline->step,
                             .bytes = bytes,
                             .exposed = find_exposed(timeline, kind, begun, ended)};
    timeline->step += kind == CNN_TIMELINE_STEP;
}

void cnn_timeline_finish(cnn_timeline *timeline)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    while (atomic_load(&timeline->watched) > 0)
        nanosleep(&nap, NULL);
    free(timeline->events);
    timeline->events = NULL;
    timeline->count = timeline->room = 0;
}
