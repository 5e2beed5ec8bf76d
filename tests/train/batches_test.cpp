// SPDX-License-Identifier: MIT
#include <bitnet/train/batches.h>
#include <gtest/gtest.h>
