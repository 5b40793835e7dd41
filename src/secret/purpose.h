/*
 * What is derived from the master key, each for one purpose only (RFC 5869's
 * info).  A new use is a new row here: two uses never share a key.
 */
#ifndef SECRET_PURPOSE_H
#define SECRET_PURPOSE_H

#define PURPOSE_SESSION_KEY "session-key" /* MACs of session keys */
#define PURPOSE_PROBE "doctor-probe"      /* passes of the doctor */
#define PURPOSE_ENVELOPE "envelope"       /* wraps data keys */
#define PURPOSE_MASTER_ID "master-key-id" /* what a master key is called */
#define PURPOSE_JWT "jwt"                 /* access tokens */
#define PURPOSE_COOKIE "cookie"           /* cookies of the console */
#define PURPOSE_FORM "form-token"         /* tokens of its forms */
#define PURPOSE_MAIL_LINK "mail-link"     /* invitations and resets */
#define PURPOSE_WEBHOOK "webhook"         /* signatures of deliveries */
#define PURPOSE_SSO "sso-state"           /* sign-ins on their way */
#define PURPOSE_AUDIT "audit"             /* of the audit log */
#define PURPOSE_IDEMPOTENCY "idempotency" /* hashes of such keys */

/* All of them, for the test that they differ. */
#define PURPOSES                                                               \
	PURPOSE_SESSION_KEY, PURPOSE_PROBE, PURPOSE_ENVELOPE,                  \
	    PURPOSE_MASTER_ID, PURPOSE_JWT, PURPOSE_COOKIE, PURPOSE_FORM,      \
	    PURPOSE_MAIL_LINK, PURPOSE_WEBHOOK, PURPOSE_SSO, PURPOSE_AUDIT,    \
	    PURPOSE_IDEMPOTENCY

#endif
