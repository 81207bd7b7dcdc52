#include "once.cl"
  #  include  "loop_b.cl"
