// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <arpa/nameser.h>
#include <ares.h>
#include <netinet/in.h>
