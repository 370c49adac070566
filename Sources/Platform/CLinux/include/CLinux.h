// SPDX-License-Identifier: Apache-2.0
// What Swift's Glibc module does not show, wrapped so that no header it imports needs _GNU_SOURCE.
#pragma once

#include "CLinuxProcess.h"
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/// Names the calling thread (at most 15 octets).
void clinux_set_thread_name(const char *name);

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC.
int clinux_accept(int listener, struct sockaddr *address, socklen_t *length);

/// EPOLLEXCLUSIVE and EPOLLET as numbers Swift can read.
static const uint32_t clinux_epoll_edge = 1u << 31;
static const uint32_t clinux_epoll_exclusive = 1u << 28;

/// Two pieces in one call, never raising SIGPIPE; -1 and errno as sendmsg.
long clinux_send_two(int descriptor, const void *head, unsigned long head_count, const void *body, unsigned long body_count);

/// SO_PEERCRED of a unix socket; -1 and errno on failure.
int clinux_peer_credentials(int descriptor, int32_t *process, uint32_t *user, uint32_t *group);

/// SIGPIPE has no effect from now on.
void clinux_ignore_broken_pipes(void);
