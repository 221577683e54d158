/*
 * Has a program listen on other ports than those that are compiled into it.
 *
 *     BINDPORT="389=15001 636=15002 3268=0"
 *
 * makes bind() take 15001 where the program says 389, and so on; 0 is any free port. getsockname() then says 389 again,
 * because Samba tells by the port that a connection came in on whether to expect TLS.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum direction { OUTWARD, INWARD };

/* The other side of the pair that holds this port; the port itself, if there is none. */
static unsigned long other(unsigned long port, enum direction direction)
{
    const char *at = getenv("BINDPORT");

    while (at != NULL && *at != '\0') {
        char *end;
        unsigned long inner = strtoul(at, &end, 10), outer;

        if (*end != '=')
            break;
        outer = strtoul(end + 1, &end, 10);
        if (direction == OUTWARD && inner == port)
            return outer;
        if (direction == INWARD && outer == port && outer != 0)
            return inner;
        at = end + strspn(end, " ");
    }
    return port;
}

static void translate(struct sockaddr *address, enum direction direction)
{
    in_port_t *port;

    if (address->sa_family == AF_INET)
        port = &((struct sockaddr_in *)address)->sin_port;
    else if (address->sa_family == AF_INET6)
        port = &((struct sockaddr_in6 *)address)->sin6_port;
    else
        return;
    *port = htons((in_port_t)other(ntohs(*port), direction));
}

int bind(int socket, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
    struct sockaddr_storage copy;

    if (address == NULL || length > sizeof copy)
        return next(socket, address, length);
    memset(&copy, 0, sizeof copy);
    memcpy(&copy, address, length);
    translate((struct sockaddr *)&copy, OUTWARD);
    return next(socket, (struct sockaddr *)&copy, length);
}

int getsockname(int socket, struct sockaddr *address, socklen_t *length)
{
    int (*next)(int, struct sockaddr *, socklen_t *) =
        (int (*)(int, struct sockaddr *, socklen_t *))dlsym(RTLD_NEXT, "getsockname");
    int outcome = next(socket, address, length);

    if (outcome == 0 && address != NULL)
        translate(address, INWARD);
    return outcome;
}
