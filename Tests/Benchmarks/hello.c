// SPDX-License-Identifier: Apache-2.0
// The least that an HTTP server can do: one epoll loop that answers each read ending in an empty line with the same octets.
// It parses nothing. `hello PORT`
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] =
    "HTTP/1.1 200 OK\r\nDate: Wed, 01 Apr 2026 09:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"
    "X-Content-Type-Options: nosniff\r\nX-Request-Id: 00000000000000000000000000000000\r\n\r\n{\"status\":\"ok\"}";

int main(int count, char **arguments) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(arguments[1]) : 0) };
    struct epoll_event events[512], event = { .events = EPOLLIN };
    char input[16384];
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) { perror("bind"); return 1; }
    event.data.fd = listener;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, 512, -1);
        for (int index = 0; index < ready; index++) {
            int descriptor = events[index].data.fd;
            if (descriptor == listener) {
                int fresh = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fresh < 0) continue;
                setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                event = (struct epoll_event){ .events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.fd = fresh };
                epoll_ctl(epoll, EPOLL_CTL_ADD, fresh, &event);
                continue;
            }
            ssize_t got = recv(descriptor, input, sizeof input, 0);
            if (got <= 0) close(descriptor);
            else if (got >= 4 && !memcmp(input + got - 4, "\r\n\r\n", 4))
                if (send(descriptor, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) close(descriptor);
        }
    }
}
