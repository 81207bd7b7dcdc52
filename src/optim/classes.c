/* The kinds of updates, a row each. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/real.h"
#include "optim/optimizer.h"
#include "optim/words.h"

static const double beta2 = 0.999, epsilon = 1e-8;

static double adam_rate(double lr, double momentum, uint64_t step)
{
    return lr / (1.0 - cnn_real_power(momentum, step));
}

static int adam_scalars(float values[CNN_OPTIMIZER_SCALARS], double momentum, uint64_t step)
{
    double root = 1.0 / sqrt(1.0 - cnn_real_power(beta2, step));
    const double all[CNN_OPTIMIZER_SCALARS] = {momentum,    beta2,   1.0 - momentum,
                                               1.0 - beta2, epsilon, root};
    for (int i = 0; i < CNN_OPTIMIZER_SCALARS; i++)
        values[i] = (float)all[i];
    return CNN_OPTIMIZER_SCALARS;
}

static int momentum_scalars(float values[CNN_OPTIMIZER_SCALARS], double momentum, uint64_t step)
{
    (void)step;
    values[0] = (float)momentum;
    return 1;
}

#define ADAM_STATES                                                                                \
    .state_count = 2,                                                                              \
    .states = {{"adam.m.", "Adam's first moments"}, {"adam.v.", "Adam's second moments"}},         \
    .rate = adam_rate, .scalars = adam_scalars

#define MOMENTUM_STATE                                                                             \
    .state_count = 1, .states = {{"sgd.momentum.", "the momentum"}}, .scalars = momentum_scalars

enum { ADAM, ADAMW, SGD, MOMENTUM, NESTEROV };

static const cnn_optimizer_class classes[] = {
    [ADAM] = {.kind = CNN_OPTIMIZER_ADAM,
              .name = "adam",
              .kernel = "adam_update",
              .options = "",
              ADAM_STATES},
    [ADAMW] = {.kind = CNN_OPTIMIZER_ADAMW,
               .name = "adamw",
               .kernel = "adam_update",
               .options = " -DDECOUPLED",
               .decoupled = true,
               ADAM_STATES},
    [SGD] = {.kind = CNN_OPTIMIZER_SGD, .name = "sgd", .kernel = "sgd_update", .options = ""},
    [MOMENTUM] = {.kind = CNN_OPTIMIZER_SGD,
                  .name = "sgd",
                  .kernel = "momentum_update",
                  .options = " -DMOMENTUM",
                  MOMENTUM_STATE},
    [NESTEROV] = {.kind = CNN_OPTIMIZER_SGD,
                  .name = "sgd",
                  .kernel = "momentum_update",
                  .options = " -DMOMENTUM -DNESTEROV",
                  MOMENTUM_STATE},
};

const cnn_optimizer_class *cnn_optimizer_choose(const cnn_train_options *options)
{
    if (!options || options->optimizer == CNN_OPTIMIZER_ADAM)
        return &classes[ADAM];
    if (options->optimizer == CNN_OPTIMIZER_ADAMW)
        return &classes[ADAMW];
    if (options->nesterov)
        return &classes[NESTEROV];
    bool cycles = options->schedule.kind == CNN_SCHEDULE_ONECYCLE && !options->fixed_momentum;
    return &classes[options->momentum > 0.0 || cycles ? MOMENTUM : SGD];
}

static void write_name(char text[CNN_WORDS_SIZE], const cnn_train_options *options)
{
    snprintf(text, CNN_WORDS_SIZE, "%s", cnn_optimizer_choose(options)->name);
}

static bool read_name(cnn_train_options *options, const char *text)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(text, classes[i].name) == 0) {
            options->optimizer = classes[i].kind;
            return true;
        }
    return false;
}

const cnn_option_words cnn_optimizer_words = {"adam, adamw or sgd", write_name, read_name};
