/*
 * The lines a process keeps: curl handles with one warm connection each, last
 * used first, so that the busiest stay warm and the rest grow cold and go.
 */
#include "net/call.h"
#include "net/net_priv.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* Servers close idle connections after a minute or so; a call on a connection
 * that is just being closed costs a second try. */
#define IDLE_MAX (60 * CLOCK_S)

#define RESOLVE_THREADS 4
#define RESOLVE_TTL_MS 60000
#define RESOLVE_NEGATIVE_MS 2000

/* Bytes read at once, and kept by each running call. */
#define BUFFER_SIZE 4096L
#define UPLOAD_BUFFER_SIZE 16384L

struct net {
	pthread_mutex_t lock;
	struct line **idle; /* warmest last */
	unsigned nidle, warm;
	struct net_wait *waits; /* free ones */
	struct resolver *resolver;
	char *ca_file, *ca_dir; /* NULL: libcurl's own choice */
};

/*
 * A directory of hashed names is read certificate by certificate as they are
 * needed; the bundle would cost each connection a parse of all of them, and
 * the memory.
 */
static void
net_trust(struct net *net, const char *ca_file)
{
	const char *file = ca_file ? ca_file : getenv("SSL_CERT_FILE");
	const char *dir = getenv("SSL_CERT_DIR");

	if (file && *file) {
		net->ca_file = mem_strdup(net, file);
	} else if (dir && *dir) {
		net->ca_dir = mem_strdup(net, dir);
	} else {
		const curl_version_info_data *v =
		    curl_version_info(CURLVERSION_NOW);
		const char *path = v->age >= CURLVERSION_SEVENTH && v->capath
		                       ? v->capath
		                       : "/etc/ssl/certs";
		if (access(path, R_OK | X_OK) == 0)
			net->ca_dir = mem_strdup(net, path);
	}
}

struct net *
net_new_opts(const struct net_opts *o)
{
	struct net *net = mem_new(NULL, struct net);
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	pthread_mutex_init(&net->lock, NULL);
	net->warm = o->warm;
	net->idle = mem_array(net, struct line *, o->warm + 1);
	net->resolver = resolve_new(&o->resolve);
	net_trust(net, o->ca_file);
	return net;
}

struct net *
net_new(unsigned warm_connections)
{
	struct net_opts o = {
		.warm = warm_connections,
		.resolve = { .threads = RESOLVE_THREADS,
		    .ttl_ms = RESOLVE_TTL_MS,
		    .negative_ms = RESOLVE_NEGATIVE_MS },
	};
	return net_new_opts(&o);
}

static void
line_free(struct line *l)
{
	if (l->easy)
		curl_easy_cleanup(l->easy);
	if (l->multi)
		curl_multi_cleanup(l->multi);
	mem_free(l);
}

void
net_free(struct net *net)
{
	if (!net)
		return;
	for (unsigned i = 0; i < net->nidle; i++)
		line_free(net->idle[i]);
	while (net->waits) {
		struct net_wait *w = net->waits;
		net->waits = w->next;
		pthread_mutex_destroy(&w->lock);
		mem_free(w);
	}
	resolve_free(net->resolver);
	pthread_mutex_destroy(&net->lock);
	mem_free(net);
	curl_global_cleanup();
}

struct resolver *
net_resolver(struct net *net)
{
	return net->resolver;
}

unsigned
net_warm(struct net *net)
{
	pthread_mutex_lock(&net->lock);
	unsigned n = net->nidle;
	pthread_mutex_unlock(&net->lock);
	return n;
}

/* What holds for every call: set once a handle. */
static int
line_setup(const struct net *net, struct line *l)
{
	CURL *c = l->easy;
	int bad = 0;

#define SET(opt, value) bad |= curl_easy_setopt(c, opt, value) != CURLE_OK
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (net->ca_file) {
		SET(CURLOPT_CAINFO, net->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	} else if (net->ca_dir) {
		SET(CURLOPT_CAINFO, NULL);
		SET(CURLOPT_CAPATH, net->ca_dir);
	}
	SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, 30L);
	SET(CURLOPT_TCP_KEEPINTVL, 10L);
	SET(CURLOPT_MAXAGE_CONN, (long)(IDLE_MAX / CLOCK_S));
	SET(CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_SIZE);
	SET(CURLOPT_USERAGENT, "switchboard");
#undef SET
	bad |=
	    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK;
	bad |= curl_multi_setopt(l->multi, CURLMOPT_PIPELINING,
		   (long)CURLPIPE_NOTHING) != CURLM_OK;
	return bad ? -1 : 0;
}

static struct line *
line_new(const struct net *net, const char *origin)
{
	/* Its own talloc root: lines change threads. */
	struct line *l = mem_new(NULL, struct line);
	size_t n = strlen(origin);

	l->multi = curl_multi_init();
	l->easy = curl_easy_init();
	if (!l->multi || !l->easy || n >= sizeof(l->origin) ||
	    line_setup(net, l) != 0) {
		line_free(l);
		return NULL;
	}
	memcpy(l->origin, origin, n + 1);
	return l;
}

/* With the lock held: take out place ${i}. */
static struct line *
idle_remove(struct net *net, unsigned i)
{
	struct line *l = net->idle[i];

	net->nidle--;
	memmove(&net->idle[i], &net->idle[i + 1],
	    (net->nidle - i) * sizeof(struct line *));
	return l;
}

struct line *
line_take(struct net *net, const char *origin)
{
	int64_t now = clock_mono();
	struct line *found = NULL, *cold = NULL;

	pthread_mutex_lock(&net->lock);
	for (unsigned i = net->nidle; i-- > 0 && !found;)
		if (strcmp(net->idle[i]->origin, origin) == 0)
			found = idle_remove(net, i);
	/* The coldest comes first: one a call is enough to get rid of all. */
	if (net->nidle > 0 && now - net->idle[0]->idle_since > IDLE_MAX)
		cold = idle_remove(net, 0);
	pthread_mutex_unlock(&net->lock);
	if (cold)
		line_free(cold);
	return found ? found : line_new(net, origin);
}

void
line_give(struct net *net, struct line *l, bool keep)
{
	struct line *out = l;

	if (keep && net->warm > 0) {
		l->idle_since = clock_mono();
		pthread_mutex_lock(&net->lock);
		out = net->nidle >= net->warm ? idle_remove(net, 0) : NULL;
		net->idle[net->nidle++] = l;
		pthread_mutex_unlock(&net->lock);
	}
	if (out)
		line_free(out);
}

struct net_wait *
wait_take(struct net *net, CURLM *multi)
{
	pthread_mutex_lock(&net->lock);
	struct net_wait *w = net->waits;
	if (w)
		net->waits = w->next;
	pthread_mutex_unlock(&net->lock);
	if (!w) {
		w = mem_new(NULL, struct net_wait);
		pthread_mutex_init(&w->lock, NULL);
	}
	pthread_mutex_lock(&w->lock);
	w->multi = multi;
	pthread_mutex_unlock(&w->lock);
	return w;
}

void
wait_give(struct net *net, struct net_wait *w)
{
	pthread_mutex_lock(&w->lock);
	w->multi = NULL;
	pthread_mutex_unlock(&w->lock);
	pthread_mutex_lock(&net->lock);
	w->next = net->waits;
	net->waits = w;
	pthread_mutex_unlock(&net->lock);
}

void
net_wake(struct net_wait *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	if (w->multi)
		curl_multi_wakeup(w->multi);
	pthread_mutex_unlock(&w->lock);
}
