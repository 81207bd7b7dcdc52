/* serve: a page to draw digits on or to drop pictures on, and images labelled over HTTP. */
#include <time.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/serve/http.h"
#include "cli/serve/listen.h"
#include "cli/session.h"

enum { MOST_TOGETHER = 64, DECODERS = 4, TENDS_A_SECOND = 10 };

static int wait_for_signal(cli_server *server)
{
    const struct timespec pause = {.tv_nsec = 1000000000 / TENDS_A_SECOND};
    while (cli_interrupt_signal() == 0) {
        nanosleep(&pause, NULL);
        cli_server_tend(server);
    }
    return CLI_EXIT_SIGNAL + cli_interrupt_signal();
}

static int serve(const cli_service *service, const cli_options *options)
{
    cli_server *server = NULL;
    cli_gate gate;
    char address[CLI_ADDRESS_SIZE];
    int socket, code = 0;
    CLI_TRY(cli_listen(&socket, &gate, address, options));
    CLI_TRY(cli_server_start(&server, service, &gate, socket));
    cli_interrupt_catch("cnn-cl: interrupted again and ended at once\n");
    cli_print_line("listening on http://%s/\n", address);
    CLI_TRY(cli_flush());
    cli_info("%s there, or: curl --data-binary @IMAGE http://%s/predict; Ctrl-C ends",
             service->conversion.digits ? "draw" : "drop pictures", address);
    code = wait_for_signal(server);
    cli_info("ending: what was asked is answered");
out:
    cli_server_stop(server);
    return code;
}

int cmd_serve(cli_options *options)
{
    cli_session session = {0};
    sem_t decoders;
    cli_service service = {.decoders = &decoders};
    int code = 0;
    if (!options->model)
        return cli_fail(CLI_EXIT_USAGE,
                        "serve: expected a trained model, found none: name one with --model");
    sem_init(&decoders, 0, DECODERS);
    CLI_TRY(cli_session_load_model(&session, options));
    CLI_TRY(cli_session_open_device(&session, options));
    service.model = session.model;
    service.conversion = cli_conversion_choose(session.model, options);
    cli_conversion_say(&service.conversion);
    CLI_TRY(cli_batcher_create(&service.batcher, session.device, session.model, MOST_TOGETHER,
                               options->train.fuse));
    CLI_TRY(serve(&service, options));
out:
    cli_batcher_destroy(service.batcher);
    sem_destroy(&decoders);
    cli_session_finish(&session);
    return code;
}
