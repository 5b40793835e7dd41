/* QR codes by libqrencode, written as one path. */
#include <errno.h>
#include <qrencode.h>
#include <string.h>

#include "auth/totp.h"
#include "util/buf.h"

#include "util/banned.h"

#define TEXT_MAX 2000
#define SVG_MAX ((size_t)256 * 1024)
#define QUIET 4 /* modules around it, as the standard wants */

static bool
dark(const QRcode *q, int x, int y)
{
	return (q->data[y * q->width + x] & 1) != 0;
}

/* Each run of dark modules in a row is one rectangle of the path. */
static void
add_rows(struct buf *b, const QRcode *q)
{
	for (int y = 0; y < q->width; y++)
		for (int x = 0, n; x < q->width; x += n) {
			n = 1;
			while (x + n < q->width &&
			       dark(q, x + n, y) == dark(q, x, y))
				n++;
			if (dark(q, x, y))
				buf_addf(b, "M%d %dh%dv1h-%dz", x + QUIET,
				    y + QUIET, n, n);
		}
}

int
totp_qr_svg(const void *ctx, const char *text, char **svg, struct err *e)
{
	size_t n = strlen(text);
	struct buf b;
	QRcode *q;
	int side;

	*svg = NULL;
	if (n == 0 || n > TEXT_MAX)
		return err_set(
		    e, ERR_INVALID, "%zu bytes do not go into a QR code", n);
	q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	if (q == NULL)
		return err_set(e,
		    errno == ERANGE ? ERR_INVALID : ERR_UNAVAILABLE,
		    "no QR code of %zu bytes: %s", n, strerror(errno));
	side = q->width + 2 * QUIET;
	buf_init(&b, ctx, SVG_MAX);
	buf_addf(&b,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
	    "role=\"img\" aria-label=\"QR code\" "
	    "shape-rendering=\"crispEdges\">"
	    "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/><path d=\"",
	    side, side, side, side);
	add_rows(&b, q);
	QRcode_free(q);
	buf_adds(&b, "\"/></svg>");
	if (buf_failed(&b)) {
		buf_free(&b);
		return err_set(e, ERR_INTERNAL, "the QR code is too large");
	}
	*svg = b.data;
	return 0;
}
