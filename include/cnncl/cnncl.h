/** @file
 * The whole public API. */
#ifndef CNNCL_CNNCL_H
#define CNNCL_CNNCL_H

#include <cnncl/bench.h>
#include <cnncl/checkpoint.h>
#include <cnncl/comm.h>
#include <cnncl/confusion.h>
#include <cnncl/dataset.h>
#include <cnncl/device.h>
#include <cnncl/doctor.h>
#include <cnncl/error.h>
#include <cnncl/exchange.h>
#include <cnncl/image.h>
#include <cnncl/metrics.h>
#include <cnncl/model.h>
#include <cnncl/network.h>
#include <cnncl/picture.h>
#include <cnncl/plan.h>
#include <cnncl/predictor.h>
#include <cnncl/random.h>
#include <cnncl/rank_bench.h>
#include <cnncl/report.h>
#include <cnncl/trainer.h>
#include <cnncl/tuning.h>

#endif
