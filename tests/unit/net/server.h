/* A small server for tests: each connection gets a thread and a handler. */
#ifndef TESTS_UNIT_NET_SERVER_H
#define TESTS_UNIT_NET_SERVER_H

#include <stdatomic.h>
#include <stddef.h>

struct server;
typedef void (*server_handler)(struct server *, int fd);

/* On 127.0.0.1, a free port. */
struct server *server_start(server_handler, void *arg);
/* Shuts every connection and waits for the handlers. */
void server_stop(struct server *);
int server_port(const struct server *);
int server_accepts(const struct server *);
void *server_arg(const struct server *);
/* "http://127.0.0.1:port/path"; good until the next 8 calls. */
const char *server_url(const struct server *, const char *path);

/* Read one request (head and Content-Length body); 0, -1 at EOF. */
int server_request(int fd, char *head, size_t size);
void server_send(int fd, const char *text);
/* Wait until the peer or server_stop() ends the connection. */
void server_hold(int fd);
void sleep_ms(int ms);

#endif
