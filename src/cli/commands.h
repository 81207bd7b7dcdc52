/* One function per command; each returns the exit code. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

int cmd_train(cli_options *options);
int cmd_eval(cli_options *options);
int cmd_predict(cli_options *options);
int cmd_params(cli_options *options);
int cmd_forward(cli_options *options);
int cmd_bench(cli_options *options);
int cmd_export(cli_options *options);
int cmd_import(cli_options *options);
int cmd_report(cli_options *options);
int cmd_serve(cli_options *options);
int cmd_doctor(cli_options *options);
int cmd_list_devices(cli_options *options);

/* bench --tune */
int cli_tune(cli_options *options);

#endif
